//! The command line: one file per subcommand.

mod convert;
mod data;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::Result;

/// Image-text retrieval with asymmetric visual semantic embedding.
#[derive(Debug, Parser)]
#[command(name = "avse", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the emoji set, or check a dataset.
    Data(data::Args),
    /// Turn weights from one form into another.
    Convert(convert::Args),
}

impl Cli {
    /// Runs the chosen subcommand; the exit code is that of the process.
    ///
    /// # Errors
    /// Whatever stopped the subcommand, in words for its user.
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Data(args) => args.run(),
            Command::Convert(args) => args.run(),
        }
    }
}
