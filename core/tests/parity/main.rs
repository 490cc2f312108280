//! Parity with the official code: every fixture of `tests/fixtures/parity`, or of the
//! folder in `AVSE_PARITY_DIR`, on the CPU, on a Vulkan adapter (a
//! software one will do) and on CUDA. `AVSE_PARITY_REPORT` names a file for each tensor's error.

#![allow(clippy::unwrap_used)]

mod aeom;
mod avse;
mod checkpoint;
mod compare;
#[path = "../../../tests/support/comparisons.rs"]
mod comparisons;
mod devices;
mod fixture;
mod gelu;
#[path = "../../../tests/support/gpus.rs"]
mod gpus;
#[path = "../../../tests/support/gradients.rs"]
mod gradients;
#[path = "../../../tests/support/left_out.rs"]
mod left_out;
mod metrics;
mod pooling;
mod preprocess;
mod tokenization;
mod towers;
mod training;
