//! `avse data`: make the emoji set.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::Result;
use crate::data::emoji;

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

impl Args {
    /// Runs the chosen subcommand.
    ///
    /// # Errors
    /// Whatever stopped it.
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Emoji(args) => args.run(),
        }
    }
}

impl EmojiArgs {
    fn run(self) -> Result<ExitCode> {
        if self.choose_lists {
            emoji::choose_lists(self.seed)?;
        }
        let built =
            emoji::build(&emoji::Options { out: self.out, size: self.size, seed: self.seed })?;
        let state = if built.unchanged { "is up to date" } else { "written" };
        println!("{}: {state}\n{}", built.folder.display(), built.report);
        Ok(ExitCode::SUCCESS)
    }
}
