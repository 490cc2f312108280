//! `cargo xtask cuda`: the CUDA build.

pub mod check;

mod cases;
mod dataset;
mod parallel;
mod ptxas;
mod record;
mod table;
mod tools;
