//! The source files of `avse-core` that hold the similarity engine of the CPU, with their unit tests.

// Outside of the core nobody calls some of it.
#![allow(dead_code, unused_imports)]

// `RUSTFLAGS` in the environment overrides what `cargo xtask kernels` sets.
#[cfg(all(target_arch = "wasm32", not(target_feature = "simd128")))]
compile_error!("without simd128 the WebAssembly kernels are left out, and with them their tests");

#[path = "../../../core/src/error.rs"]
mod error;
#[path = "../../../core/src/metrics/mod.rs"]
mod metrics;
// Errors show paths by it.
#[path = "../../../core/src/input/shown.rs"]
mod shown;
mod similarity;

/// As the core calls it.
mod input {
    pub use crate::shown::shown_path;
}

use error::{Error, Result};
