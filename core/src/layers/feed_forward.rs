//! The feed-forward part of a transformer block.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::gelu::{gelu, gelu_tanh};
use super::init::transformer_linear;
use crate::config::Activation;

/// Sizes of a [`FeedForward`] part.
#[derive(Clone, Copy, Debug)]
pub struct FeedForwardSizes {
    /// Token width.
    pub width: usize,
    /// Width between the two layers.
    pub inner: usize,
    /// Between the two layers.
    pub activation: Activation,
    /// Standard deviation of new weights.
    pub initializer_range: f64,
}

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
    pub fn new(sizes: FeedForwardSizes, device: &Device) -> Self {
        let FeedForwardSizes { width, inner, activation, initializer_range: std } = sizes;
        Self {
            expand: transformer_linear([width, inner], true, std, device),
            contract: transformer_linear([inner, width], true, std, device),
            activation,
        }
    }

    pub(crate) fn activation(&self) -> Activation {
        self.activation
    }

    /// `[.., D] -> [.., D]`.
    pub fn forward<const D: usize>(&self, tokens: Tensor<D>) -> Tensor<D> {
        let inner = self.expand.forward(tokens);
        self.contract.forward(match self.activation {
            Activation::Gelu => gelu(inner),
            Activation::GeluTanh => gelu_tanh(inner),
            Activation::Relu => relu(inner),
        })
    }
}
