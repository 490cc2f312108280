//! The similarity on a GPU against plain computation, on whatever adapter there is: a software
//! one (llvmpipe, SwiftShader) will do. Without any the tests say so and pass, but fail
//! where `CI` is `true`.
#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used)]

mod device;
mod int8;
#[path = "../../../tests/support/left_out.rs"]
mod left_out;
mod matrix;
mod normalise;
mod plain;
mod search;
mod setup;
