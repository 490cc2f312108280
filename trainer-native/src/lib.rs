//! Training, evaluation and data preparation of AVSE on native machines: the
//! library behind the `avse` command.

pub mod commands;
pub mod data;
mod error;
pub mod report;

pub use error::{Error, Result};
