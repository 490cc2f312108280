//! A backbone run forwards without a graph, and its gradients computed afterwards.

use avse_core::AvseModel;
use avse_core::chain::{Chain, Map};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::sums::Sums;
use super::{backward, surrogate};
use crate::train::random::{derive, seeded};

/// One piece of a batch in one backbone.
pub struct Piece<C> {
    /// The backbone with the piece's inputs.
    pub chain: C,
    /// Seed of its draws; every part has its own, derived from it.
    pub seed: u64,
}

/// The network twice: to run it with a graph, and without.
pub struct Networks {
    /// Parameters are leaves.
    pub tracked: AvseModel,
    /// Nothing is tracked; dropout and batch statistics are as in training.
    pub frozen: AvseModel,
    /// The device of both.
    pub device: Device,
}

impl<C: Chain> Piece<C> {
    /// The tokens `[rows, T, D]` for the tower's head, in the network's type.
    pub fn forward(&self, model: &AvseModel, device: &Device) -> Tensor<3> {
        let parts = self.chain.parts(model);
        let first = self.first(model, device);
        (1..parts).fold(first, |map, part| self.part(model, device, part, map)).squeeze_dim(1)
    }

    /// The gradients of the parameters, added to `sums`, for `gradient` of the tokens.
    pub fn backward(&self, networks: &Networks, gradient: Tensor<3>, sums: &mut Sums) {
        let output = self.forward(&networks.tracked, &networks.device);
        sums.add(backward(output, gradient, &networks.tracked), &networks.tracked);
    }

    /// As [`Piece::backward`], with the graph of one part at a time: the maps between the
    /// parts are computed once more without a graph and kept, nothing else is.
    pub fn backward_by_parts(&self, networks: &Networks, gradient: Tensor<3>, sums: &mut Sums) {
        let Networks { tracked, frozen, device } = networks;
        let parts = self.chain.parts(frozen);
        let mut between: Vec<Map> = Vec::new();
        if parts > 1 {
            between.push(self.first(frozen, device).inner());
        }
        for part in 1..parts.saturating_sub(1) {
            let map = Tensor::from_inner(between[part - 1].clone());
            between.push(self.part(frozen, device, part, map).inner());
        }
        let mut gradient: Map = gradient.unsqueeze_dim(1);
        for part in (1..parts).rev() {
            let Some(map) = between.pop() else { break };
            let input = Tensor::from_inner(map).require_grad();
            let output = self.part(tracked, device, part, input.clone());
            let mut gradients = surrogate(output, gradient).backward();
            gradient = match input.grad_remove(&mut gradients) {
                Some(gradient) => gradient,
                // Nothing before this part has a share in the loss.
                None => return,
            };
            sums.add(GradientsParams::from_grads(gradients, tracked), tracked);
        }
        sums.add(backward(self.first(tracked, device), gradient, tracked), tracked);
    }

    fn first(&self, model: &AvseModel, device: &Device) -> Map {
        seeded(device, derive(self.seed, 0), || self.chain.first(model))
    }

    fn part(&self, model: &AvseModel, device: &Device, part: usize, map: Map) -> Map {
        seeded(device, derive(self.seed, part as u64), || self.chain.part(model, part, map))
    }
}
