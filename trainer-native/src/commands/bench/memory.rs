//! `avse bench memory`: peak memory of training steps, measured and predicted.

use std::path::PathBuf;

use super::output::{check_folder, write_raw};
use crate::Result;
use crate::bench::{self, own_program};
use crate::terminal::{self, note};

/// Options of `avse bench memory`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  avse bench memory\n  avse bench memory --json bench/memory.json"
)]
pub(super) struct MemoryArgs {
    /// A tiny network, to try the command; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Also write the raw numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl MemoryArgs {
    pub(super) fn run(self) -> Result<()> {
        check_folder("--json", self.json.as_deref())?;
        let report = bench::memory(&own_program()?, self.quick)?;
        // The file first: nobody may be reading what is printed.
        write_raw(self.json.as_deref(), &report)?;
        terminal::text(&report.table())?;
        for row in report.misses() {
            note!(
                "warning: the formula is off by more than {:.0}% at batch {}, {:?}",
                100.0 * bench::MEMORY_TOLERANCE,
                row.batch,
                row.method
            );
        }
        Ok(())
    }
}
