//! Whole encoder layers, and convolutions, as one operation on the CPU.
//!
//! Made of tensor operations, a layer writes every intermediate result to fresh memory, and on a
//! CPU moving them takes longer than the arithmetic. Here some sequences at a time go
//! through all of the layer while they are in the cache, forwards and backwards. The plain
//! layers are the oracle of this one (`tests.rs`), and what every other device runs.

// Without training nothing is computed backwards.
#![cfg_attr(not(feature = "training"), allow(dead_code))]

mod attention;
mod convolution;
mod convolve;
mod dropout;
mod elementwise;
#[cfg(feature = "training")]
mod graph;
pub mod host;
mod layer;
mod matrix;
mod operation;
mod parameters;
#[cfg(test)]
mod tests;

use burn::backend::Flex;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{DType, Distribution, Tensor};

use self::dropout::Mask;
use self::layer::Plan;
use self::parameters::{Pair, Parameters};
use super::{FeedForward, SelfAttention};

pub use self::convolve::{channels_last, convolve, convolve_normalised};
pub use self::layer::NormPlacement;

/// The parts of an encoder layer.
pub struct EncoderLayer<'a> {
    /// Self-attention.
    pub attention: &'a SelfAttention,
    /// Feed-forward part.
    pub feed_forward: &'a FeedForward,
    /// The first and the second norm.
    pub norms: [&'a LayerNorm; 2],
    /// Where they stand.
    pub placement: NormPlacement,
    /// Epsilon of both norms.
    pub epsilon: f64,
    /// Dropout of both residual branches in training.
    pub dropout: f64,
}

impl EncoderLayer<'_> {
    /// `[B, T, D] -> [B, T, D]`; keys beyond `lengths[b]` do not count. `None` when the layer
    /// is not one for this path: another device than `flex`, other numbers than f32, or a
    /// missing bias.
    pub fn forward(&self, tokens: &Tensor<3>, lengths: Option<&[usize]>) -> Option<Tensor<3>> {
        if tokens.dtype() != DType::F32 {
            return None;
        }
        let plan = |seed| self.plan(tokens.dims(), lengths, seed);
        #[cfg(feature = "training")]
        if tokens.device().is_autodiff() {
            use burn::backend::Autodiff;
            let primitive = tokens.clone().try_into_primitive::<Autodiff<Flex>>().ok()?;
            let parameters = self.parameters(
                |weight| weight.try_into_primitive::<Autodiff<Flex>>().ok(),
                |vector| vector.try_into_primitive::<Autodiff<Flex>>().ok(),
            )?;
            let plan = plan(self.seed(tokens));
            let output = graph::layer(plan, primitive, parameters);
            return Some(Tensor::from_primitive::<Autodiff<Flex>>(output));
        }
        let primitive = tokens.clone().try_into_primitive::<Flex>().ok()?;
        let parameters = self.parameters(
            |weight| weight.try_into_primitive::<Flex>().ok(),
            |vector| vector.try_into_primitive::<Flex>().ok(),
        )?;
        let output = operation::untracked(&plan(None), primitive, parameters);
        Some(Tensor::from_primitive::<Flex>(output))
    }

    /// What `weight` makes of weights and `vector` of everything else; `None` when one of them fails or a
    /// bias is missing.
    fn parameters<T>(
        &self,
        weight: impl Fn(Tensor<2>) -> Option<T>,
        vector: impl Fn(Tensor<1>) -> Option<T>,
    ) -> Option<Parameters<T>> {
        let linear = |layer: &Linear| {
            let bias = layer.bias.as_ref()?.val();
            Some(Pair { weight: weight(layer.weight.val())?, bias: vector(bias)? })
        };
        let norm = |norm: &LayerNorm| {
            let beta = norm.beta.as_ref()?.val();
            Some(Pair { weight: vector(norm.gamma.val())?, bias: vector(beta)? })
        };
        Some(Parameters {
            norm1: norm(self.norms[0])?,
            query: linear(&self.attention.query)?,
            key: linear(&self.attention.key)?,
            value: linear(&self.attention.value)?,
            output: linear(&self.attention.output)?,
            norm2: norm(self.norms[1])?,
            expand: linear(&self.feed_forward.expand)?,
            contract: linear(&self.feed_forward.contract)?,
        })
    }

    /// A seed from the device's own stream, when anything is dropped.
    fn seed(&self, tokens: &Tensor<3>) -> Option<u64> {
        if self.dropout == 0.0 && self.attention.dropout.prob == 0.0 {
            return None;
        }
        let uniform = Distribution::Uniform(0.0, 1.0);
        let draws = Tensor::<1>::random([2], uniform, &tokens.device()).into_data();
        let draws = draws.try_to_vec::<f32>().ok()?;
        let bits = |draw: f32| (f64::from(draw) * f64::from(1u32 << 24)) as u64;
        Some(draws.into_iter().fold(0, |seed, draw| seed << 24 | bits(draw)))
    }

    fn plan(
        &self,
        [_, length, width]: [usize; 3],
        lengths: Option<&[usize]>,
        seed: Option<u64>,
    ) -> Plan {
        let mask = |rate, stream| seed.and_then(|seed| Mask::new(rate, seed, stream));
        let attention_rate = self.attention.dropout.prob;
        Plan {
            length,
            width,
            inner: self.feed_forward.expand.weight.shape().dims::<2>()[1],
            heads: self.attention.heads(),
            placement: self.placement,
            activation: self.feed_forward.activation(),
            epsilon: self.epsilon as f32,
            lengths: lengths.map(|lengths| lengths.iter().map(|l| (*l).min(length)).collect()),
            attention_dropout: mask(attention_rate, 0),
            attended_dropout: mask(self.dropout, 1),
            fed_dropout: mask(self.dropout, 2),
        }
    }
}
