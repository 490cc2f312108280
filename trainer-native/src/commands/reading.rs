//! Options that say how pictures are read: of every command that reads some.

use std::path::Path;

use avse_core::image::pixels::DecodeLimits;

use crate::reading::{MaxErrors, OnError, Problem, ReadPolicy, limits_of};
use crate::terminal::note;
use crate::train::TrainConfig;

/// The largest picture.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct PixelArgs {
    /// Pixels (width times height) of the largest picture that is read; a larger one counts as one that cannot be
    /// read [default: 300000000]
    #[arg(
        long = "max-pixels",
        alias = "max_pixels",
        value_name = "N",
        // A run's file has no larger numbers.
        value_parser = clap::value_parser!(u64).range(1..=i64::MAX as u64)
    )]
    max_pixels: Option<u64>,
}

/// What becomes of pictures and records that cannot be read.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ReadingArgs {
    /// What is done about a picture that cannot be read, or a record of the dataset that cannot be used. `skip`: it is left out, counted, and listed in a file
    /// that the last message names. `stop`: the command ends there [default: skip, but stop in `avse eval`, whose
    /// figures are of the whole split]
    #[arg(long = "on-error", alias = "on_error", value_name = "skip|stop", value_enum)]
    on_error: Option<OnError>,
    /// With `--on-error skip`: the command ends after all when more than this cannot be read, a number or
    /// a share of all, rounded up [default: 1%]
    #[arg(long = "max-errors", alias = "max_errors", value_name = "N|N%")]
    max_errors: Option<MaxErrors>,
    #[command(flatten)]
    pixels: PixelArgs,
}

impl PixelArgs {
    /// As decoders have it.
    pub fn limits(&self) -> DecodeLimits {
        self.max_pixels.map_or_else(DecodeLimits::default, limits_of)
    }
}

impl ReadingArgs {
    /// What is asked for, and `usual` where nothing is.
    pub fn policy(&self, usual: OnError) -> ReadPolicy {
        ReadPolicy {
            on_error: self.on_error.unwrap_or(usual),
            max_errors: self.max_errors.unwrap_or_default(),
            limits: self.pixels.limits(),
        }
    }

    /// Puts what is asked for into a run.
    pub fn put_into(&self, config: &mut TrainConfig) {
        config.on_error = self.on_error.unwrap_or(config.on_error);
        config.max_errors = self.max_errors.unwrap_or(config.max_errors);
        config.max_pixels = self.pixels.max_pixels.unwrap_or(config.max_pixels);
    }
}

/// Pictures named on the terminal; the list has all.
const NAMED: usize = 10;

/// Says what could not be read, and where all of it is listed.
pub fn note_unreadable(problems: &[Problem], list: Option<&Path>) {
    if problems.is_empty() {
        return;
    }
    note!("{} could not be read:", problems.len());
    for problem in problems.iter().take(NAMED) {
        note!("  {problem}");
    }
    if problems.len() > NAMED {
        note!("  and {} more", problems.len() - NAMED);
    }
    if let Some(list) = list {
        note!("all that could not be read is listed in {}", list.display());
    }
}
