//! The feed-forward part of a transformer block.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};

use super::init::transformer_linear;

/// `contract(gelu(expand(x)))` with the exact (erf) GELU.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// D -> inner width.
    pub expand: Linear,
    /// Inner width -> D.
    pub contract: Linear,
}

impl FeedForward {
    /// A new layer with random weights.
    pub fn new(width: usize, inner: usize, device: &Device) -> Self {
        Self {
            expand: transformer_linear(width, inner, true, device),
            contract: transformer_linear(inner, width, true, device),
        }
    }

    /// `[.., D] -> [.., D]`.
    pub fn forward<const D: usize>(&self, tokens: Tensor<D>) -> Tensor<D> {
        self.contract.forward(gelu(self.expand.forward(tokens)))
    }
}
