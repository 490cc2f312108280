//! Backbones as chains of parts.
//!
//! A part takes what the part before it returned and nothing else that is learnt, so training may
//! run a backbone piece by piece of a batch, or part by part, keep only what passes from one
//! to the next, and compute the rest again when gradients come back.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::AvseModel;
use crate::image::sampling::ViewPlan;
use crate::image::tower::{Backbone, embed_views, select_patches};
use crate::layers::normalise;
use crate::text::tokenizer::TokenBatch;

/// What passes between the parts: a map `[B, H, W, D]`; tokens are maps of height 1.
pub type Map = Tensor<4>;

/// A backbone with its inputs.
pub trait Chain {
    /// Number of parts.
    fn parts(&self, model: &AvseModel) -> usize;

    /// What the first part returns, computed from the inputs.
    fn first(&self, model: &AvseModel) -> Map;

    /// What part `index` (from 1) returns for what the part before it did. The last part's
    /// is `[rows, 1, T, D]`, the tokens that the tower's head takes.
    fn part(&self, model: &AvseModel, index: usize, map: Map) -> Map;
}

/// A batch of pictures, for the image backbone.
pub struct ImageChain {
    /// `[B, 3, R, R]`.
    pub pixels: Tensor<4>,
    /// Which patches the views keep.
    pub plan: ViewPlan,
}

/// A batch of captions, for the text backbone.
pub struct CaptionChain {
    /// `[B, T]`.
    pub ids: Tensor<2, Int>,
    /// Real tokens of each caption.
    pub lengths: Vec<usize>,
}

impl ImageChain {
    /// The pictures of a range.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let pixels = self.pixels.clone().narrow(0, range.start, range.len());
        Self { pixels, plan: self.plan.slice(range) }
    }
}

impl CaptionChain {
    /// Padded captions on a device.
    pub fn new(tokens: &TokenBatch, device: &Device) -> Self {
        let ids: Vec<i32> = tokens.ids.iter().map(|id| *id as i32).collect();
        let ids = TensorData::new(ids, [tokens.lengths.len(), tokens.width]);
        Self { ids: Tensor::from_data(ids, device), lengths: tokens.lengths.clone() }
    }

    /// The captions of a range, padded as before.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let ids = self.ids.clone().narrow(0, range.start, range.len());
        Self { ids, lengths: self.lengths[range].to_vec() }
    }
}

impl Chain for ImageChain {
    fn parts(&self, model: &AvseModel) -> usize {
        1 + match &model.image.backbone {
            Backbone::Vit(vit) => vit.layers.len(),
            // Every block and merging, then the norm.
            Backbone::Swin(swin) => swin.steps().count() + 1,
            // Its batch norms see the whole batch once: one part.
            Backbone::ResNet(_) => 0,
        }
    }

    fn first(&self, model: &AvseModel) -> Map {
        match &model.image.backbone {
            Backbone::Vit(vit) => {
                embed_views(vit, self.pixels.clone(), &self.plan).unsqueeze_dim(1)
            }
            Backbone::Swin(swin) => swin.embed(self.pixels.clone()),
            Backbone::ResNet(resnet) => {
                select_patches(resnet.forward(self.pixels.clone()), &self.plan).unsqueeze_dim(1)
            }
        }
    }

    fn part(&self, model: &AvseModel, index: usize, map: Map) -> Map {
        match &model.image.backbone {
            Backbone::Vit(vit) => {
                vit.layers[index - 1].forward(map.squeeze_dim(1)).unsqueeze_dim(1)
            }
            Backbone::Swin(swin) => match swin.steps().nth(index - 1) {
                Some(step) => step.forward(map),
                None => {
                    let tokens = normalise(&swin.norm, map.flatten::<3>(1, 2));
                    select_patches(tokens, &self.plan).unsqueeze_dim(1)
                }
            },
            Backbone::ResNet(_) => map,
        }
    }
}

impl Chain for CaptionChain {
    fn parts(&self, model: &AvseModel) -> usize {
        1 + model.text.bert.layers.len()
    }

    fn first(&self, model: &AvseModel) -> Map {
        model.text.bert.embed(self.ids.clone()).unsqueeze_dim(1)
    }

    fn part(&self, model: &AvseModel, index: usize, map: Map) -> Map {
        let layer = &model.text.bert.layers[index - 1];
        layer.forward(map.squeeze_dim(1), &self.lengths).unsqueeze_dim(1)
    }
}
