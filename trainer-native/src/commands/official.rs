//! Options of the official code that mean nothing here.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};

use crate::terminal::note;

/// Accepted, so that the published commands run as they are, and answered with a warning
/// by name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of the official code without a meaning here")]
pub struct Ignored {
    /// Progress is always shown
    #[arg(long = "log_step", alias = "log-step")]
    log_step: Option<usize>,
    /// Validation is once an epoch
    #[arg(long = "val_step", alias = "val-step")]
    val_step: Option<usize>,
    /// Does nothing in the official code either
    #[arg(long = "embedding_warmup_epochs", alias = "embedding-warmup-epochs")]
    embedding_warmup_epochs: Option<usize>,
    /// The first epoch takes all negatives, later ones the hardest
    #[arg(long = "max_violation", alias = "max-violation", num_args = 0..=1, default_missing_value = "1")]
    max_violation: Option<u8>,
    /// Processes are not started one a GPU
    #[arg(long = "world_size", alias = "world-size")]
    world_size: Option<usize>,
    /// Processes are not started one a GPU
    #[arg(long)]
    rank: Option<usize>,
}

impl Ignored {
    /// Warns about each of these options that was given.
    pub fn warn(&self, matches: &ArgMatches) {
        for name in [
            "log_step",
            "val_step",
            "embedding_warmup_epochs",
            "max_violation",
            "world_size",
            "rank",
        ] {
            if matches.value_source(name) == Some(ValueSource::CommandLine) {
                note!("warning: --{name} has no effect here");
            }
        }
    }
}
