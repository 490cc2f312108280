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
mod reading;
mod report;
mod search;
mod source;
mod train;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{Result, terminal};

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
        let parsed = Self::command().try_get_matches();
        let parsed = parsed.and_then(|matches| Ok((Self::from_arg_matches(&matches)?, matches)));
        let (cli, matches) = match parsed {
            Ok(parsed) => parsed,
            Err(answer) => return answered(&answer),
        };
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

/// Prints what the command line itself is answered with: the help or the version that was asked for, or what is wrong
/// with it.
fn answered(answer: &clap::Error) -> Result<ExitCode> {
    let code = u8::try_from(answer.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
    let printed = answer.print();
    if !answer.use_stderr() {
        terminal::written(printed.and_then(|()| std::io::stdout().flush()))?;
    }
    Ok(code)
}
