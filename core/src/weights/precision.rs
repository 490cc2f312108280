//! How precisely weights are stored.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The precision in which floating-point weights are written.
///
/// Vectors (biases, norms, running statistics) are f32 in all of them: they are next to
/// nothing in size, and a running variance can leave the range of f16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: what is read back is bit for bit what was written.
    #[default]
    F32,
    /// 16-bit floats for tensors of two and more dimensions.
    F16,
    /// 8-bit integers for tensors of two and more dimensions, with a scale for each output
    /// row: no weight moves by more than half of its row's scale, which is 1/127 of the
    /// largest weight there.
    Int8,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        })
    }
}
