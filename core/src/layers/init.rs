//! How new weights are drawn, as in the code that the official model builds on.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig,
};
use burn::tensor::{Device, Tensor};

/// Standard deviation of new embeddings (Hugging Face's default `initializer_range`).
const TRANSFORMER_STD: f64 = 0.02;

/// A linear layer of a transformer: normal weights of standard deviation `std`, zero bias.
pub fn transformer_linear(
    [input, output]: [usize; 2],
    bias: bool,
    std: f64,
    device: &Device,
) -> Linear {
    let initializer = Initializer::Normal { mean: 0.0, std };
    let mut linear = LinearConfig::new(input, output)
        .with_bias(false)
        .with_initializer(initializer)
        .init(device);
    linear.bias = bias.then(|| Initializer::Zeros.init([output], device));
    linear
}

/// A head layer as the official code draws it: Xavier uniform weights, zero bias.
pub fn xavier_linear(input: usize, output: usize, device: &Device) -> Linear {
    let initializer = Initializer::XavierUniform { gain: 1.0 };
    let mut linear = LinearConfig::new(input, output)
        .with_bias(false)
        .with_initializer(initializer)
        .init(device);
    linear.bias = Some(Initializer::Zeros.init([output], device));
    linear
}

/// A linear layer with PyTorch's default draw, uniform in ±1/sqrt(input).
pub fn default_linear(input: usize, output: usize, bias: bool, device: &Device) -> Linear {
    LinearConfig::new(input, output).with_bias(bias).init(device)
}

/// The convolution that turns pixels into patch tokens: normal weights, zero bias.
pub fn patch_convolution(patch: usize, width: usize, device: &Device) -> Conv2d {
    let mut convolution = Conv2dConfig::new([3, width], [patch, patch])
        .with_stride([patch, patch])
        .with_bias(false)
        .with_initializer(Initializer::Normal { mean: 0.0, std: TRANSFORMER_STD })
        .init(device);
    convolution.bias = Some(Initializer::Zeros.init([width], device));
    convolution
}

/// An embedding table of a transformer.
pub fn transformer_embedding(rows: usize, width: usize, device: &Device) -> Embedding {
    EmbeddingConfig::new(rows, width)
        .with_initializer(Initializer::Normal { mean: 0.0, std: TRANSFORMER_STD })
        .init(device)
}

/// A free parameter of a transformer (class token, position table).
pub fn transformer_parameter<const D: usize>(
    shape: [usize; D],
    device: &Device,
) -> Param<Tensor<D>> {
    Initializer::Normal { mean: 0.0, std: TRANSFORMER_STD }.init(shape, device)
}

/// A layer norm over the last dimension.
pub fn layer_norm(width: usize, epsilon: f64, device: &Device) -> LayerNorm {
    LayerNormConfig::new(width).with_epsilon(epsilon).init(device)
}
