//! `avse search`: a question to a gallery.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use avse_core::gallery::{Found, GalleryKind};
use avse_core::input::shown;
use clap::Parser;
use serde::Serialize;

use super::json::print_json;
use super::reading::PixelArgs;
use crate::files::write_atomically;
use crate::gallery::{self, Answer, Asked, SearchOptions, Seconds, hits_page, picture_path};
use crate::terminal::{self, note};
use crate::{Error, Result, device};

const EXAMPLES: &str = "\
Examples:
  avse search \"a dog on the beach\"
  avse search \"a red fire truck\" --gallery shop -k 20 --html hits.html
  avse search --image holiday.jpg
  avse search --image holiday.jpg --gallery f30k-captions --json

A sentence finds pictures, and a picture finds captions, by the similarity of the paper: for each
block of the caption the best block of the picture, added up. A picture finds pictures, and a
sentence captions, by the same sum over the blocks of the question.";

/// Find the pictures for a sentence, or what is like a picture, in a gallery.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The sentence
    #[arg(required_unless_present = "image", conflicts_with = "image")]
    text: Option<String>,
    /// Ask with a picture instead
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Folder of the gallery
    #[arg(long, default_value = "gallery")]
    gallery: PathBuf,
    /// Bundle; without one, that which built the gallery
    #[arg(long)]
    model: Option<PathBuf>,
    /// Hits to show
    #[arg(short = 'k', long = "top", default_value_t = 10)]
    k: usize,
    /// Device: a GPU's number, `auto` or `cpu`
    #[arg(long = "gpu-id", alias = "gpu_id", default_value = "auto")]
    gpu_id: String,
    /// Also write a page with the pictures
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    pixels: PixelArgs,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    query: &'a Asked,
    gallery: &'a Path,
    kind: GalleryKind,
    items: usize,
    exact: bool,
    seconds: Seconds,
    hits: Vec<Hit<'a>>,
}

#[derive(Serialize)]
struct Hit<'a> {
    rank: usize,
    score: f32,
    index: usize,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<&'a str>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    metadata: &'a serde_json::Map<String, serde_json::Value>,
}

impl Args {
    /// Answers and prints.
    ///
    /// # Errors
    /// Whatever is wrong with gallery, bundle or question.
    pub fn run(self) -> Result<ExitCode> {
        let asked = match (self.text, self.image) {
            (Some(text), _) if text.trim().is_empty() => {
                return Err(Error::Usage("the sentence is empty".into()));
            }
            (Some(text), _) => Asked::Text(text),
            (None, Some(path)) => Asked::Image(path),
            (None, None) => return Err(Error::Usage("a sentence or --image is needed".into())),
        };
        let options = SearchOptions {
            folder: self.gallery,
            model: self.model,
            asked,
            limit: self.k,
            decode: self.pixels.limits(),
            device: device::choose(&self.gpu_id)?,
        };
        let answer = gallery::search(&options)?;
        if answer.truncated {
            note!("the sentence was cut to the network's positions");
        }
        if let Some(path) = &self.html {
            write_atomically(path, hits_page(&options.asked, &answer, &options.decode).as_bytes())?;
            note!("page: {}", path.display());
        }
        if !self.json {
            terminal::text(&table(&answer))?;
            return Ok(ExitCode::SUCCESS);
        }
        let manifest = answer.gallery.manifest();
        let hits = answer.hits.iter().enumerate().map(|(at, found)| Hit {
            rank: at + 1,
            score: found.score,
            index: found.index,
            key: &found.item.key,
            path: picture_path(&found.item, &manifest.sources),
            caption: found.item.caption.as_deref(),
            metadata: &found.item.metadata,
        });
        print_json(&Report {
            query: &options.asked,
            gallery: &options.folder,
            kind: manifest.spec.kind,
            items: manifest.items,
            exact: answer.gallery.is_exact(),
            seconds: answer.seconds,
            hits: hits.collect(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Rank, score and what it is, a line a hit.
fn table(answer: &Answer) -> String {
    let approximate = if answer.gallery.is_exact() { "" } else { ", approximate scores" };
    let line = |(at, found): (usize, &Found)| {
        format!("{:>4}  {:>7.4}  {}\n", at + 1, found.score, shown(&what(answer, found)))
    };
    let lines: String = answer.hits.iter().enumerate().map(line).collect();
    let count = answer.gallery.len();
    format!(
        "rank    score  {}\n{lines}of {count} in {:.1} ms{approximate}\n",
        match answer.gallery.spec().kind {
            GalleryKind::Images => "picture",
            GalleryKind::Captions => "caption",
        },
        answer.seconds.search * 1e3
    )
}

/// What a person takes a hit for: the file, or the sentence.
fn what(answer: &Answer, found: &Found) -> String {
    let item = &found.item;
    let path = picture_path(item, answer.gallery.sources());
    let path = path.map_or_else(|| item.key.clone(), |path| path.display().to_string());
    match (answer.gallery.spec().kind, &item.caption) {
        (GalleryKind::Captions, Some(caption)) => caption.clone(),
        (_, Some(caption)) => format!("{path}  ({caption})"),
        (_, None) => path,
    }
}
