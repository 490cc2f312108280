//! Triplet loss with all or only the hardest negatives of the batch.

use burn::tensor::{Bool, Tensor};
use serde::{Deserialize, Serialize};

/// Which negatives count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Negatives {
    /// All of the batch (first epoch of the official schedule).
    All,
    /// The hardest of each row and of each column.
    Hardest,
}

/// Hinge loss over a square score matrix whose diagonal holds the matching pairs;
/// summed, not averaged, as in the official code.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TripletLoss {
    /// How much higher a matching pair should score than any other.
    pub margin: f64,
}

impl Default for TripletLoss {
    fn default() -> Self {
        Self { margin: 0.2 }
    }
}

impl TripletLoss {
    /// Scores `[B, B]` (images x captions) -> `[1]`.
    pub fn forward(&self, scores: Tensor<2>, negatives: Negatives) -> Tensor<1> {
        let [batch, _] = scores.dims();
        let device = scores.device();
        let diagonal = Tensor::<2, Bool>::diag_mask([batch, batch], 0, &device).bool_not();
        let matching = scores.clone().mask_fill(diagonal.clone().bool_not(), 0.0).sum_dim(1);
        let hinge = |positive: Tensor<2>| {
            (scores.clone() - positive)
                .add_scalar(self.margin)
                .clamp_min(0.0)
                .mask_fill(diagonal.clone(), 0.0)
        };
        let captions = hinge(matching.clone());
        let images = hinge(matching.transpose());
        match negatives {
            Negatives::All => captions.sum() + images.sum(),
            Negatives::Hardest => captions.max_dim(1).sum() + images.max_dim(0).sum(),
        }
    }
}
