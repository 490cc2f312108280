//! `avse data`: make the emoji set, or check a dataset.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::data::{self, DatasetSpec, VerifyOptions, emoji};
use crate::{Error, Result};

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

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// The dataset: f30k, coco or emoji.
    #[arg(long)]
    dataset: String,
    /// The folder that holds the dataset's folder, or that folder itself.
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
        println!("{}: {state}\n{}", built.folder.display(), built.report);
        Ok(ExitCode::SUCCESS)
    }
}

impl VerifyArgs {
    fn run(self) -> Result<ExitCode> {
        let found = data::verify(&VerifyOptions {
            spec: DatasetSpec {
                name: self.dataset,
                data_path: self.data_path,
                images: self.images,
            },
            splits: self.splits,
            decode: self.decode,
        })?;
        if self.json {
            let json = serde_json::to_string_pretty(&found)
                .map_err(|e| Error::Usage(format!("JSON cannot be written: {e}")))?;
            println!("{json}");
        } else {
            println!("{found}");
        }
        Ok(if found.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
