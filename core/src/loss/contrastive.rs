//! Contrastive (InfoNCE) loss over the optimal-matching scores.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use serde::{Deserialize, Serialize};

/// Cross-entropy of picking the matching caption of each image and the matching image
/// of each caption among the batch; summed like the triplet loss. Not part of the
/// official recipe: towers trained from scratch learn faster from all negatives at
/// once than from the hardest alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastiveLoss {
    /// Weight in the total loss.
    pub weight: f64,
    /// Scores, averaged over the caption's blocks, are divided by this.
    pub temperature: f64,
}

impl ContrastiveLoss {
    /// Scores `[B, B]` (images x captions) of captions with `blocks` blocks -> `[1]`.
    pub fn forward(&self, scores: Tensor<2>, blocks: usize) -> Tensor<1> {
        let [batch, _] = scores.dims();
        let logits = scores.div_scalar(self.temperature * blocks as f64);
        let matching = Tensor::<2>::eye(batch, &logits.device());
        let captions = (log_softmax(logits.clone(), 1) * matching.clone()).sum();
        let images = (log_softmax(logits, 0) * matching).sum();
        (captions + images).mul_scalar(-self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn equal_scores_cost_the_log_of_the_batch() {
        let loss = ContrastiveLoss { weight: 0.5, temperature: 0.1 };
        let value = loss.forward(Tensor::ones([4, 4], &Device::flex()), 2).into_scalar::<f32>();
        // Two directions, four rows each, half the weight.
        assert!((value - 4.0 * 4f32.ln()).abs() < 1e-5, "{value}");
    }

    #[test]
    fn perfect_scores_cost_nothing() {
        let loss = ContrastiveLoss { weight: 1.0, temperature: 0.01 };
        let scores = Tensor::<2>::eye(3, &Device::flex());
        assert!(loss.forward(scores, 1).into_scalar::<f32>() < 1e-6);
    }
}
