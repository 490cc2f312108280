//! `avse demo`: see the model at work.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::data::emoji::data_folder;
use crate::demo::{self, DemoModel, DemoOptions};
use crate::terminal::say;
use crate::{Result, device};

const EXAMPLES: &str = "\
Examples:
  avse demo
  avse demo --train
  avse demo --model runs/demo/training/best";

/// See AVSE retrieve real pictures: evaluate Emoji-1K, answer sentences and pictures,
/// write an HTML report.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where the report and results.json go
    #[arg(long, default_value = "runs/demo")]
    out: PathBuf,
    /// Train the model anew first (two hours on one core)
    #[arg(long, conflicts_with = "model")]
    train: bool,
    /// Show this bundle instead of the one that comes with the program
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// Device: a GPU's number, `auto` or `cpu`
    #[arg(long = "gpu-id", alias = "gpu_id", default_value = "auto")]
    gpu_id: String,
}

impl Args {
    /// Runs the demo.
    ///
    /// # Errors
    /// Whatever is missing, in words for its user.
    pub fn run(self) -> Result<ExitCode> {
        let device = device::choose(&self.gpu_id)?;
        let emoji = data_folder()?.join("emoji");
        let model = match (self.train, self.model) {
            (true, _) => DemoModel::Train,
            (false, Some(bundle)) => DemoModel::Bundle(bundle),
            (false, None) => DemoModel::Bundle(data_folder()?.join("emoji-model")),
        };
        let report = demo::run(&DemoOptions { out: self.out, emoji, model }, &device)?;
        let path = report.canonicalize().unwrap_or(report);
        say!("report: {}", path.display())?;
        Ok(ExitCode::SUCCESS)
    }
}
