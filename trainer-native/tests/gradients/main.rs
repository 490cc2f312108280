//! Gradients computed in pieces, by parts, in half precision and on several devices, against one graph.
#![allow(clippy::unwrap_used)]

mod gpu;
mod memory;
mod precision;
mod replicas;
mod setup;
