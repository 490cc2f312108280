//! Options that say what to encode, and how precisely: of `avse index build`, `avse index add` and `avse encode`.

use std::path::{Path, PathBuf};

use avse_core::gallery::{GalleryKind, Source, StoredPrecision};
use clap::ValueEnum;

use crate::data::{Dataset, DatasetSpec};
use crate::files::folder_of;
use crate::terminal::note;
use crate::{Error, Result};

/// A folder, a dataset or a list.
#[derive(Debug, clap::Args)]
pub struct SourceArgs {
    /// Folder of pictures, with all below it but hidden ones
    #[arg(conflicts_with_all = ["items", "dataset"])]
    folder: Option<PathBuf>,
    /// List of items, one JSON object a line: `image` (a path relative to the list), `caption`,
    /// `key`, and whatever else is to be kept
    #[arg(long, value_name = "FILE", conflicts_with = "dataset")]
    items: Option<PathBuf>,
    /// Dataset: f30k, coco or emoji [default, with --data_path: f30k]
    #[arg(long)]
    dataset: Option<String>,
    /// Folder that holds the datasets [default: data], or a file (Karpathy's .json, .csv, .tsv, .jsonl), or .tar files:
    /// a folder of them or a pattern like shard-{000000..000009}.tar
    #[arg(long = "data_path", alias = "data-path", conflicts_with_all = ["folder", "items"])]
    data_path: Option<PathBuf>,
    /// Split of the dataset; without one, its test split
    #[arg(long, conflicts_with_all = ["folder", "items"])]
    split: Option<String>,
    /// Folder of the dataset's pictures, when it is not the usual one
    #[arg(long, conflicts_with_all = ["folder", "items"])]
    images: Option<PathBuf>,
    /// What to encode; without it, images, or captions where a list of items has no images
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Images,
    Captions,
}

/// How precisely blocks are kept.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Precision {
    /// 4 bytes a number.
    F32,
    /// 2 bytes a number.
    F16,
    /// Only the 8-bit blocks.
    Int8,
}

impl Precision {
    /// As the core has it.
    pub fn stored(self) -> StoredPrecision {
        match self {
            Self::F32 => StoredPrecision::F32,
            Self::F16 => StoredPrecision::F16,
            Self::Int8 => StoredPrecision::Int8,
        }
    }
}

impl SourceArgs {
    /// What to encode of it, where it is said.
    pub fn kind(&self) -> Option<GalleryKind> {
        self.kind.map(|kind| match kind {
            Kind::Images => GalleryKind::Images,
            Kind::Captions => GalleryKind::Captions,
        })
    }

    /// The source with absolute paths; `None` when nothing is said.
    ///
    /// # Errors
    /// When it is not there.
    pub fn source(&self) -> Result<Option<Source>> {
        if let Some(folder) = &self.folder {
            if folder.is_file() {
                let message = "is a file, not a folder; a list of items is given with --items, the file of a dataset \
                               (.json, .csv, .tsv, .jsonl, .tar) with --data_path";
                return Err(Error::format(folder, message));
            }
            return Ok(Some(Source::Folder { path: absolute(folder)? }));
        }
        if let Some(items) = &self.items {
            return Ok(Some(Source::Items { path: absolute(items)? }));
        }
        let (name, data_path) = (self.dataset.as_deref(), self.data_path.as_deref());
        let Some(spec) = dataset_spec(name, data_path, self.images.as_deref()) else {
            if self.split.is_some() || self.images.is_some() {
                let message =
                    "--split and --images are of a dataset: give --dataset or --data_path, too";
                return Err(Error::Usage(message.into()));
            }
            return Ok(None);
        };
        let dataset = Dataset::open_skipping(&spec)?;
        if let Some(whole) = dataset.without_splits() {
            note!("{whole}");
        }
        Ok(Some(Source::Dataset {
            data_path: absolute_pattern(&spec.data_path)?,
            name: spec.name,
            split: self.split.clone().unwrap_or_else(|| dataset.known.test.to_string()),
            images: absolute(&dataset.images)?,
        }))
    }
}

/// The dataset that options name: by its name, by its place, or both.
pub(super) fn dataset_spec(
    name: Option<&str>,
    data_path: Option<&Path>,
    images: Option<&Path>,
) -> Option<DatasetSpec> {
    (name.is_some() || data_path.is_some()).then(|| DatasetSpec {
        name: name.unwrap_or("f30k").to_owned(),
        data_path: data_path.unwrap_or(Path::new("data")).to_path_buf(),
        images: images.map(Path::to_path_buf),
    })
}

/// The same for what may be a pattern of files.
fn absolute_pattern(path: &Path) -> Result<String> {
    if path.exists() {
        return absolute(path);
    }
    let folder = absolute(folder_of(path))?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    Ok(format!("{folder}/{name}"))
}

/// The path from the root, so that the gallery can be asked from anywhere.
fn absolute(path: &Path) -> Result<String> {
    let found = path.canonicalize().map_err(|e| Error::io(path, e))?;
    let text = found.to_str().ok_or_else(|| Error::format(&found, "its path is not UTF-8"))?;
    Ok(text.to_string())
}
