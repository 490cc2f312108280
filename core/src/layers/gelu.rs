//! GELU, exact and by tanh, each with the gradient of what it computes.
//!
//! Burn's `gelu` is the exact form, but off the CPU its gradient is that of the tanh form, up to 9e-4
//! beside the true slope (`docs/burn-gelu-backward.md`); and in half precision it evaluates the error function in half
//! precision. Here the slope is computed together with the value, in f32, and kept for the backward pass in place of
//! the input: one tensor of the input's type and size, and the backward pass is one multiplication. On a GPU backend all of it is
//! one kernel, in whose registers everything else stays.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::tensor::{DType, FloatDType, Tensor, activation};

use crate::is_cpu;

/// `sqrt(2 / pi)`: twice the normal density at 0, and what the tanh form scales by.
const SCALE: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
/// The tanh form's cubic term.
const CUBIC: f64 = 0.044715;

/// `x (1 + erf(x / sqrt 2)) / 2` of every element, whatever the shape and the float type.
pub fn gelu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    // Burn's is exact there, and one pass over memory either way.
    if is_cpu(&input.device()) {
        return activation::gelu(input);
    }
    weighted(
        input,
        |x| (x * FRAC_1_SQRT_2).erf() * 0.5 + 0.5,
        |x| (x.square() * -0.5).exp() * (SCALE / 2.0),
    )
}

/// `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2` of every element, whatever the shape and the float
/// type.
pub fn gelu_tanh<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    fn argument<const D: usize>(x: Tensor<D>) -> Tensor<D> {
        x.clone() * (x.square() * CUBIC + 1.0) * SCALE
    }
    weighted(
        input,
        |x| argument(x).tanh() * 0.5 + 0.5,
        // (1 - tanh^2 u) / 2 = 2 e / (1 + e)^2 with e = exp(-2 |u|): `1 - tanh^2` would cancel.
        |x| {
            let decay = (argument(x.clone()).abs() * -2.0).exp();
            let slope = decay.clone() / (decay + 1.0).square();
            slope * (x.square() * (3.0 * CUBIC) + 1.0) * (2.0 * SCALE)
        },
    )
}

/// `x weight(x)`; `growth` is the slope of the weight.
fn weighted<const D: usize>(
    input: Tensor<D>,
    weight: impl Fn(Tensor<D>) -> Tensor<D>,
    growth: impl Fn(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    let dtype = FloatDType::from(input.dtype());
    let plain = input.clone().inner();
    // Fewer bits would lose `1 + erf` of negative numbers, and the products of the slope.
    let x = if plain.dtype() == DType::F64 { plain } else { plain.cast(FloatDType::F32) };
    let weight = weight(x.clone());
    let value = (x.clone() * weight.clone()).cast(dtype);
    if !input.device().is_autodiff() {
        return value;
    }
    let slope = (weight + x.clone() * growth(x)).cast(dtype);
    // The value, whose only dependence on the input is a straight line through zero with that slope.
    let zero = input.clone() - Tensor::from_inner(input.inner());
    zero * Tensor::from_inner(slope) + Tensor::from_inner(value)
}
