//! `avse data`: make the emoji set, make ready or check a dataset.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::json::print_json;
use super::reading::PixelArgs;
use crate::Result;
use crate::data::{self, CaptionLimit, DatasetSpec, PrepareOptions, VerifyOptions, emoji};
use crate::terminal::say;

/// Options of `avse data`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install the pinned artwork and write the emoji set in the Flickr30K layout.
    Emoji(EmojiArgs),
    /// Write Flickr30K or MS-COCO in the official layout out of Karpathy's JSON and the pictures.
    Prepare(PrepareArgs),
    /// Check ids, captions and images of a dataset and list everything that is wrong.
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
struct EmojiArgs {
    /// Folder of the dataset; an older emoji set there is replaced.
    #[arg(long, default_value = "data/emoji")]
    out: PathBuf,
    /// Side of the pictures in pixels.
    #[arg(long, default_value_t = 96)]
    size: u32,
    /// Seed of the wording of the training captions.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Draw the committed lists of test, new and validation emoji anew first (for maintainers:
    /// it makes another test).
    #[arg(long, hide = true)]
    choose_lists: bool,
}

const PREPARE_EXAMPLES: &str = "\
Examples:
  avse data prepare --karpathy dataset_coco.json --images ~/coco --out data/coco
  avse data prepare --karpathy dataset_flickr30k.json --images ~/flickr30k-images --out data/f30k

The COCO folder is that with train2014 and val2014. `restval` goes to train, as everybody has it; the
splits are called train, dev and test (testall for COCO), as in the official files.";

#[derive(Debug, clap::Args)]
#[command(after_help = PREPARE_EXAMPLES)]
struct PrepareArgs {
    /// Karpathy's splits: dataset_coco.json or dataset_flickr30k.json
    #[arg(long, value_name = "FILE")]
    karpathy: PathBuf,
    /// Folder of the pictures; they are checked and left where they are
    #[arg(long)]
    images: PathBuf,
    /// Folder of the dataset; an older one there is replaced
    #[arg(long)]
    out: PathBuf,
    /// The dataset, f30k or coco, when neither the file nor its name says it
    #[arg(long)]
    dataset: Option<String>,
    /// First captions of an image that are written, as in the official files; 0 for all
    #[arg(long, default_value_t = 5)]
    captions: usize,
    /// Leave images out whose pictures are missing
    #[arg(long, alias = "skip_missing")]
    skip_missing: bool,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  avse data verify --dataset f30k
  avse data verify --dataset coco --data_path dataset_coco.json --images ~/coco
  avse data verify --data_path pairs.csv --images ~/Pictures --decode
  avse data verify --data_path 'shards/shard-{000000..000009}.tar' --json";

#[derive(Debug, clap::Args)]
#[command(after_help = VERIFY_EXAMPLES)]
struct VerifyArgs {
    /// The dataset, f30k, coco or emoji: what its splits and folders are called.
    #[arg(long, default_value = "f30k")]
    dataset: String,
    /// The folder that holds the dataset's folder, or that folder itself; a file (Karpathy's .json,
    /// .csv, .tsv, .jsonl), or .tar files: a folder of them or a pattern.
    #[arg(long, alias = "data_path", default_value = "data")]
    data_path: PathBuf,
    /// The folder of the images, when it is not the usual one.
    #[arg(long)]
    images: Option<PathBuf>,
    /// Check this split only; may be given several times.
    #[arg(long = "split")]
    splits: Vec<String>,
    /// Decode every image, too.
    #[arg(long)]
    decode: bool,
    #[command(flatten)]
    pixels: PixelArgs,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Runs the chosen subcommand.
    ///
    /// # Errors
    /// Whatever stopped it.
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Emoji(args) => args.run(),
            Command::Prepare(args) => args.run(),
            Command::Verify(args) => args.run(),
        }
    }
}

impl EmojiArgs {
    fn run(self) -> Result<ExitCode> {
        if self.choose_lists {
            emoji::choose_lists(self.seed)?.write(&emoji::data_folder()?)?;
        }
        let built =
            emoji::build(&emoji::Options { out: self.out, size: self.size, seed: self.seed })?;
        let state = if built.unchanged { "is up to date" } else { "written" };
        say!("{}: {state}\n{}", built.folder.display(), built.report)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl PrepareArgs {
    fn run(self) -> Result<ExitCode> {
        let prepared = data::prepare(&PrepareOptions {
            karpathy: self.karpathy,
            images: self.images,
            out: self.out,
            dataset: self.dataset,
            captions: match self.captions {
                0 => CaptionLimit::All,
                limit => CaptionLimit::First(limit),
            },
            skip_missing: self.skip_missing,
        })?;
        say!("{prepared}")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl VerifyArgs {
    fn run(self) -> Result<ExitCode> {
        let options = VerifyOptions {
            spec: DatasetSpec {
                name: self.dataset,
                data_path: self.data_path,
                images: self.images,
            },
            splits: self.splits,
            decode: self.decode,
        };
        let found = data::verify_within(&options, &self.pixels.limits())?;
        if self.json {
            print_json(&found)?;
        } else {
            say!("{found}")?;
        }
        Ok(if found.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
