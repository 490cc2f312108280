//! Comparisons with a recorded tensor.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use avse_core::weights::{Naming, StateDict, load_into};

use super::comparisons::{largest, relative_l2};
use super::devices::Run;
use super::fixture::Fixture;

/// Tolerances of the project's design, absolute.
pub const TOWER: f64 = 2e-4;
pub const SCORE: f64 = 1e-5;

/// Those that depend on the device.
pub struct Tolerances {
    /// Embeddings and what is pooled for them, absolute.
    pub embedding: f64,
    /// Gradients, relative, in the L2 norm of the tensor.
    pub gradient: f64,
}

impl Tolerances {
    pub const CPU: Self = Self { embedding: 1e-5, gradient: 5e-5 };
    pub const GPU: Self = Self { embedding: 2e-5, gradient: 1e-4 };
}

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
}

impl Run {
    /// Compares a tensor with the recorded one, absolutely.
    #[track_caller]
    pub fn close<const D: usize>(
        &self,
        fixture: &Fixture,
        name: &str,
        actual: Tensor<D>,
        tolerance: f64,
    ) {
        let (expected, shape) = fixture.f32(name);
        assert_eq!(actual.dims().to_vec(), shape, "shape of {name}");
        self.comparisons.add(name, largest(&values(actual), &expected), tolerance);
    }

    /// The same of an embedding, or of what is pooled for one.
    #[track_caller]
    pub fn embedding<const D: usize>(&self, fixture: &Fixture, name: &str, actual: Tensor<D>) {
        self.close(fixture, name, actual, self.tolerances.embedding);
    }

    /// Compares a gradient with the recorded one, relative to its size.
    #[track_caller]
    pub fn gradient(&self, fixture: &Fixture, name: &str, actual: &[f32]) {
        let error = relative_l2(actual, &fixture.f32(name).0);
        self.comparisons.add(name, error, self.tolerances.gradient);
    }
}

/// A tensor's numbers.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().unwrap()
}
