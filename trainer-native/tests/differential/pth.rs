//! PyTorch files, beside PyTorch.

use std::collections::BTreeMap;
use std::io::Cursor;

use avse_core::weights::{Checkpoint, StateDict};
use burn::tensor::DType;

use crate::case::{Case, Outcome};
use crate::torch_types::torch_name;

/// Type, shape and bytes in hexadecimal digits of each tensor.
pub type Tensors = BTreeMap<String, (String, Vec<usize>, String)>;

pub fn check(case: &Case) -> Outcome {
    let bytes = std::fs::read(&case.input).unwrap();
    let ours = Checkpoint::from_torch(Cursor::new(bytes), &case.input);
    let name = |dtype| torch_name(dtype).unwrap_or("none of PyTorch's");
    compared(case, ours.map(|checkpoint| checkpoint.weights), name)
}

/// The outcome for tensors, or for a message.
pub fn compared(
    case: &Case,
    ours: avse_core::Result<StateDict>,
    name: fn(DType) -> &'static str,
) -> Outcome {
    let described = |weights: StateDict| {
        weights
            .iter()
            .map(|(key, data)| {
                let hex = data.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                let dtype = name(data.dtype()).to_owned();
                (key.to_owned(), (dtype, data.shape().to_vec(), hex))
            })
            .collect::<Tensors>()
    };
    let expected = case.expected.clone().map(|json| serde_json::from_value(json).unwrap());
    Outcome::of(ours.map(described).map_err(|e| e.to_string()), expected)
}
