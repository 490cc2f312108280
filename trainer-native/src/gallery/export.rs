//! Embeddings as a file for other programs.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use avse_core::gallery::{ContentHash, GalleryKind, Item, Source};
use avse_core::similarity::{BlockShape, Blocks};
use burn::tensor::Device;
use indicatif::ProgressBar;
use npyz::WriterBuilder;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::Serialize;

use super::bundle::ChosenBundle;
use super::encoder::{Encoder, Seen};
use super::listing::{Content, Entry, Problem, UnreadFormat};
use super::plan::file;
use super::sources::list;
use crate::files::{folder_of, json, write_atomically, write_atomically_with};
use crate::reading::{ReadPolicy, Skipped, list_beside};
use crate::{Error, Result, progress};

/// What to encode, and where to.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// What.
    pub source: Source,
    /// Pictures or sentences of it.
    pub kind: GalleryKind,
    /// The bundle; without one, the demo's.
    pub model: Option<PathBuf>,
    /// The file: `.npy`, or `.safetensors` with one tensor `embeddings`; f32 `[N, blocks, width]`.
    /// `<file>.items.json` beside it says what the rows are.
    pub out: PathBuf,
    /// Where the model runs.
    pub device: Device,
    /// Show no progress.
    pub quiet: bool,
    /// How pictures are read.
    pub reading: ReadPolicy,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct ExportReport {
    /// The embeddings.
    pub embeddings: PathBuf,
    /// What the rows are.
    pub items: PathBuf,
    /// The bundle.
    pub model: PathBuf,
    /// `[N, blocks, width]`.
    pub shape: [usize; 3],
    /// What could not be read, and has no row.
    pub unreadable: Vec<Problem>,
    /// Pictures of formats that this build does not read.
    pub unread_formats: Vec<UnreadFormat>,
    /// The file that lists it, where anything could not be read.
    pub unreadable_list: Option<PathBuf>,
    /// Captions longer than the network has positions for.
    pub truncated_captions: usize,
}

/// Encodes a source into a file of unit blocks.
///
/// # Errors
/// Whatever is wrong with source, bundle or file; a source with nothing that can be read.
pub fn export(options: &ExportOptions) -> Result<ExportReport> {
    let format = Format::of(&options.out)?;
    let listing = list(&options.source, options.kind)?;
    let bundle = ChosenBundle::choose(options.model.as_deref(), None)?;
    let avse = bundle.load(&options.device)?;
    let bar = match options.quiet {
        true => ProgressBar::hidden(),
        false => progress::bar(listing.entries.len() as u64, "encode"),
    };
    let mut spool = Spool::new(&options.out)?;
    let mut push = |blocks: Blocks<'_>, _: &[ContentHash]| spool.push(blocks.values());
    let encoder = Encoder::new(&avse, &bar, &options.reading.limits);
    let total = listing.entries.len() + listing.problems.len();
    let skipped = Skipped::new(&options.reading, (total, "items"), list_beside(&options.out));
    skipped.add_all(&listing.problems)?;
    let (mut items, mut truncated_captions) = (Vec::new(), 0);
    match options.kind {
        GalleryKind::Images => {
            let path = |entry: &Entry| file(&options.source, entry);
            let paths: Vec<PathBuf> = listing.entries.iter().map(path).collect();
            let entries = &listing.entries;
            let mut broken = |at: usize, reason: &str| skipped.add(&entries[at].key, reason);
            let seen = encoder.pictures(&paths, &mut push, &mut broken)?;
            for (entry, seen) in entries.iter().zip(seen) {
                if let Seen::Content(sha256) = seen {
                    items.push(Item { sha256, ..entry.item(0) });
                }
            }
        }
        GalleryKind::Captions => {
            let text = |entry: &Entry| match &entry.content {
                Content::Caption { text, .. } => text.clone(),
                Content::Picture { .. } => String::new(),
            };
            let texts: Vec<String> = listing.entries.iter().map(text).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            truncated_captions = encoder.sentences(&texts, &mut push)?;
            items.extend(listing.entries.iter().zip(&texts).map(|(entry, text)| Item {
                sha256: ContentHash::of(text.as_bytes()),
                ..entry.item(0)
            }));
        }
    }
    bar.finish_and_clear();
    if items.is_empty() {
        let unread: String = listing.unread_formats.iter().map(|it| format!("; {it}")).collect();
        let place = super::build::describe(&options.source);
        let lost = skipped.problems();
        let first =
            lost.first().map(|first| format!("; {} could not be read, first {first}", lost.len()));
        return Err(Error::Usage(format!(
            "nothing to encode in {place}{}{unread}",
            first.unwrap_or_default()
        )));
    }
    let BlockShape { blocks, width } = options.kind.shape(&avse.config);
    let shape = [items.len(), blocks, width];
    spool.finish(format, shape)?;
    let list = items_path(&options.out);
    let about = Items { model: &bundle.fingerprint, source: &options.source, shape, items: &items };
    write_atomically(&list, &json(&about)?)?;
    Ok(ExportReport {
        embeddings: options.out.clone(),
        items: list,
        model: bundle.folder,
        shape,
        unread_formats: listing.unread_formats,
        unreadable: skipped.problems(),
        unreadable_list: skipped.finish(),
        truncated_captions,
    })
}

