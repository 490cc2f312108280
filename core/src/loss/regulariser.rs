//! Dimension-wise regulariser: the views of an image should agree in every dimension
//! and the dimensions be uncorrelated.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::similarity::reference::l2_normalise_along;

/// Scale of the cross-correlation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegulariserForm {
    /// Divided by the batch size once more, so that its diagonal cannot reach 1
    /// (official code; the published commands used it).
    #[default]
    Official,
    /// As the paper writes it.
    Paper,
}

/// The regulariser and its weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Regulariser {
    /// Scale of the cross-correlation.
    pub form: RegulariserForm,
    /// Weight of the off-diagonal part.
    pub off_diagonal: f64,
    /// Weight of the whole in the loss.
    pub weight: f64,
}

impl Default for Regulariser {
    fn default() -> Self {
        Self { form: RegulariserForm::Official, off_diagonal: 0.0051, weight: 1.0 }
    }
}

impl Regulariser {
    /// Image embeddings `[B, V * E]` with their V views -> `[1]`, summed over all pairs of views.
    pub fn forward(&self, embeddings: Tensor<2>, views: usize) -> Tensor<1> {
        let [batch, size] = embeddings.dims();
        let width = size / views;
        let device = embeddings.device();
        let each: Vec<Tensor<2>> = (0..views)
            .map(|view| l2_normalise_along(embeddings.clone().narrow(1, view * width, width), 0))
            .collect();
        let mut total = Tensor::<1>::zeros([1], &device);
        for (at, first) in each.iter().enumerate() {
            for second in &each[at + 1..] {
                total = total + self.pair(first.clone(), second.clone(), batch);
            }
        }
        total.mul_scalar(self.weight)
    }

    fn pair(&self, first: Tensor<2>, second: Tensor<2>, batch: usize) -> Tensor<1> {
        let width = first.dims()[1];
        let identity = Tensor::<2>::eye(width, &first.device());
        // The diagonal alone is cheap: no mask over E x E is needed for it.
        let mut diagonal = (first.clone() * second.clone()).sum_dim(0);
        let mut correlation = first.transpose().matmul(second);
        if self.form == RegulariserForm::Official {
            diagonal = diagonal.div_scalar(batch as f64);
            correlation = correlation.div_scalar(batch as f64);
        }
        let off = correlation * identity.sub_scalar(1.0).neg();
        diagonal.sub_scalar(1.0).square().sum() + off.square().sum().mul_scalar(self.off_diagonal)
    }
}
