//! Swin Transformer sizes.

use serde::{Deserialize, Serialize};

use super::checks::{divides, dropouts, positive, probability, weights_fit};
use super::{Activation, INITIALIZER_RANGE};
use crate::{Error, Result};

/// Swin Transformer, field names as in Hugging Face `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwinConfig {
    /// Side in pixels of the checkpoint's training images (informative: Swin has no position table).
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Token width of the first stage; it doubles with every stage.
    pub embed_dim: usize,
    /// Blocks in each stage.
    pub depths: Vec<usize>,
    /// Attention heads in each stage.
    pub num_heads: Vec<usize>,
    /// Side of an attention window in tokens.
    pub window_size: usize,
    /// Feed-forward width as a multiple of the token width.
    pub mlp_ratio: f64,
    /// Whether query, key and value have a bias.
    pub qkv_bias: bool,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Dropout after embeddings and sublayers.
    pub hidden_dropout_prob: f64,
    /// Dropout on attention weights.
    pub attention_probs_dropout_prob: f64,
    /// Largest stochastic depth probability (last block); grows linearly from 0.
    pub drop_path_rate: f64,
    /// Activation of the feed-forward part.
    pub hidden_act: Activation,
    /// Standard deviation of the linear layers' new weights.
    pub initializer_range: f64,
    /// Absolute position embeddings; not supported, `false` in all published checkpoints.
    pub use_absolute_embeddings: bool,
}

impl Default for SwinConfig {
    fn default() -> Self {
        Self {
            image_size: 224,
            patch_size: 4,
            embed_dim: 96,
            depths: vec![2, 2, 6, 2],
            num_heads: vec![3, 6, 12, 24],
            window_size: 7,
            mlp_ratio: 4.0,
            qkv_bias: true,
            layer_norm_eps: 1e-5,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            drop_path_rate: 0.1,
            hidden_act: Activation::Gelu,
            initializer_range: INITIALIZER_RANGE,
            use_absolute_embeddings: false,
        }
    }
}

impl SwinConfig {
    /// Token width in stage `stage` (counted from 0).
    pub fn stage_size(&self, stage: usize) -> usize {
        self.embed_dim << stage
    }

    pub(super) fn validate(&self) -> Result<()> {
        positive("image.patch_size", self.patch_size)?;
        positive("image.window_size", self.window_size)?;
        if self.depths.is_empty() || self.depths.len() != self.num_heads.len() {
            return Err(Error::config("image.num_heads", "needs one entry for each of `depths`"));
        }
        // Each stage is twice as wide as the one before.
        if self.depths.len() > 8 || self.embed_dim > 1 << 24 {
            return Err(Error::config("image.depths", "are too many, or `embed_dim` is too large"));
        }
        if !(0.0..=64.0).contains(&self.mlp_ratio) {
            return Err(Error::config("image.mlp_ratio", "must be between 0 and 64"));
        }
        let mlp = self.mlp_ratio.ceil() as usize;
        weights_fit("image", &[&[3, self.patch_size, self.patch_size, self.embed_dim]])?;
        for (stage, (&depth, &heads)) in self.depths.iter().zip(&self.num_heads).enumerate() {
            let width = self.stage_size(stage);
            let window = [4, depth, heads, self.window_size, self.window_size];
            let layer = [4 + 2 * mlp, depth, width, width];
            weights_fit("image", &[&layer, &window, &[depth, 1 << 10]])?;
            divides("image.num_heads", heads, "the stage's width", self.stage_size(stage))?;
        }
        if self.use_absolute_embeddings {
            return Err(Error::config("image.use_absolute_embeddings", "is not supported"));
        }
        probability("image.drop_path_rate", self.drop_path_rate)?;
        dropouts("image", self.hidden_dropout_prob, self.attention_probs_dropout_prob)
    }
}
