//! `avse encode`: embeddings for other programs.

use std::path::PathBuf;
use std::process::ExitCode;

use avse_core::gallery::GalleryKind;
use clap::Parser;

use super::json::print_json;
use super::reading::{ReadingArgs, note_unreadable};
use super::source::SourceArgs;
use crate::gallery::{self, ExportOptions};
use crate::reading::OnError;
use crate::terminal::{note, say};
use crate::{Error, Result, device};

const EXAMPLES: &str = "\
Examples:
  avse encode ~/Pictures --out pictures.npy
  avse encode --dataset f30k --data_path data/ --kind captions --out captions.safetensors
  avse encode --data_path pairs.csv --images ~/Pictures --out pairs.npy
  avse encode --data_path 'shards/{000..009}.tar' --out shards.npy
  avse encode --items shop.jsonl --model runs/shop/best --out shop.npy

Rows are unit blocks, f32 [N, blocks, width]: the similarity of an image and a caption is the sum
over the caption's blocks of the largest dot product with a block of the image. FILE.items.json
says what the rows are.";

/// Write the embeddings of pictures or captions to a .npy or .safetensors file.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// File to write: .npy, or .safetensors with one tensor `embeddings`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Bundle; without one, the demo's
    #[arg(long)]
    model: Option<PathBuf>,
    /// Device: a GPU's number, `auto` or `cpu`
    #[arg(long = "gpu-id", alias = "gpu_id", default_value = "auto")]
    gpu_id: String,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Encodes and writes.
    ///
    /// # Errors
    /// Whatever is wrong with source, bundle or file.
    pub fn run(self) -> Result<ExitCode> {
        let source = self.source.source()?.ok_or_else(|| {
            let message =
                "say what to encode: a folder of pictures, --data_path, --dataset or --items";
            Error::Usage(message.into())
        })?;
        let kind = match self.source.kind() {
            Some(kind) => kind,
            None => gallery::usual_kind(&source)?,
        };
        let report = gallery::export(&ExportOptions {
            source,
            kind,
            model: self.model,
            out: self.out,
            device: device::choose(&self.gpu_id)?,
            quiet: self.json,
            reading: self.reading.policy(OnError::Skip),
        })?;
        if self.json {
            print_json(&report)?;
            return Ok(ExitCode::SUCCESS);
        }
        let [rows, blocks, width] = report.shape;
        let what = if kind == GalleryKind::Images { "images" } else { "captions" };
        say!("{}: {rows} {what}, {blocks} x {width} each", report.embeddings.display())?;
        say!("{}: what the rows are", report.items.display())?;
        if report.truncated_captions > 0 {
            say!("{} captions were cut to the network's positions", report.truncated_captions)?;
        }
        for unread in &report.unread_formats {
            note!("{unread}");
        }
        note_unreadable(&report.unreadable, report.unreadable_list.as_deref());
        Ok(ExitCode::SUCCESS)
    }
}
