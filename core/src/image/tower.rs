//! The image tower: backbone, radial bias sampling and the view head.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::sampling::{Grid, ViewPlan};
use super::{ResNet, Swin, Vit};
use crate::config::{ImageBackboneConfig, ModelConfig};
use crate::layers::init::xavier_linear;
use crate::pooling::{Gpo, TokenMask};
use crate::similarity::reference::l2_normalise;

/// The backbone of an image tower.
// One tower holds one backbone: the size difference of the variants costs nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Backbone {
    /// Vision Transformer.
    Vit(Vit),
    /// Shifted-window transformer.
    Swin(Swin),
    /// Residual convolutions.
    ResNet(ResNet),
}

/// Pixels to image embeddings.
#[derive(Module, Debug)]
pub struct ImageTower {
    /// ViT, Swin or ResNet.
    pub backbone: Backbone,
    /// Tokens of a view to its embedding.
    pub head: ViewHead,
}

/// Linear to E, GPO pooling, L2 norm.
#[derive(Module, Debug)]
pub struct ViewHead {
    /// D -> E.
    pub projection: Linear,
    /// Pooling over the tokens.
    pub pooling: Gpo,
}

impl ImageTower {
    /// A new tower with random weights.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let backbone = match &config.image {
            ImageBackboneConfig::Vit(vit) => Backbone::Vit(Vit::new(vit, device)),
            ImageBackboneConfig::Swin(swin) => Backbone::Swin(Swin::new(swin, device)),
            ImageBackboneConfig::ResNet(resnet) => Backbone::ResNet(ResNet::new(resnet, device)),
        };
        let head = ViewHead {
            projection: xavier_linear(config.image.output_size(), config.embed_size, device),
            pooling: Gpo::new(&config.pooling, device),
        };
        Self { backbone, head }
    }

    /// The same tower with its weights in the order that the CPU reads them; other devices have
    /// orders of their own.
    pub fn for_cpu(mut self) -> Self {
        self.backbone = match self.backbone {
            Backbone::ResNet(resnet) => Backbone::ResNet(resnet.channels_last()),
            other => other,
        };
        self
    }

    /// The grid that a [`ViewPlan`] for this model draws from.
    pub fn grid(config: &ModelConfig) -> Grid {
        Grid {
            side: config.image.grid_side(config.image_size),
            class_token: config.image.has_class_token(),
        }
    }

    /// `[B, 3, R, R] -> [B, V * E]`: the embeddings of the views side by side, each of L2 norm 1.
    pub fn forward(&self, pixels: Tensor<4>, plan: &ViewPlan) -> Tensor<2> {
        self.pool_views(self.view_tokens(pixels, plan), plan)
    }

    /// The head: a backbone's tokens of every view `[B * V, T, D] -> [B, V * E]`.
    pub fn pool_views(&self, tokens: Tensor<3>, plan: &ViewPlan) -> Tensor<2> {
        let [rows, length, _] = tokens.dims();
        let mask = match &plan.token_keep {
            Some(keep) => TokenMask::new(keep.clone(), rows, length),
            None => TokenMask::full(rows, length),
        };
        let pooled = self.head.forward(tokens, &mask);
        let width = pooled.dims()[1];
        pooled.reshape([plan.batch, plan.views * width])
    }

    /// `[B, 3, R, R] -> [B * V, T, D]`: the backbone's tokens of every view, views of an
    /// image next to each other, class token (ViT) first, then the plan's order.
    pub fn view_tokens(&self, pixels: Tensor<4>, plan: &ViewPlan) -> Tensor<3> {
        match &self.backbone {
            Backbone::Vit(vit) => vit.encode(embed_views(vit, pixels, plan)),
            Backbone::Swin(swin) => select_patches(swin.forward(pixels), plan),
            Backbone::ResNet(resnet) => select_patches(resnet.forward(pixels), plan),
        }
    }
}

impl ViewHead {
    /// `[N, T, D] -> [N, E]`, rows of L2 norm 1.
    pub fn forward(&self, tokens: Tensor<3>, mask: &TokenMask) -> Tensor<2> {
        l2_normalise(self.pooling.forward(self.projection.forward(tokens), mask))
    }
}

/// `[B, 3, R, R] -> [B * V, 1 + K, D]`: what the blocks of a ViT take.
pub(crate) fn embed_views(vit: &Vit, pixels: Tensor<4>, plan: &ViewPlan) -> Tensor<3> {
    let (class_token, patches) = vit.embed(pixels);
    let views = select_patches(patches, plan);
    let [rows, _, width] = views.dims();
    Tensor::cat(vec![class_token.expand([rows, 1, width]), views], 1)
}

/// `[B, n, D] -> [B * V, K, D]`.
pub(crate) fn select_patches(patches: Tensor<3>, plan: &ViewPlan) -> Tensor<3> {
    let [batch, count, width] = patches.dims();
    let per_image = plan.views * plan.kept;
    let rows: Vec<i32> = plan
        .indices
        .iter()
        .enumerate()
        .map(|(at, &patch)| (at / per_image * count) as i32 + patch as i32)
        .collect();
    let length = rows.len();
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [length]), &patches.device());
    patches.reshape([batch * count, width]).select(0, rows).reshape([
        batch * plan.views,
        plan.kept,
        width,
    ])
}
