//! Loops over rows, compiled for the widest vectors that the processor has.

use crate::config::Activation;

/// Runs `work` compiled with the processor's vector instructions; what it calls must be
/// inlined to profit.
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Numbers added side by side, so that a sum becomes vector additions.
const LANES: usize = 16;

/// `sum(f(a[i], b[i]))`.
#[inline(always)]
fn reduce(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let ((left, left_rest), (right, right_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (x, y) in left.iter().zip(right) {
        for at in 0..LANES {
            lanes[at] += f(x[at], y[at]);
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(x, y)| f(*x, *y)).sum();
    lanes.iter().sum::<f32>() + rest
}

/// `e^x` to about 1 ulp of f32 for `x <= 88`; 0 to within 1e-37 below -87.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // x = n ln 2 + r with |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let series = 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let series = series * r + 1.0;
    let series = series * r + 1.0;
    let power = (shifted.to_bits().wrapping_add(127)) << 23;
    series * f32::from_bits(power)
}

/// `(erf(x / sqrt 2), e^(-x^2 / 2))`; erf by Abramowitz and Stegun 7.1.26, within 2e-7.
#[inline(always)]
fn erf_and_density(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let density = exp(-z * z);
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let series = 1.061_405_4;
    let series = series * t - 1.453_152;
    let series = series * t + 1.421_413_7;
    let series = series * t - 0.284_496_74;
    let series = series * t + 0.254_829_6;
    ((1.0 - series * t * density).copysign(x), density)
}

/// `(w, w')` of the tanh form `x w(x)`: `w(x) = (1 + tanh u) / 2 = 1 / (1 + e^(-2u))` with
/// `u = sqrt(2 / pi) (x + 0.044715 x^3)`.
#[inline(always)]
fn tanh_weight(x: f32) -> (f32, f32) {
    const TWICE_SCALE: f32 = 1.595_769; // 2 sqrt(2 / pi)
    const CUBIC: f32 = 0.044_715;
    let square = x * x;
    let decay = exp(-(TWICE_SCALE * x * (1.0 + CUBIC * square)).abs());
    let larger = 1.0 / (1.0 + decay);
    let smaller = decay * larger;
    let weight = if x > 0.0 { larger } else { smaller };
    (weight, larger * smaller * TWICE_SCALE * (1.0 + 3.0 * CUBIC * square))
}

/// `activated = activation(inner)`.
pub fn activate(activation: Activation, inner: &[f32], activated: &mut [f32]) {
    vectorised(|| match activation {
        Activation::Relu => {
            for (out, x) in activated.iter_mut().zip(inner) {
                *out = x.max(0.0);
            }
        }
        Activation::Gelu => {
            for (out, &x) in activated.iter_mut().zip(inner) {
                *out = 0.5 * x * (1.0 + erf_and_density(x).0);
            }
        }
        Activation::GeluTanh => {
            for (out, &x) in activated.iter_mut().zip(inner) {
                *out = x * tanh_weight(x).0;
            }
        }
    });
}

/// `gradient *= activation'(inner)`.
pub fn activate_backward(activation: Activation, inner: &[f32], gradient: &mut [f32]) {
    const DENSITY: f32 = 0.398_942_3; // 1 / sqrt(2 pi)
    vectorised(|| match activation {
        Activation::Relu => {
            for (gradient, x) in gradient.iter_mut().zip(inner) {
                *gradient = if *x > 0.0 { *gradient } else { 0.0 };
            }
        }
        Activation::Gelu => {
            for (gradient, &x) in gradient.iter_mut().zip(inner) {
                let (erf, density) = erf_and_density(x);
                *gradient *= 0.5 * (1.0 + erf) + x * density * DENSITY;
            }
        }
        Activation::GeluTanh => {
            for (gradient, &x) in gradient.iter_mut().zip(inner) {
                let (weight, growth) = tanh_weight(x);
                *gradient *= weight + x * growth;
            }
        }
    });
}

/// Layer norm of every row.
pub fn norm(input: &[f32], [gamma, beta]: [&[f32]; 2], epsilon: f32, output: &mut [f32]) {
    let width = gamma.len();
    vectorised(|| {
        for (row, out) in input.chunks_exact(width).zip(output.chunks_exact_mut(width)) {
            let (mean, scale) = mean_and_scale(row, epsilon);
            for at in 0..width {
                out[at] = (row[at] - mean) * scale * gamma[at] + beta[at];
            }
        }
    });
}

#[inline(always)]
fn mean_and_scale(row: &[f32], epsilon: f32) -> (f32, f32) {
    let width = row.len() as f32;
    let mean = reduce(row, row, |x, _| x) / width;
    let variance = reduce(row, row, |x, _| (x - mean) * (x - mean)) / width;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// What the backward pass of a layer norm needs beside the gradient.
pub struct NormBackward<'a> {
    /// What was normalised.
    pub input: &'a [f32],
    /// Its gamma.
    pub gamma: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
}

impl NormBackward<'_> {
    /// Turns the gradient of the output into that of the input, in place, and adds to the
    /// parameters' gradients.
    pub fn run(&self, gradient: &mut [f32], [d_gamma, d_beta]: [&mut [f32]; 2]) {
        let width = self.gamma.len();
        vectorised(|| {
            let rows = self.input.chunks_exact(width).zip(gradient.chunks_exact_mut(width));
            for (row, gradient) in rows {
                let (mean, scale) = mean_and_scale(row, self.epsilon);
                for at in 0..width {
                    d_gamma[at] += gradient[at] * (row[at] - mean) * scale;
                    d_beta[at] += gradient[at];
                    gradient[at] *= self.gamma[at];
                }
                let count = width as f32;
                let plain = reduce(gradient, gradient, |g, _| g) / count;
                let along = reduce(gradient, row, |g, x| g * (x - mean)) * scale * scale / count;
                for at in 0..width {
                    gradient[at] = (gradient[at] - plain - (row[at] - mean) * along) * scale;
                }
            }
        });
    }
}

/// Softmax of the first `keys` numbers of every row of `width`; the rest becomes 0.
pub fn softmax(rows: &mut [f32], width: usize, keys: usize) {
    vectorised(|| {
        for row in rows.chunks_exact_mut(width) {
            let (row, beyond) = row.split_at_mut(keys);
            beyond.fill(0.0);
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for x in row.iter_mut() {
                *x = exp(*x - largest);
            }
            let scale = 1.0 / reduce(row, row, |x, _| x);
            for x in row.iter_mut() {
                *x *= scale;
            }
        }
    });
}

/// `gradient = (gradient - sum(gradient * weights)) * weights * scale` of every row.
pub fn softmax_backward(weights: &[f32], gradient: &mut [f32], width: usize, scale: f32) {
    vectorised(|| {
        let rows = weights.chunks_exact(width).zip(gradient.chunks_exact_mut(width));
        for (weights, gradient) in rows {
            let mean = reduce(weights, gradient, |w, g| w * g);
            for (g, w) in gradient.iter_mut().zip(weights) {
                *g = (*g - mean) * w * scale;
            }
        }
    });
}

/// `sum += values`.
#[inline(always)]
pub fn add(values: &[f32], sum: &mut [f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}
