//! The command line: one file per subcommand.

mod bench;
mod convert;
mod data;
mod demo;
mod doctor;
mod encode;
mod eval;
mod export_web;
mod index;
mod json;
mod official;
mod report;
mod search;
mod source;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::Result;

/// Image-text retrieval with asymmetric visual semantic embedding.
#[derive(Debug, Parser)]
#[command(name = "avse", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See the model at work on real pictures.
    Demo(demo::Args),
    /// Make the emoji set, make ready or check a dataset.
    Data(data::Args),
    /// Train a model.
    Train(Box<train::Args>),
    /// Measure a model on a dataset.
    Eval(eval::Args),
    /// Compare training runs in one HTML file.
    Report(report::Args),
    /// Make a gallery of pictures or captions, to be searched.
    Index(Box<index::Args>),
    /// Find pictures by a sentence, or by a picture, in a gallery.
    Search(search::Args),
    /// Write embeddings to a file.
    Encode(encode::Args),
    /// Turn weights from one form into another.
    Convert(convert::Args),
    /// Write model, galleries and thumbnails as static files for a web page.
    ExportWeb(export_web::Args),
    /// Measure speed and memory on this machine.
    Bench(bench::Args),
    /// Say what this program and this machine can do, and what is missing.
    Doctor(doctor::Args),
}

impl Cli {
    /// Parses the process's arguments and runs the subcommand; the exit code is that of
    /// the process.
    ///
    /// # Errors
    /// Whatever stopped the subcommand, in words for its user.
    pub fn run() -> Result<ExitCode> {
        let matches = Self::command().get_matches();
        let cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        // Which options were given by hand, and which are defaults, only the matches know.
        let own = matches.subcommand().map_or(&matches, |(_, own)| own);
        match cli.command {
            Command::Demo(args) => args.run(),
            Command::Data(args) => args.run(),
            Command::Train(args) => args.run(own),
            Command::Eval(args) => args.run(),
            Command::Report(args) => args.run(),
            Command::Index(args) => args.run(),
            Command::Search(args) => args.run(),
            Command::Encode(args) => args.run(),
            Command::Convert(args) => args.run(),
            Command::ExportWeb(args) => args.run(),
            Command::Bench(args) => args.run(),
            Command::Doctor(args) => args.run(),
        }
    }
}
