//! Gradients computed in pieces, by parts, in half precision and on several devices, against one graph.

mod memory;
mod precision;
mod replicas;
mod setup;
