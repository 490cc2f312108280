//! Comparisons with a recorded tensor.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use avse_core::weights::{Naming, StateDict, load_into};

use super::fixture::Fixture;

/// Tolerances of the project's design, absolute but for gradients.
pub const TOWER: f32 = 2e-4;
pub const EMBEDDING: f32 = 1e-4;
pub const SCORE: f32 = 1e-5;
pub const GRADIENT_RELATIVE: f32 = 1e-3;

impl Fixture {
    /// A recorded float tensor on `device`.
    pub fn tensor_on<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let (values, shape) = self.f32(name);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Recorded token ids on `device`.
    pub fn ids_on(&self, name: &str, device: &Device) -> Tensor<2, Int> {
        let (values, shape) = self.i64(name);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Recorded integers as sizes.
    pub fn sizes(&self, name: &str) -> Vec<usize> {
        self.i64(name).0.into_iter().map(|v| v as usize).collect()
    }

    /// All tensors whose names start with `prefix`, without it.
    pub fn weights(&self, prefix: &str) -> StateDict {
        let mut weights = StateDict::new();
        let tensors = self.json["tensors"].as_object().expect("`tensors`");
        for (name, about) in tensors {
            let Some(rest) = name.strip_prefix(prefix) else { continue };
            let data = if about["dtype"] == "int64" {
                let (values, shape) = self.i64(name);
                TensorData::new(values, shape)
            } else {
                let (values, shape) = self.f32(name);
                TensorData::new(values, shape)
            };
            weights.insert(rest, data);
        }
        weights
    }

    /// Puts the fixture's weights `w.*` into `module`; also a parameter's name, whose gradient is compared
    /// later, comes from this naming.
    pub fn load<M: Module>(&self, module: M, naming: Naming) -> M {
        load_into(module, self.weights("w."), naming).unwrap_or_else(|e| panic!("{e}")).0
    }

    /// Asserts that `actual` equals the recorded tensor within `tolerance`, absolutely.
    #[track_caller]
    pub fn assert_close<const D: usize>(&self, name: &str, actual: Tensor<D>, tolerance: f32) {
        let (expected, shape) = self.f32(name);
        assert_eq!(actual.dims().to_vec(), shape, "shape of {name}");
        let actual: Vec<f32> = actual.into_data().convert::<f32>().try_to_vec().unwrap();
        assert_close(name, &actual, &expected, tolerance);
    }
}

/// Asserts elementwise equality within `tolerance`.
#[track_caller]
pub fn assert_close(name: &str, actual: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(actual.len(), expected.len(), "length of {name}");
    let worst = actual
        .iter()
        .zip(expected)
        .map(|(a, e)| if a.is_finite() { (a - e).abs() } else { f32::INFINITY })
        .fold(0.0, f32::max);
    assert!(worst <= tolerance, "{name}: largest difference {worst:e}, allowed {tolerance:e}");
}

/// `|a - e| / |e|` over whole tensors.
pub fn relative_l2(actual: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(actual.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference =
        norm(&mut actual.iter().zip(expected).map(|(a, e)| f64::from(*a) - f64::from(*e)));
    (difference / norm(&mut expected.iter().map(|e| f64::from(*e)))) as f32
}
