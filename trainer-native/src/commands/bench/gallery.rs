//! `avse bench gallery`: a gallery of random embeddings, built and searched.

use std::path::PathBuf;

use avse_core::similarity::BlockShape;

use super::output::{check_folder, write_raw};
use crate::Result;
use crate::commands::source::Precision;
use crate::gallery::{self, BenchOptions};
use crate::terminal;

const EXAMPLES: &str = "\
Examples:
  avse bench gallery
  avse bench gallery --items 1000000 --folder /var/tmp --json gallery.json";

/// Options of `avse bench gallery`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct GalleryArgs {
    /// Number of images; a million take 6.4 GB on disk, twice that for a while
    #[arg(long, default_value_t = 20_000)]
    items: usize,
    /// Blocks of an image
    #[arg(long, default_value_t = 8)]
    blocks: usize,
    /// Numbers of a block
    #[arg(long, default_value_t = 256)]
    width: usize,
    /// How blocks are kept beside the 8-bit ones
    #[arg(long, value_enum, default_value = "f16")]
    precision: Precision,
    /// Searches
    #[arg(long, default_value_t = 10)]
    queries: usize,
    /// Folder for the gallery, which is removed afterwards
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Also write the raw numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl GalleryArgs {
    pub(super) fn run(self) -> Result<()> {
        check_folder("--json", self.json.as_deref())?;
        let report = gallery::bench(&BenchOptions {
            items: self.items,
            shape: BlockShape { blocks: self.blocks, width: self.width },
            precision: self.precision.stored(),
            queries: self.queries,
            limit: 10,
            folder: self.folder,
        })?;
        // The file first: nobody may be reading what is printed.
        write_raw(self.json.as_deref(), &report)?;
        terminal::text(&report.to_string())
    }
}
