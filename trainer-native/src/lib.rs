//! Training, evaluation and data preparation of AVSE on native machines: the
//! library behind the `avse` command.

pub mod allocator;
pub mod bench;
pub mod commands;
pub mod data;
pub mod demo;
pub mod device;
pub mod doctor;
mod error;
pub mod evaluate;
pub mod export;
mod files;
pub mod gallery;
pub mod hub;
mod json_entries;
pub mod leave;
pub mod machine;
pub mod pretrained;
mod program;
mod progress;
pub mod reading;
pub mod report;
pub mod runs;
mod scores;
mod terminal;
pub mod train;

pub use error::{Error, Result};
pub use program::{prepare, run};
