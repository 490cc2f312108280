//! `avse report`: training runs side by side.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::files::{folder_of, write_atomically};
use crate::report::metrics_table;
use crate::runs::Runs;
use crate::terminal::{note, say};
use crate::{Error, Result};

const EXAMPLES: &str = "\
Examples:
  avse report runs/*
  avse report runs/short runs/long --out comparison.html
  avse report runs/short     # a run in progress, too: what it has so far";

/// Compare training runs: curves, best epochs, and the parameters that differ, as one HTML file.
///
/// A run alone writes its own report when it ends. Runs in progress or killed are shown with what they have.
/// What cannot be read is named, and the exit code is then 1.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The runs' folders; files and folders without a run.toml among them are left out
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// The report's file; for one run report.html in its folder, for several beside the first
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Args {
    /// Writes the report.
    ///
    /// # Errors
    /// When there is no run, or the file cannot be written.
    pub fn run(self) -> Result<ExitCode> {
        // `runs/*` also names the report of last time, and what `avse demo` has written.
        let several = self.runs.len() > 1;
        let is_other = |path: &PathBuf| {
            path.is_file() || (several && path.is_dir() && !path.join("run.toml").exists())
        };
        let (others, folders): (Vec<_>, Vec<_>) = self.runs.into_iter().partition(is_other);
        for other in &others {
            note!("{}: no run's folder, left out", other.display());
        }
        let Some(first) = folders.first() else {
            return Err(Error::Usage("no folder of a run was given".into()));
        };
        let out = self.out.unwrap_or_else(|| match folders.len() {
            1 => first.join("report.html"),
            _ => folder_of(first).join("report.html"),
        });
        let runs = Runs::read(&folders);
        write_atomically(&out, runs.page()?.as_bytes())?;
        let best = runs.runs.iter().filter_map(|run| Some((run.name.as_str(), run.best()?.1)));
        let best: Vec<_> = best.collect();
        if !best.is_empty() {
            say!("{}", metrics_table(&best))?;
        }
        say!("{}", out.display())?;
        for problem in &runs.problems {
            note!("error: {problem}");
        }
        Ok(if runs.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
