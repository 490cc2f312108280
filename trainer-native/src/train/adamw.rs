//! AdamW (Loshchilov and Hutter, 2019) that obeys a [`Verdict`].
//!
//! Burn's own knows the number of steps on the host only, and has no step that leaves no trace. The state, and so
//! its record, is Burn's.

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
        let verdict = self.verdict.get();
        let gradient = verdict.factor.times(gradient);
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
    match &verdict.left_out_before {
        Count::Number(left_out) => {
            let taken = time.saturating_sub(*left_out).max(1);
            moment.div_scalar(1.0 - beta.powi(taken as i32))
        }
        Count::Tensor(left_out) => {
            let taken = left_out.clone().neg().add_scalar(time as f32);
            let power = Tensor::full([1], beta, &taken.device()).powf(taken);
            moment / power.neg().add_scalar(1.0).unsqueeze()
        }
    }
}
