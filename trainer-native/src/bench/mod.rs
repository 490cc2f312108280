//! Measurements of this build on this machine: the library behind `avse bench`.
//!
//! Each phase of the model runs in a process of its own ([`Job::run_in_child`]), so that its peak memory is
//! its own too. The similarity engine is measured in [`similarity`], the training loader in [`loader`], whole steps
//! and evaluations in [`training`], beside their peers.
//! [`GpuJob`] is one piece of work on any device.

mod child;
mod flops;
mod gpu;
pub mod loader;
mod memory;
mod peers;
mod phase;
mod report;
mod rows;
pub mod similarity;
pub mod training;
mod workload;

pub use child::own_program;
pub use gpu::{CollectiveCheck, Counted, GpuJob, GpuMeasurement, HeldMemory, check_collective};
pub use memory::{MemoryReport, TOLERANCE as MEMORY_TOLERANCE, memory};
pub use peers::{PEERS, Peer};
pub use phase::{CHILD_ARGUMENTS, Job, Measurement, Phase, Summary};
pub use report::Report;
pub use rows::merge_rows;
pub use workload::{VitSize, Workload};
