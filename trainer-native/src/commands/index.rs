//! `avse index`: galleries of pictures or captions, to be searched.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use avse_core::gallery::{Gallery, GalleryManifest, StoredPrecision};
use avse_core::input::shown;
use clap::Subcommand;
use serde::Serialize;

use super::json::print_json;
use super::reading::{ReadingArgs, note_unreadable};
use super::source::{Precision, SourceArgs};
use crate::gallery::{self, BuildOptions, BuildReport, SourceChange};
use crate::reading::OnError;
use crate::terminal::{note, say};
use crate::{Error, Result, device};

const BUILD_EXAMPLES: &str = "\
Examples:
  avse index build ~/Pictures
  avse index build
  avse index build --dataset f30k --data_path data/ --gallery f30k-captions --kind captions
  avse index build --dataset coco --data_path dataset_coco.json --images ~/coco --split test
  avse index build --items shop.jsonl --model runs/shop/best --precision f32
  avse search \"a dog on the beach\"

A line of a list of items: {\"image\": \"img/7.jpg\", \"key\": \"p7\", \"price\": 12}";

const ADD_EXAMPLES: &str = "\
Examples:
  avse index add /media/camera
  avse index add --items more.jsonl --gallery shop";

const INFO_EXAMPLES: &str = "\
Examples:
  avse index info
  avse index info shop --verify --json";

/// Options of `avse index`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a gallery, or bring it up to date
    ///
    /// Only new and changed files (by size, time of change and place) are read and encoded, and what is
    /// gone is removed. Without a folder, dataset or list the gallery is brought up to date with what it was made of. Stopped at
    /// any moment, it leaves the gallery as it was, and the next run goes on from there.
    Build(BuildArgs),
    /// Add another folder, dataset or list to a gallery
    Add(AddArgs),
    /// Say what a gallery holds
    Info(InfoArgs),
    /// The same as `avse search`
    Search(super::search::Args),
}

#[derive(Debug, clap::Args)]
#[command(after_help = BUILD_EXAMPLES)]
struct BuildArgs {
    #[command(flatten)]
    common: Common,
    /// Put this in the place of what the gallery was made of, whatever it was and whichever model
    /// built it; embeddings that fit are taken over. Alone, it makes a damaged gallery anew of what it was
    /// made of
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = ADD_EXAMPLES)]
struct AddArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    source: SourceArgs,
    /// Folder of the gallery
    #[arg(long, default_value = "gallery")]
    gallery: PathBuf,
    /// Bundle; without one, that which built the gallery, or the demo's
    #[arg(long)]
    model: Option<PathBuf>,
    /// How blocks are kept beside the 8-bit ones that find candidates; int8 is for nothing
    /// beside them, and approximate [default: f16]
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Read every file again; without it one whose size and time of change are what they were counts
    /// as unchanged
    #[arg(long)]
    reread: bool,
    /// Let a source of which nothing is left be taken out of the gallery; without it that is an error,
    /// since a disk may only be away
    #[arg(long)]
    allow_empty: bool,
    /// Device: a GPU's number, `auto` or `cpu`
    #[arg(long = "gpu-id", alias = "gpu_id", default_value = "auto")]
    gpu_id: String,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = INFO_EXAMPLES)]
struct InfoArgs {
    /// Folder of the gallery
    #[arg(default_value = "gallery")]
    gallery: PathBuf,
    /// Hash all files again, large ones too
    #[arg(long)]
    verify: bool,
    /// Print JSON instead of text
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
            Command::Build(args) => {
                let change = match args.replace {
                    true => SourceChange::Replace,
                    false => SourceChange::None,
                };
                args.common.run(change)
            }
            Command::Add(args) => args.common.run(SourceChange::Add),
            Command::Info(args) => args.run(),
            Command::Search(args) => args.run(),
        }
    }
}

impl Common {
    fn run(self, change: SourceChange) -> Result<ExitCode> {
        let source = self.source.source()?;
        if source.is_none() && change == SourceChange::Add {
            let message =
                "say what to add: a folder of pictures, --data_path, --dataset or --items";
            return Err(Error::Usage(message.into()));
        }
        let report = gallery::build(&BuildOptions {
            folder: self.gallery,
            source,
            change,
            kind: self.source.kind(),
            precision: self.precision.map(Precision::stored),
            model: self.model,
            reread: self.reread,
            allow_empty: self.allow_empty,
            device: device::choose(&self.gpu_id)?,
            quiet: self.json,
            reading: self.reading.policy(OnError::Skip),
        })?;
        match self.json {
            true => print_json(&report)?,
            false => print_report(&report)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_report(report: &BuildReport) -> Result<()> {
    let BuildReport { items, kind, added, changed, removed, unchanged, .. } = report;
    let state = if report.written { "" } else { " (up to date)" };
    say!("{}: {items} {kind}{state}", report.gallery.display())?;
    say!("  {added} added, {changed} changed, {removed} removed, {unchanged} unchanged")?;
    let reused = match report.reused {
        0 => String::new(),
        reused => format!(", {reused} taken over"),
    };
    let (model, seconds) = (report.model.display(), report.seconds);
    say!("  {} encoded{reused} by {model} in {seconds:.1} s", report.encoded)?;
    if report.precision == StoredPrecision::Int8 {
        say!("  8-bit blocks only: scores are approximate")?;
    }
    if report.truncated_captions > 0 {
        say!("  {} captions were cut to the network's positions", report.truncated_captions)?;
    }
    for unread in &report.unread_formats {
        note!("{unread}");
    }
    note_unreadable(&report.unreadable, report.unreadable_list.as_deref());
    Ok(())
}

/// What `avse index info --json` prints.
#[derive(Serialize)]
struct Info<'a> {
    gallery: &'a Path,
    exact: bool,
    verified: bool,
    #[serde(flatten)]
    manifest: &'a GalleryManifest,
}

impl InfoArgs {
    fn run(self) -> Result<ExitCode> {
        let gallery = match self.verify {
            true => {
                gallery::open(&self.gallery)?;
                Gallery::open_verified(&self.gallery)?
            }
            false => gallery::open(&self.gallery)?,
        };
        let manifest = gallery.manifest();
        if self.json {
            let (exact, verified) = (gallery.is_exact(), self.verify);
            print_json(&Info { gallery: &self.gallery, exact, verified, manifest })?;
            return Ok(ExitCode::SUCCESS);
        }
        let spec = &manifest.spec;
        let scores = if gallery.is_exact() { "exact" } else { "approximate" };
        let bytes: u64 = manifest.files.values().map(|file| file.bytes).sum();
        say!("{}: {} {}", self.gallery.display(), manifest.items, spec.kind)?;
        say!(
            "  {} blocks of {} each, {}: scores are {scores}",
            spec.shape.blocks,
            spec.shape.width,
            spec.precision
        )?;
        say!("  {:.1} MB, written {} times", bytes as f64 / 1e6, manifest.generation)?;
        let place = spec.model.path.as_deref().unwrap_or("unknown place");
        let place = shown(place);
        say!("  model: {place}, fingerprint {}", spec.model.fingerprint)?;
        for source in &manifest.sources {
            say!("  made of: {}", shown(&gallery::describe(source)))?;
        }
        if self.verify {
            say!("  all files are what the manifest says")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
