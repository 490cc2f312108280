//! The feed-forward part of a transformer block.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{gelu, relu};
use burn::tensor::{Device, Tensor};

use super::init::transformer_linear;
use crate::config::Activation;

/// `contract(activation(expand(x)))`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// D -> inner width.
    pub expand: Linear,
    /// Inner width -> D.
    pub contract: Linear,
    #[module(skip)]
    activation: Activation,
}

impl FeedForward {
    /// A new layer with random weights.
    pub fn new(width: usize, inner: usize, activation: Activation, device: &Device) -> Self {
        Self {
            expand: transformer_linear(width, inner, true, device),
            contract: transformer_linear(inner, width, true, device),
            activation,
        }
    }

    /// `[.., D] -> [.., D]`.
    pub fn forward<const D: usize>(&self, tokens: Tensor<D>) -> Tensor<D> {
        let inner = self.expand.forward(tokens);
        self.contract.forward(match self.activation {
            Activation::Gelu => gelu(inner),
            Activation::Relu => relu(inner),
        })
    }
}
