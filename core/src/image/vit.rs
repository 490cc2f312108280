//! Vision Transformer encoder with Hugging Face `ViTModel` semantics.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{Dropout, DropoutConfig, LayerNorm};
use burn::tensor::{Device, Tensor};

use super::position::resize_position_table;
use crate::config::VitConfig;
use crate::layers::init::{layer_norm, patch_convolution, transformer_parameter};
use crate::layers::{
    AttentionSizes, EncoderLayer, FeedForward, FeedForwardSizes, NormPlacement, SelfAttention,
    normalise,
};

/// The encoder: patch embedding, positions, pre-norm blocks, final layer norm.
///
/// AVSE samples patches between [`embed`](Self::embed) and [`encode`](Self::encode)
/// and never uses the final norm, which belongs to `ViTModel` only.
#[derive(Module, Debug)]
pub struct Vit {
    /// Patches to tokens.
    pub patch_embedding: Conv2d,
    /// `[1, 1, D]`.
    pub class_token: Param<Tensor<3>>,
    /// `[1, 1 + n, D]`, class token first, patches row-major.
    pub position_embedding: Param<Tensor<3>>,
    /// Encoder blocks.
    pub layers: Vec<VitLayer>,
    /// Final layer norm of `ViTModel`.
    pub norm: LayerNorm,
    /// Dropout after the embeddings.
    pub dropout: Dropout,
    patch_size: usize,
    trained_side: usize,
}

/// One pre-norm encoder block.
#[derive(Module, Debug)]
pub struct VitLayer {
    /// Layer norm before attention.
    pub norm_before: LayerNorm,
    /// Self-attention.
    pub attention: SelfAttention,
    /// Layer norm before the feed-forward part.
    pub norm_after: LayerNorm,
    /// Feed-forward part.
    pub feed_forward: FeedForward,
    /// Dropout after both sublayers.
    pub dropout: Dropout,
    epsilon: f64,
}

impl Vit {
    /// A new encoder with random weights.
    pub fn new(config: &VitConfig, device: &Device) -> Self {
        let side = config.image_size / config.patch_size;
        let (patch, width) = (config.patch_size, config.hidden_size);
        Self {
            patch_embedding: patch_convolution(patch, width, device),
            class_token: transformer_parameter([1, 1, width], device),
            position_embedding: transformer_parameter([1, side * side + 1, width], device),
            layers: (0..config.num_hidden_layers).map(|_| VitLayer::new(config, device)).collect(),
            norm: layer_norm(width, config.layer_norm_eps, device),
            dropout: DropoutConfig::new(config.hidden_dropout_prob).init(),
            patch_size: patch,
            trained_side: side,
        }
    }

    /// `[B, 3, R, R] -> ([1, 1, D] class token, [B, n, D] patches)`, positions added;
    /// the position table is resized when R differs from the one it was made for.
    pub fn embed(&self, pixels: Tensor<4>) -> (Tensor<3>, Tensor<3>) {
        let side = pixels.dims()[2] / self.patch_size;
        let patches = self.patch_embedding.forward(pixels).flatten::<3>(2, 3).swap_dims(1, 2);
        let table = self.position_embedding.val();
        let [_, rows, width] = table.dims();
        let class_token = self.class_token.val() + table.clone().narrow(1, 0, 1);
        let positions = table.narrow(1, 1, rows - 1).reshape([rows - 1, width]);
        let positions = resize_position_table(positions, self.trained_side, side);
        (self.dropout.forward(class_token), self.dropout.forward(patches + positions.unsqueeze()))
    }

    /// The encoder blocks: `[B, T, D] -> [B, T, D]`, without the final norm.
    pub fn encode(&self, tokens: Tensor<3>) -> Tensor<3> {
        self.layers.iter().fold(tokens, |tokens, layer| layer.forward(tokens))
    }
}

impl VitLayer {
    pub(crate) fn new(config: &VitConfig, device: &Device) -> Self {
        let width = config.hidden_size;
        let sizes = AttentionSizes {
            width,
            heads: config.num_attention_heads,
            qkv_bias: config.qkv_bias,
            dropout: config.attention_probs_dropout_prob,
            initializer_range: config.initializer_range,
        };
        let inner = FeedForwardSizes {
            width,
            inner: config.intermediate_size,
            activation: config.hidden_act,
            initializer_range: config.initializer_range,
        };
        Self {
            norm_before: layer_norm(width, config.layer_norm_eps, device),
            attention: SelfAttention::new(sizes, device),
            norm_after: layer_norm(width, config.layer_norm_eps, device),
            feed_forward: FeedForward::new(inner, device),
            dropout: DropoutConfig::new(config.hidden_dropout_prob).init(),
            epsilon: config.layer_norm_eps,
        }
    }

    /// `[B, T, D] -> [B, T, D]`.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        self.fused().forward(&tokens, None).unwrap_or_else(|| self.forward_plain(tokens))
    }

    /// The layer as one operation, where the device has it.
    pub(crate) fn fused(&self) -> EncoderLayer<'_> {
        EncoderLayer {
            attention: &self.attention,
            feed_forward: &self.feed_forward,
            norms: [&self.norm_before, &self.norm_after],
            placement: NormPlacement::Before,
            epsilon: self.epsilon,
            dropout: self.dropout.prob,
        }
    }

    /// The layer in tensor operations.
    pub(crate) fn forward_plain(&self, tokens: Tensor<3>) -> Tensor<3> {
        let attended = self.attention.forward(normalise(&self.norm_before, tokens.clone()), None);
        let tokens = tokens + self.dropout.forward(attended);
        let fed = self.feed_forward.forward(normalise(&self.norm_after, tokens.clone()));
        tokens + self.dropout.forward(fed)
    }
}
