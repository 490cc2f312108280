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

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    const BATCH: usize = 5;
    const WIDTH: usize = 3;
    const VIEWS: usize = 3;

    /// Numbers without a pattern, `[BATCH, VIEWS * WIDTH]`.
    fn embeddings() -> Vec<f64> {
        (0..BATCH * VIEWS * WIDTH).map(|at| ((at * at + 7 * at) % 23) as f64 / 11.0 - 1.0).collect()
    }

    /// The definition, number by number; `scale` is what the correlations are divided by.
    fn plain(values: &[f64], scale: f64, off_diagonal: f64) -> f64 {
        let column = |view: usize, dimension: usize| -> Vec<f64> {
            let numbers = (0..BATCH).map(|row| values[(row * VIEWS + view) * WIDTH + dimension]);
            let numbers: Vec<f64> = numbers.collect();
            let norm = numbers.iter().map(|number| number * number).sum::<f64>().sqrt();
            numbers.iter().map(|number| number / norm).collect()
        };
        let mut total = 0.0;
        for first in 0..VIEWS {
            for second in first + 1..VIEWS {
                for (i, j) in (0..WIDTH).flat_map(|i| (0..WIDTH).map(move |j| (i, j))) {
                    let (left, right) = (column(first, i), column(second, j));
                    let product: f64 = left.iter().zip(&right).map(|(a, b)| a * b).sum();
                    let correlation = product / scale;
                    total += match i == j {
                        true => (correlation - 1.0).powi(2),
                        false => off_diagonal * correlation.powi(2),
                    };
                }
            }
        }
        total
    }

    #[test]
    fn both_forms_and_their_gradients_are_those_of_the_definition() {
        let values = embeddings();
        let device = Device::flex().autodiff();
        let numbers: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        for (form, scale) in
            [(RegulariserForm::Official, BATCH as f64), (RegulariserForm::Paper, 1.0)]
        {
            let regulariser = Regulariser { form, off_diagonal: 0.3, weight: 0.7 };
            let data = TensorData::new(numbers.clone(), [BATCH, VIEWS * WIDTH]);
            let leaf = Tensor::<2>::from_data(data, &device).require_grad();
            let loss = regulariser.forward(leaf.clone(), VIEWS);
            let expected = |values: &[f64]| 0.7 * plain(values, scale, 0.3);
            let found = f64::from(loss.clone().into_scalar::<f32>());
            assert!((found - expected(&values)).abs() < 1e-5, "{form:?}: {found}");
            let gradients = loss.backward();
            let gradient = leaf.grad(&gradients).unwrap().into_data().try_to_vec::<f32>().unwrap();
            for (at, found) in gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut values = values.clone();
                    values[at] += by;
                    expected(&values)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((f64::from(*found) - slope).abs() < 1e-4, "{form:?} {at}: {found} {slope}");
            }
        }
    }
}
