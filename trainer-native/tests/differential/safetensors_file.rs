//! safetensors files, beside the format's own library.

use avse_core::weights::StateDict;
use burn::tensor::DType;

use crate::case::{Case, Outcome};
use crate::pth::compared;

pub fn check(case: &Case) -> Outcome {
    let name = |dtype| match dtype {
        DType::F64 => "F64",
        DType::F32 => "F32",
        DType::F16 => "F16",
        DType::BF16 => "BF16",
        DType::I64 => "I64",
        DType::I32 => "I32",
        DType::I16 => "I16",
        DType::I8 => "I8",
        DType::U64 => "U64",
        DType::U32 => "U32",
        DType::U16 => "U16",
        DType::U8 => "U8",
        DType::Bool(_) => "BOOL",
        _ => "none of the format's",
    };
    compared(case, StateDict::read_safetensors(&case.input), name)
}
