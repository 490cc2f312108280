//! `avse bench similarity`: the similarity engine's speed, beside its peers.

use std::path::PathBuf;

use super::output::check_folder;
use crate::bench::similarity::{SimilarityReport, Sizes, read_rows, roofline, run};
use crate::machine::Machine;
use crate::terminal::{self, note};
use crate::{Error, Result, files};

const EXAMPLES: &str = "\
Examples:
  avse bench similarity
  avse bench similarity --repetitions 15 --json similarity.json --roofline roofline.svg
  cargo xtask bench similarity      with the peers, in a checkout of the source";

/// Options of `avse bench similarity`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SimilarityArgs {
    /// Timed runs of each work, after one warm-up
    #[arg(long, default_value_t = 7)]
    repetitions: usize,
    /// Tiny sizes, to try the command; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Also write the rows to FILE, and where they were measured to FILE's `.machine.json`
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also draw what was reached and what the machine allows (SVG)
    #[arg(long, value_name = "FILE")]
    roofline: Option<PathBuf>,
    /// Rows that other tools measured, JSON lines, to stand in the same table
    #[arg(long, value_name = "FILE", hide = true)]
    rows: Vec<PathBuf>,
    /// Program and arguments of a process that does the same work (bench/peers/similarity.py)
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true, hide = true)]
    peers: Option<Vec<String>>,
}

impl SimilarityArgs {
    pub(super) fn run(self) -> Result<()> {
        if self.repetitions == 0 {
            return Err(Error::Usage("--repetitions 0: at least 1".into()));
        }
        for (option, path) in [("--json", &self.json), ("--roofline", &self.roofline)] {
            check_folder(option, path.as_deref())?;
        }
        let others: Vec<Vec<_>> =
            self.rows.iter().map(|path| read_rows(path)).collect::<Result<_>>()?;
        let sizes = if self.quick { Sizes::QUICK } else { Sizes::PUBLISHED };
        let machine = Machine::here();
        let mut findings = run(sizes, self.repetitions, self.peers.as_deref())?;
        findings.rows.extend(others.into_iter().flatten());
        let report = SimilarityReport::new(machine, findings);
        // The files first: nobody may be reading what is printed.
        if let Some(path) = &self.json {
            report.write(path)?;
            note!("rows: {}", path.display());
        }
        if let Some(path) = &self.roofline {
            files::write_atomically(path, roofline(&report)?.as_bytes())?;
            note!("picture: {}", path.display());
        }
        terminal::text(&report.table())
    }
}
