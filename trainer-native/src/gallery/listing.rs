//! What a source holds.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use avse_core::gallery::{Item, Source};
use avse_core::image::formats::PictureFormat;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::data::picture;
pub use crate::reading::Problem;

/// One thing to have an embedding of.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name, unique within the source.
    pub key: String,
    /// What is encoded.
    pub content: Content,
    /// Whatever else is known about it.
    pub metadata: Map<String, Value>,
}

/// What is encoded of an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A picture's file.
    Picture {
        /// Relative to the source's folder or absolute; the key, where there is none.
        path: Option<String>,
        /// Words for it.
        caption: Option<String>,
    },
    /// A sentence.
    Caption {
        /// The sentence.
        text: String,
        /// The picture that it is about.
        path: Option<String>,
    },
}

/// The entries of a source in their order, and what could not be looked at.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Every entry; keys are unique.
    pub entries: Vec<Entry>,
    /// Files and folders that could not be looked at.
    pub problems: Vec<Problem>,
    /// Pictures of formats that this build does not read.
    pub unread_formats: Vec<UnreadFormat>,
}

/// Pictures of a format that this build does not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadFormat {
    /// Its name.
    pub format: &'static str,
    /// How many there are.
    pub files: usize,
    /// What to do about it.
    pub advice: &'static str,
}

impl UnreadFormat {
    pub(super) fn new(format: PictureFormat, files: usize) -> Self {
        Self { format: format.name(), files, advice: format.advice() }
    }
}

impl fmt::Display for UnreadFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, files, advice } = self;
        let (files, are) = match files {
            1 => ("1 file".to_owned(), "is"),
            files => (format!("{files} files"), "are"),
        };
        write!(f, "{files} of format {format} {are} left out: {advice}")
    }
}

/// A relative path with `/` between its parts; `None` when it is not UTF-8.
pub(crate) fn slashes(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    // An absolute path starts with a part that is the separator itself.
    Some(parts?.join("/").replacen("//", "/", 1))
}

impl Entry {
    /// The picture's file, as its item will name it.
    pub(super) fn path(&self) -> Option<&str> {
        match &self.content {
            Content::Picture { path, .. } => Some(path.as_deref().unwrap_or(&self.key)),
            Content::Caption { path, .. } => path.as_deref(),
        }
    }

    /// The entry as an item, its hash and stat left for the caller.
    pub(crate) fn item(&self, source: usize) -> Item {
        let caption = match &self.content {
            Content::Picture { caption, .. } => caption.clone(),
            Content::Caption { text, .. } => Some(text.clone()),
        };
        Item {
            key: self.key.clone(),
            source,
            path: self.path().map(str::to_owned),
            caption,
            metadata: self.metadata.clone(),
            ..Item::default()
        }
    }
}

/// What tells whether a file has changed, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) bytes: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: Option<i64>,
}

impl Stat {
    /// What an item says of its file.
    pub(super) fn of_item(item: &Item) -> Option<Self> {
        item.bytes.map(|bytes| Self { bytes, modified: item.modified })
    }

    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let found = picture::stat(path)?;
        let since = found.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = since.and_then(|since| i64::try_from(since.as_nanos()).ok());
        Ok(Self { bytes: found.bytes, modified })
    }
}

/// The folder that paths of a source's items are relative to.
pub(super) fn base(source: &Source) -> &Path {
    match source {
        Source::Folder { path } => Path::new(path),
        Source::Dataset { images, .. } => Path::new(images),
        Source::Items { path } => Path::new(path).parent().unwrap_or(Path::new("")),
    }
}

/// The picture's file of an item, if it has one.
pub fn picture_path(item: &Item, sources: &[Source]) -> Option<PathBuf> {
    let path = item.path.as_ref()?;
    Some(sources.get(item.source).map_or_else(|| path.into(), |source| base(source).join(path)))
}
