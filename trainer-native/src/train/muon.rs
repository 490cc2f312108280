//! Burn's Muon, obeying a verdict.

use burn::optim::{LearningRate, Muon as BurnMuon, MuonState, Optimizer};
use burn::tensor::{Device, Tensor};

use super::moments::ReadOnHost;
use super::verdict::Current;

/// Momentum made orthogonal, for one weight matrix.
#[derive(Clone)]
pub struct Muon {
    /// What computes the update.
    pub muon: BurnMuon,
    /// What becomes of the gradients.
    pub verdict: Current,
}

impl Optimizer for Muon {
    type State<const D: usize> = ReadOnHost<MuonState<D>>;

    /// A step that the device leaves out changes no weights, but lets the momentum fade, which Burn keeps to
    /// itself: only a run that ends there may leave out a step in this way.
    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let verdict = self.verdict.get();
        let gradient = verdict.factor.times(gradient);
        let gradient = match &verdict.left_out {
            None => gradient,
            Some(left_out) => gradient.mask_fill(left_out.clone().unsqueeze(), 0.0),
        };
        let mut then = None;
        let weights = verdict.change(weights, |weights| {
            let (weights, state) = self.muon.step(rate, weights, gradient, state.map(|it| it.0));
            then = state.map(ReadOnHost);
            weights
        });
        (weights, then)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        ReadOnHost(BurnMuon::to_device(state.0, device))
    }
}
