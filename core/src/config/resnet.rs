//! Residual network sizes.

use serde::{Deserialize, Serialize};

use super::checks::{divides, positive, weights_fit};
use crate::{Error, Result};

/// Residual convolutional network, field names as in Hugging Face `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResNetConfig {
    /// Width of the stem.
    pub embedding_size: usize,
    /// Width of each stage.
    pub hidden_sizes: Vec<usize>,
    /// Blocks in each stage.
    pub depths: Vec<usize>,
    /// What a block is made of.
    pub layer_type: ResNetLayerType,
    /// Whether the first stage halves the map, too.
    pub downsample_in_first_stage: bool,
    /// Whether a bottleneck block halves the map in its first convolution, not its second.
    pub downsample_in_bottleneck: bool,
}

/// What a residual block is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResNetLayerType {
    /// Two convolutions of 3 x 3.
    Basic,
    /// 1 x 1 to a quarter of the width, 3 x 3, 1 x 1 back.
    #[default]
    Bottleneck,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self {
            embedding_size: 64,
            hidden_sizes: vec![256, 512, 1024, 2048],
            depths: vec![3, 4, 6, 3],
            layer_type: ResNetLayerType::Bottleneck,
            downsample_in_first_stage: false,
            downsample_in_bottleneck: false,
        }
    }
}

impl ResNetConfig {
    /// Stride of the first block of stage `stage` (counted from 0).
    pub fn stride(&self, stage: usize) -> usize {
        if stage == 0 && !self.downsample_in_first_stage { 1 } else { 2 }
    }

    pub(super) fn validate(&self) -> Result<()> {
        positive("image.embedding_size", self.embedding_size)?;
        if self.depths.is_empty() || self.depths.len() != self.hidden_sizes.len() {
            return Err(Error::config(
                "image.hidden_sizes",
                "needs one entry for each of `depths`",
            ));
        }
        for (&depth, &width) in self.depths.iter().zip(&self.hidden_sizes) {
            positive("image.depths", depth)?;
            weights_fit(
                "image",
                &[&[9, depth, width, width], &[depth, 1 << 10], &[147, self.embedding_size]],
            )?;
            // A bottleneck works at a quarter of the width.
            divides("image.hidden_sizes", 4, "the stage's width", width)?;
        }
        Ok(())
    }
}
