//! A stand-in for NVIDIA's driver library (`libcuda.so`) and NCCL (`libnccl.so`) on machines without a GPU.
//!
//! Memory of its GPUs is memory of the process, copies copy, streams and events do nothing, and launches are
//! checked as the driver checks them, counted, and not run. The PTX of every module is written to a folder, for
//! `ptxas` to assemble. What it is good for and what not stands in tests/README.md; README.md beside
//! Cargo.toml lists its settings and its records.

pub mod device;
mod driver;
pub mod error;
pub mod launch;
pub mod machine;
pub mod memory;
mod nccl;
mod number;
pub mod ptx;
pub mod record;
pub mod settings;
mod system;
pub mod tensor_map;
pub mod ticket;
