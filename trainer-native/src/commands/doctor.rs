//! `avse doctor`: what this program and this machine can do, and what is missing.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::Result;
use crate::doctor::Diagnosis;
use crate::files::json;
use crate::terminal;

const EXAMPLES: &str = "\
Examples:
  avse doctor
  avse doctor --data_path /srv/datasets
  avse doctor --json > machine.json";

/// Say what this program and this machine can do: devices, memory, precisions, data, and what is missing.
///
/// Nothing is changed, and nothing is asked for over the network.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Folder that holds the datasets
    #[arg(long = "data_path", alias = "data-path", default_value = "data")]
    data_path: PathBuf,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Looks and prints.
    ///
    /// # Errors
    /// When the findings cannot be written as JSON.
    pub fn run(self) -> Result<ExitCode> {
        let found = Diagnosis::make(&self.data_path);
        if self.json {
            terminal::text(&String::from_utf8_lossy(&json(&found)?))?;
        } else {
            terminal::text(&found.to_string())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
