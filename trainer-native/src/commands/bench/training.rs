//! `avse bench training`: steps and an evaluation, beside PyTorch.

use std::path::PathBuf;

use super::output::check_folder;
use crate::bench::training::{TrainingOptions, TrainingRow, run, table};
use crate::bench::{merge_rows, own_program};
use crate::terminal::{self, note};
use crate::{Error, Result};

const EXAMPLES: &str = "\
Examples:
  avse bench training
  avse bench training --evaluations 0 --rounds 1
  cargo xtask bench training        with the peer, in a checkout of the source";

/// Options of `avse bench training`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TrainingArgs {
    /// Processes of each step at batch 4, ours and the peer's in turn
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Timed steps of each of these processes, after one warm-up
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Timed evaluations; 0 leaves them out
    #[arg(long, default_value_t = 1)]
    evaluations: usize,
    /// Tiny sizes, to try the command; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Also put the rows into this list of rows
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Program and arguments of a process that does the same work (bench/peers/training_steps.py)
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true, hide = true)]
    peers: Option<Vec<String>>,
}

impl TrainingArgs {
    pub(super) fn run(self) -> Result<()> {
        for (option, count) in [("--rounds", self.rounds), ("--repetitions", self.repetitions)] {
            if count == 0 {
                return Err(Error::Usage(format!("{option} 0: at least 1")));
            }
        }
        check_folder("--json", self.json.as_deref())?;
        let options = TrainingOptions {
            rounds: self.rounds,
            steps: self.repetitions,
            evaluations: self.evaluations,
            quick: self.quick,
        };
        let keep = |rows: &[TrainingRow]| match &self.json {
            Some(path) => merge_rows(path, rows),
            None => Ok(()),
        };
        let found = run(&own_program()?, &options, self.peers.as_deref(), keep)?;
        terminal::text(&table(&found))?;
        if let Some(path) = &self.json {
            note!("rows: {}", path.display());
        }
        Ok(())
    }
}
