//! `avse bench loader`: pictures into batches, beside OpenCV.

use std::path::PathBuf;

use super::output::check_folder;
use crate::bench::loader::{LoaderOptions, run, table};
use crate::bench::merge_rows;
use crate::terminal::{self, note};
use crate::{Error, Result};

const EXAMPLES: &str = "\
Examples:
  avse bench loader
  avse bench loader --images ~/coco/val2014 --workers 1,2
  cargo xtask bench loader          with the peer, in a checkout of the source";

/// Options of `avse bench loader`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LoaderArgs {
    /// Folder of JPEG files; without one, photographs of 640 x 480 are made up
    #[arg(long)]
    images: Option<PathBuf>,
    /// Numbers of worker threads, with commas between them
    #[arg(long, value_delimiter = ',', default_values_t = [1])]
    workers: Vec<usize>,
    /// Side of the network's input in pixels
    #[arg(long = "img_res", alias = "img-res", default_value_t = 256)]
    img_res: usize,
    /// Images of a timed run
    #[arg(long, default_value_t = 320)]
    count: usize,
    /// Timed runs, after one warm-up
    #[arg(long, default_value_t = 9)]
    repetitions: usize,
    /// Also put the rows into this list of rows
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Program and arguments of a process that does the same work (bench/peers/loader.py)
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true, hide = true)]
    peers: Option<Vec<String>>,
}

impl LoaderArgs {
    pub(super) fn run(self) -> Result<()> {
        for (option, least) in [
            ("--workers", self.workers.iter().copied().min().unwrap_or(0)),
            ("--img_res", self.img_res),
            ("--count", self.count),
            ("--repetitions", self.repetitions),
        ] {
            if least == 0 {
                return Err(Error::Usage(format!("{option} 0: at least 1")));
            }
        }
        check_folder("--json", self.json.as_deref())?;
        let options = LoaderOptions {
            images: self.images,
            workers: self.workers,
            side: self.img_res,
            count: self.count,
            repetitions: self.repetitions,
        };
        let found = run(&options, self.peers.as_deref())?;
        // The file first: nobody may be reading what is printed.
        if let Some(path) = &self.json {
            merge_rows(path, &found.rows)?;
            note!("rows: {}", path.display());
        }
        terminal::text(&table(&found))
    }
}
