//! Parity with the official code: every fixture of `tests/fixtures/parity`, or of the
//! folder in `AVSE_PARITY_DIR`, on the CPU and on a software Vulkan adapter.

#![allow(clippy::unwrap_used)]

mod aeom;
mod avse;
mod checkpoint;
mod compare;
mod devices;
mod fixture;
#[path = "../../../tests/support/left_out.rs"]
mod left_out;
mod metrics;
mod pooling;
mod preprocess;
mod tokenization;
mod towers;
