//! AdamW (Loshchilov and Hutter, 2019) that obeys a [`Verdict`].
//!
//! Burn's own knows the number of steps on the host only, and cannot skip one on the device. The state, and so its
//! record, is Burn's.

use burn::optim::{AdamWState, AdaptiveMomentumState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

use super::moments::ReadOnHost;
use super::verdict::{Count, Current, Verdict};

const BETAS: [f32; 2] = [0.9, 0.999];
/// Of the official AdamW (Burn's default is 1e-5).
const EPSILON: f32 = 1e-8;

/// The optimiser of one parameter.
#[derive(Clone)]
pub struct AdamW {
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// What becomes of the gradients.
    pub verdict: Current,
}

impl Optimizer for AdamW {
    type State<const D: usize> = ReadOnHost<AdamWState<D>>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let (verdict, gradient) = self.verdict.judge(gradient);
        let AdaptiveMomentumState { time, moment_1, moment_2, .. } = match state {
            Some(state) => state.0.momentum,
            None => AdaptiveMomentumState::new(0, gradient.zeros_like(), gradient.zeros_like()),
        };
        let moved = |moment, by: Tensor<D>, beta: f32| {
            verdict.change(moment, |moment| moment.mul_scalar(beta) + by.mul_scalar(1.0 - beta))
        };
        let first = moved(moment_1, gradient.clone(), BETAS[0]);
        let second = moved(moment_2, gradient.square(), BETAS[1]);
        let time = time + 1;
        let corrected = |moment: &Tensor<D>, beta| corrected(moment.clone(), beta, time, &verdict);
        let update = corrected(&first, BETAS[0])
            .div(corrected(&second, BETAS[1]).sqrt().add_scalar(EPSILON));
        let decay = rate * self.weight_decay;
        let weights = verdict.change(weights, |weights| {
            let decayed = if decay == 0.0 { weights } else { weights.mul_scalar(1.0 - decay) };
            decayed - update.mul_scalar(rate)
        });
        let state = AdamWState::new(AdaptiveMomentumState::new(time, first, second));
        (weights, Some(ReadOnHost(state)))
    }

    fn to_device<const D: usize>(mut state: Self::State<D>, device: &Device) -> Self::State<D> {
        state.0.momentum = state.0.momentum.to_device(device);
        state
    }
}

/// A moment without its bias towards the zero that it began with.
fn corrected<const D: usize>(
    moment: Tensor<D>,
    beta: f32,
    time: usize,
    verdict: &Verdict,
) -> Tensor<D> {
    match &verdict.skipped_before {
        Count::Number(skipped) => {
            let taken = time.saturating_sub(*skipped).max(1);
            moment.div_scalar(1.0 - beta.powi(taken as i32))
        }
        Count::Tensor(skipped) => {
            let taken = skipped.clone().neg().add_scalar(time as f32).clamp_min(1.0);
            let power = Tensor::full([1], beta, &taken.device()).powf(taken);
            moment / power.neg().add_scalar(1.0).unsqueeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    const LIMIT: f32 = 2.0;

    fn vector(values: [f32; 2]) -> Tensor<1> {
        Tensor::from_data(TensorData::from(values), &Device::flex())
    }

    fn norm(gradient: [f32; 2]) -> f32 {
        gradient.iter().map(|value| value * value).sum::<f32>().sqrt()
    }

    /// Weights after some steps, each with the verdict on its gradient.
    fn trained(steps: impl IntoIterator<Item = ([f32; 2], Verdict)>) -> [f32; 2] {
        let verdict = Current::new();
        let adamw = AdamW { weight_decay: 1e-2, verdict: verdict.clone() };
        let (mut weights, mut state) = (vector([1.0, -2.0]), None);
        for (gradient, of_step) in steps {
            verdict.set(of_step);
            (weights, state) = adamw.step(0.1, weights, vector(gradient), state);
        }
        weights.into_data().try_to_vec::<f32>().unwrap().try_into().unwrap()
    }

    /// A step that the device skips changes neither weights nor moments nor the number of steps.
    #[test]
    fn a_skipped_step_is_as_if_it_had_not_been() {
        let gradients = [[0.3, -4.0], [f32::NAN, 1.0], [-0.7, 0.2]];
        let here = |gradient| Verdict::of_number(norm(gradient), LIMIT, Count::Number(0));
        let whole = trained([gradients[0], gradients[2]].map(|it| (it, here(it))));
        let one = |number: f32| Tensor::from_data(TensorData::from([number]), &Device::flex());
        let mut skipped = 0.0;
        let there = gradients.map(|gradient| {
            let norm = one(norm(gradient));
            let sound = norm.clone().is_finite();
            let verdict = Verdict::of_tensor(norm, LIMIT, sound, Count::Tensor(one(skipped)));
            skipped += f32::from(u8::from(gradient[0].is_nan()));
            (gradient, verdict)
        });
        for (left, right) in trained(there).into_iter().zip(whole) {
            assert!((left - right).abs() < 1e-6, "{left} {right}");
        }
        // Also where it is the first.
        let first = trained([
            (
                gradients[1],
                Verdict::of_tensor(
                    one(f32::NAN),
                    LIMIT,
                    one(f32::NAN).is_finite(),
                    Count::Tensor(one(0.0)),
                ),
            ),
            (
                gradients[0],
                Verdict::of_tensor(
                    one(norm(gradients[0])),
                    LIMIT,
                    one(1.0).is_finite(),
                    Count::Tensor(one(1.0)),
                ),
            ),
        ]);
        let alone = trained([(gradients[0], here(gradients[0]))]);
        assert!(first.iter().zip(alone).all(|(left, right)| (left - right).abs() < 1e-6));
    }
}
