//! Layer norm in single precision.

use burn::nn::LayerNorm;
use burn::tensor::{FloatDType, Tensor};

/// `norm(tokens)` with its sums in f32, whatever the tokens are: squares of activations leave
/// the range of f16. The norm's own weights stay f32; the result has the tokens' type.
pub fn normalise<const D: usize>(norm: &LayerNorm, tokens: Tensor<D>) -> Tensor<D> {
    let dtype = FloatDType::from(tokens.dtype());
    match dtype {
        FloatDType::F16 | FloatDType::BF16 => {
            norm.forward(tokens.cast(FloatDType::F32)).cast(dtype)
        }
        _ => norm.forward(tokens),
    }
}
