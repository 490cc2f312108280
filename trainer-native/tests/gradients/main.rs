//! Gradients computed in pieces, by parts, in half precision and on several devices, against one graph.
#![allow(clippy::unwrap_used)]

#[path = "../../../tests/support/comparisons.rs"]
mod comparisons;
mod gpu;
#[path = "../../../tests/support/gpus.rs"]
mod gpus;
#[path = "../../../tests/support/left_out.rs"]
mod left_out;
mod memory;
mod precision;
mod replicas;
mod setup;
