//! Reading of fixtures.

use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

/// One fixture: `X.json` and `X.safetensors`.
pub struct Fixture {
    /// Configuration, shapes and expected values.
    pub json: serde_json::Value,
    bytes: Vec<u8>,
}

impl Fixture {
    /// Opens a fixture by name.
    pub fn open(name: &str) -> Self {
        let read = |extension: &str| {
            let path = Self::path(&format!("{name}.{extension}"));
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let json = serde_json::from_slice(&read("json")).unwrap();
        Self { json, bytes: read("safetensors") }
    }

    /// A file in the folder of fixtures.
    pub fn path(file: &str) -> PathBuf {
        let standard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/parity");
        std::env::var_os("AVSE_PARITY_DIR").map_or(standard, PathBuf::from).join(file)
    }

    /// A float tensor: values and shape.
    pub fn f32(&self, name: &str) -> (Vec<f32>, Vec<usize>) {
        let (data, shape) = self.tensor(name, Dtype::F32);
        (data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(), shape)
    }

    /// An integer tensor: values and shape.
    pub fn i64(&self, name: &str) -> (Vec<i64>, Vec<usize>) {
        let (data, shape) = self.tensor(name, Dtype::I64);
        (data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect(), shape)
    }

    fn tensor(&self, name: &str, dtype: Dtype) -> (Vec<u8>, Vec<usize>) {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let tensor = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(tensor.dtype(), dtype, "{name}");
        (tensor.data().to_vec(), tensor.shape().to_vec())
    }
}
