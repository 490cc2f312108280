//! Vision Transformer sizes.

use serde::{Deserialize, Serialize};

use super::checks::{divides, dropouts, positive, weights_fit};
use super::{Activation, INITIALIZER_RANGE};
use crate::{Error, Result};

/// Vision Transformer, field names as in Hugging Face `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VitConfig {
    /// Token width.
    pub hidden_size: usize,
    /// Number of encoder blocks.
    pub num_hidden_layers: usize,
    /// Attention heads a block.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward part.
    pub intermediate_size: usize,
    /// Side in pixels that the position embedding was made for.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Dropout after embeddings and sublayers.
    pub hidden_dropout_prob: f64,
    /// Dropout on attention weights.
    pub attention_probs_dropout_prob: f64,
    /// Activation of the feed-forward part.
    pub hidden_act: Activation,
    /// Standard deviation of the linear layers' new weights.
    pub initializer_range: f64,
    /// Whether query, key and value have a bias.
    pub qkv_bias: bool,
}

impl Default for VitConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            image_size: 224,
            patch_size: 16,
            layer_norm_eps: 1e-12,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            hidden_act: Activation::Gelu,
            initializer_range: INITIALIZER_RANGE,
            qkv_bias: true,
        }
    }
}

impl VitConfig {
    pub(super) fn validate(&self) -> Result<()> {
        weights_fit(
            "image",
            &[
                &[3, self.patch_size, self.patch_size, self.hidden_size],
                &[4, self.num_hidden_layers, self.hidden_size, self.hidden_size],
                &[2, self.num_hidden_layers, self.hidden_size, self.intermediate_size],
                // Even a layer of width 1 takes memory.
                &[self.num_hidden_layers, 1 << 10],
            ],
        )?;
        positive("image.num_hidden_layers", self.num_hidden_layers)?;
        positive("image.intermediate_size", self.intermediate_size)?;
        divides(
            "image.num_attention_heads",
            self.num_attention_heads,
            "image.hidden_size",
            self.hidden_size,
        )?;
        positive("image.patch_size", self.patch_size)?;
        if self.image_size < self.patch_size {
            return Err(Error::config("image.image_size", "smaller than one patch"));
        }
        dropouts("image", self.hidden_dropout_prob, self.attention_probs_dropout_prob)
    }
}
