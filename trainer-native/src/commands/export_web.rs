//! `avse export-web`: static files for a web page.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use avse_core::gallery::Gallery;
use avse_core::weights::Towers;
use clap::Parser;

use super::convert::PrecisionArg;
use super::json::print_json;
use super::reading::{ReadingArgs, note_unreadable};
use super::source::{Precision, dataset_spec};
use crate::export::{self, CaptionSource, Loss, PictureSource, WebOptions, WebReport};
use crate::reading::OnError;
use crate::report::metrics_table;
use crate::terminal::{note, say};
use crate::{Error, Result, device};

const EXAMPLES: &str = "\
Examples:
  avse export-web --out site-data
  avse export-web --out site-data --precision int8
  avse export-web --out site-data --images ~/Pictures --model runs/own/best --captions words.txt
  avse export-web --out site-data --dataset f30k --data_path data/ --model runs/f30k_vit_224/best
  avse export-web --out site-data --gallery gallery --text-only --precision int8

Everything in the folder is static: put it on any web server. Only sentences are encoded in a page
made with --text-only, so the image tower is not sent.";

/// Write a model, galleries and thumbnails as static files for a web page, and measure what smaller
/// weights cost in recall.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Folder to write; an export that stands there is replaced
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Bundle; without one, that which built the gallery, or the demo's
    #[arg(long)]
    model: Option<PathBuf>,
    /// How the weights are written
    #[arg(long, value_enum, default_value = "f16")]
    precision: PrecisionArg,
    /// Folder of pictures; with a dataset, the folder of its pictures, when it is not the usual one. Without pictures
    /// of any kind, those of Emoji-1K
    #[arg(long, value_name = "FOLDER", conflicts_with = "gallery")]
    images: Option<PathBuf>,
    /// Dataset: f30k, coco or emoji [default, with --data_path: f30k]
    #[arg(long, conflicts_with = "gallery")]
    dataset: Option<String>,
    /// Folder that holds the datasets [default: data], or a file (Karpathy's .json, .csv, .tsv, .jsonl), or .tar files:
    /// a folder of them or a pattern like shard-{000000..000009}.tar
    #[arg(long = "data_path", alias = "data-path", conflicts_with = "gallery")]
    data_path: Option<PathBuf>,
    /// Split of the dataset; without one, its test split
    #[arg(long, conflicts_with = "gallery")]
    split: Option<String>,
    /// Gallery of pictures that is there already; its pictures are encoded anew with the written
    /// weights, or, where one cannot be reached or none need be, its embeddings are kept
    #[arg(long, value_name = "FOLDER")]
    gallery: Option<PathBuf>,
    /// Captions that pictures find: `dataset`, `none`, a text file with one a line, or a gallery of
    /// captions [default: those of the dataset, if there is one and no --text-only]
    #[arg(long, value_name = "WHICH")]
    captions: Option<PathBuf>,
    /// Longer side of the thumbnails in pixels; 0 for none
    #[arg(long, value_name = "SIDE", default_value_t = 96, value_parser = clap::value_parser!(u32).range(0..=2048))]
    thumbnails: u32,
    /// Leave the image tower out: sentences can be asked, pictures cannot
    #[arg(long = "text-only", alias = "text_only")]
    text_only: bool,
    /// How blocks are kept beside the 8-bit ones that find candidates; int8 is for nothing beside
    /// them, and approximate
    #[arg(
        long = "gallery-precision",
        alias = "gallery_precision",
        value_enum,
        default_value = "f16"
    )]
    gallery_precision: Precision,
    /// What the model knows, in words that a page can show, say `photographs of shoes`
    #[arg(long, value_name = "TEXT")]
    domain: Option<String>,
    /// Credits that a page must show: JSON, a list of objects with `what`, `by`, `licence` and `url`
    #[arg(long, value_name = "FILE")]
    credits: Option<PathBuf>,
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
    /// Exports and says what was written.
    ///
    /// # Errors
    /// Whatever is wrong with the bundle, the sources or the folder.
    pub fn run(self) -> Result<ExitCode> {
        let json = self.json;
        let report = export::export(&WebOptions {
            device: device::choose(&self.gpu_id)?,
            pictures: self.pictures()?,
            captions: self.captions(),
            out: self.out,
            model: self.model,
            precision: self.precision.into(),
            towers: if self.text_only { Towers::Text } else { Towers::Both },
            gallery_precision: self.gallery_precision.stored(),
            thumbnails: self.thumbnails,
            domain: self.domain,
            credits: self.credits,
            reading: self.reading.policy(OnError::Skip),
            quiet: json,
        })?;
        match json {
            true => print_json(&report)?,
            false => print_report(&report)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn pictures(&self) -> Result<PictureSource> {
        if let Some(folder) = &self.gallery {
            return Ok(PictureSource::Gallery(folder.clone()));
        }
        let (name, data_path) = (self.dataset.as_deref(), self.data_path.as_deref());
        if let Some(spec) = dataset_spec(name, data_path, self.images.as_deref()) {
            return Ok(PictureSource::Dataset { spec, split: self.split.clone() });
        }
        if self.split.is_some() {
            return Err(Error::Usage(
                "--split is of a dataset: give --dataset or --data_path, too".into(),
            ));
        }
        let folder = self.images.clone().map(PictureSource::Folder);
        Ok(folder.unwrap_or(PictureSource::Emoji))
    }

    fn captions(&self) -> CaptionSource {
        let has_dataset = self.dataset.is_some() || self.data_path.is_some();
        let of_dataset = has_dataset || self.images.is_none() && self.gallery.is_none();
        match self.captions.as_deref() {
            // Only a picture asks for captions, and there is no tower for one.
            None if of_dataset && !self.text_only => CaptionSource::Dataset,
            None => CaptionSource::None,
            Some(word) if word == Path::new("none") => CaptionSource::None,
            Some(word) if word == Path::new("dataset") => CaptionSource::Dataset,
            Some(path) if Gallery::is_at(path) || path.is_dir() => {
                CaptionSource::Gallery(path.to_path_buf())
            }
            Some(path) => CaptionSource::File(path.to_path_buf()),
        }
    }
}

fn print_report(report: &WebReport) -> Result<()> {
    let longest = report.files.iter().map(|(path, _)| path.len()).max().unwrap_or(0);
    let line = |path: &str, bytes: u64| say!("  {path:longest$}  {:>13}", grouped(bytes));
    say!("{}:", report.out.display())?;
    report.files.iter().try_for_each(|(path, bytes)| line(path, *bytes))?;
    line("total bytes", report.files.iter().map(|(_, bytes)| bytes).sum())?;
    say!("")?;
    print_loss(report)?;
    let towers = if report.towers.has_image() { "" } else { ", text tower alone" };
    say!(
        "{} pictures, {} captions, weights of {} as {}{towers}, in {:.1} s",
        report.pictures,
        report.captions,
        report.model.display(),
        report.precision,
        report.seconds
    )?;
    if report.kept_embeddings {
        say!("the gallery's embeddings were kept: the given bundle made them")?;
    }
    if report.kept_embeddings && report.unreachable > 0 {
        say!("{} of its pictures cannot be reached", report.unreachable)?;
    }
    if report.without_thumbnail > 0 {
        say!("{} pictures have no thumbnail", report.without_thumbnail)?;
    }
    if report.truncated_captions > 0 {
        say!("{} captions were cut to the network's positions", report.truncated_captions)?;
    }
    for unread in &report.unread_formats {
        note!("{unread}");
    }
    note_unreadable(&report.unreadable, report.unreadable_list.as_deref());
    Ok(())
}

fn print_loss(report: &WebReport) -> Result<()> {
    let exported = format!("{} weights, {} gallery", report.precision, report.gallery_precision);
    match &report.loss {
        Loss::Recall { before, after } => {
            say!("{}", metrics_table(&[("source bundle", before), (exported.as_str(), after)]))?;
            say!("rSum {:.1} before, {:.1} after", before.rsum, after.rsum)
        }
        Loss::Agreement { share, sentences, pictures, hits } => say!(
            "{exported}: {:.1}% of the {hits} best of {pictures} pictures are those of the source \
             bundle, asked {sentences} sentences",
            100.0 * share
        ),
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_stand_apart() {
        let found = [0, 12, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(found, ["0", "12", "999", "1,000", "1,234,567"]);
    }
}
