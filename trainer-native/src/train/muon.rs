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

    /// When the device skips a step, the weights stay, but Burn's momentum still decays. So this is used only where a
    /// skipped step ends the run.
    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let (verdict, gradient) = self.verdict.judge(gradient);
        let gradient = match &verdict.skipped {
            None => gradient,
            Some(skipped) => gradient.mask_fill(skipped.clone().unsqueeze(), 0.0),
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
