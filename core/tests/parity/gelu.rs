//! Both forms of GELU against their definitions in f64: values, and gradients, which Burn's own `gelu` gets
//! wrong by 9e-4 on GPU backends.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::tensor::{DType, FloatDType, Tensor, TensorData};

use avse_core::layers::{gelu, gelu_tanh};

use super::compare::values;
use super::devices::{Run, on_each_device};

/// `(value, slope)` of a form at one point.
type Reference = fn(f64) -> (f64, f64);

/// How numbers of a type are compared: `|actual - expected| / max(|expected|, floor)`.
struct Precision {
    dtype: FloatDType,
    floor: f64,
    tolerance: f64,
}

const PRECISIONS: [Precision; 3] = [
    Precision { dtype: FloatDType::F32, floor: 1.0, tolerance: 1e-6 },
    // The slope and its product with the gradient are rounded once each, by 2^-11 and 2^-8 at most.
    Precision { dtype: FloatDType::F16, floor: 1e-3, tolerance: 1.1e-3 },
    Precision { dtype: FloatDType::BF16, floor: 1e-3, tolerance: 8e-3 },
];

pub fn exact_form() {
    on_each_device(|run| compare(run, gelu, exact));
}

pub fn tanh_form() {
    on_each_device(|run| compare(run, gelu_tanh, by_tanh));
}

fn compare(run: &Run, form: fn(Tensor<1>) -> Tensor<1>, reference: Reference) {
    for Precision { dtype, floor, tolerance } in PRECISIONS {
        if !run.device.supports_dtype(DType::from(dtype)) {
            continue;
        }
        let device = &run.device.clone().autodiff();
        let on_device = |values: Vec<f32>| {
            let count = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [count]), device).cast(dtype)
        };
        let input = on_device(points()).require_grad();
        let upstream = on_device(points().iter().map(|x| 1.0 + 0.5 * x.sin()).collect());
        let output = form(input.clone());
        assert_eq!(output.dtype(), DType::from(dtype));
        let gradients = (output.clone() * upstream.clone()).sum().backward();
        let gradient = values(input.grad(&gradients).unwrap());
        let output = values(output);

        // As they were rounded to the type.
        let (input, upstream) = (values(input), values(upstream));
        let expected = input.iter().map(|x| reference(f64::from(*x)));
        let mut worst = [0f64; 2];
        for (at, (value, slope)) in expected.enumerate() {
            let pairs = [(output[at], value), (gradient[at], slope * f64::from(upstream[at]))];
            for (worst, (actual, expected)) in worst.iter_mut().zip(pairs) {
                let error = (f64::from(actual) - expected).abs() / expected.abs().max(floor);
                *worst = if error.is_finite() { worst.max(error) } else { f64::INFINITY };
            }
        }
        for (what, error) in ["value", "gradient"].into_iter().zip(worst) {
            run.comparisons.add(&format!("{what} in {dtype:?}"), error, tolerance);
        }
    }
}

/// Dense where the curve bends, and far out.
fn points() -> Vec<f32> {
    let near = (-1200..=1200).map(|step| step as f32 / 100.0);
    let far = [1e-20, 1e-3, 20.0, 50.0, 1e3, 1e4].into_iter().flat_map(|x| [x, -x]);
    near.chain(far).collect()
}

fn exact(x: f64) -> (f64, f64) {
    let density = FRAC_2_SQRT_PI * FRAC_1_SQRT_2 / 2.0 * (-x * x / 2.0).exp();
    // 1/2 + density (x + x^3/3 + x^5/(3 5) + ..), whose terms all have one sign.
    let mut term = x;
    let mut sum = 0.0;
    for n in 1..400 {
        sum += term;
        term *= x * x / f64::from(2 * n + 1);
    }
    let share = match x.abs() < 8.0 {
        true => 0.5 + density * sum,
        false if x > 0.0 => 1.0,
        false => 0.0,
    };
    (x * share, share + x * density)
}

fn by_tanh(x: f64) -> (f64, f64) {
    let scale = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
    let tanh = (scale * (x + 0.044715 * x.powi(3))).tanh();
    let growth = (1.0 - tanh * tanh) * scale * (1.0 + 3.0 * 0.044715 * x * x);
    (x * (1.0 + tanh) / 2.0, (1.0 + tanh + x * growth) / 2.0)
}