/// `<file>.items.json`.
#[derive(Serialize)]
struct Items<'a> {
    /// The fingerprint of the bundle.
    model: &'a str,
    source: &'a Source,
    shape: [usize; 3],
    items: &'a [Item],
}

fn items_path(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".items.json");
    out.with_file_name(name)
}

#[derive(Clone, Copy)]
enum Format {
    Npy,
    Safetensors,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("npy") => Ok(Self::Npy),
            Some("safetensors") => Ok(Self::Safetensors),
            _ => Err(Error::Usage(format!(
                "{}: the file must end in .npy or .safetensors",
                path.display()
            ))),
        }
    }

    /// All that stands before the numbers.
    fn header(self, shape: [usize; 3]) -> Result<Vec<u8>> {
        let failed = |e: &dyn std::fmt::Display| Error::Usage(format!("header: {e}"));
        match self {
            Self::Npy => {
                let mut header = Vec::new();
                let dtype = npyz::DType::Plain("<f4".parse().map_err(|e| failed(&e))?);
                npyz::WriteOptions::new_header_only()
                    .dtype(dtype)
                    .shape(&shape.map(|size| size as u64))
                    .writer(&mut header)
                    .write_header_only()
                    .map_err(|e| failed(&e))?;
                Ok(header)
            }
            Self::Safetensors => {
                let bytes = shape.iter().product::<usize>() * size_of::<f32>();
                let info = TensorInfo {
                    dtype: Dtype::F32,
                    shape: shape.to_vec(),
                    data_offsets: (0, bytes),
                };
                let metadata = Metadata::new(None, vec![("embeddings".to_string(), info)]);
                let metadata = metadata.map_err(|e| failed(&e))?;
                let mut json = serde_json::to_vec(&metadata).map_err(|e| failed(&e))?;
                json.resize(json.len().next_multiple_of(8), b' ');
                Ok([&(json.len() as u64).to_le_bytes()[..], &json].concat())
            }
        }
    }
}

/// Numbers whose count is not known before the last: on disk, beside where they go.
struct Spool {
    out: PathBuf,
    numbers: BufWriter<File>,
}

impl Spool {
    fn new(out: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder_of(out)).map_err(|e| Error::io(out, e))?;
        Ok(Self { out: out.to_path_buf(), numbers: BufWriter::with_capacity(1 << 20, file) })
    }

    fn push(&mut self, values: &[f32]) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.numbers.write_all(&bytes).map_err(|e| Error::io(&self.out, e))
    }

    fn finish(self, format: Format, shape: [usize; 3]) -> Result<()> {
        let io = |e| Error::io(&self.out, e);
        let header = format.header(shape)?;
        let mut numbers = self.numbers.into_inner().map_err(|e| io(e.into_error()))?;
        numbers.seek(SeekFrom::Start(0)).map_err(io)?;
        write_atomically_with(&self.out, |file| {
            std::io::copy(&mut header.as_slice().chain(numbers), file).map_err(io)?;
            Ok(())
        })
    }
}
