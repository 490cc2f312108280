//! A network whose parameters are the gradients of another's, so that gradients have the names of weights.

use burn::module::{ModuleMapper, Param};
use burn::tensor::{Gradients, Tensor};

/// Replaces every parameter by its gradient, zero where it has none.
pub struct GradientsAsWeights<'a> {
    pub gradients: &'a Gradients,
}

impl ModuleMapper for GradientsAsWeights<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradients = self.gradients;
        param.map(|tensor| match tensor.grad(gradients) {
            Some(gradient) => gradient,
            None => tensor.inner().zeros_like(),
        })
    }
}
