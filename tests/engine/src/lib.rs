//! The source files of `avse-core` that hold the similarity engine of the CPU, with their unit tests.

// Outside of the core nobody calls some of it.
#![allow(dead_code, unused_imports)]

#[path = "../../../core/src/error.rs"]
mod error;
#[path = "../../../core/src/metrics/mod.rs"]
mod metrics;
mod similarity;

use error::{Error, Result};
