//! What can be wrong with a dataset.

use std::fmt;
use std::path::{Path, PathBuf};

use avse_core::input::{shown, shown_path};
use serde::Serialize;

use crate::{Error, reading};

/// One thing wrong with a dataset, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What sort of thing.
    pub kind: ProblemKind,
    /// The file it was found in.
    pub file: PathBuf,
    /// The line of the file, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong, naming the id or picture concerned.
    pub message: String,
    /// The record that is wrong, where it is one: it alone can be left out.
    #[serde(skip)]
    pub record: Option<BrokenRecord>,
}

/// A record that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRecord {
    /// Its name in its file.
    pub name: String,
    /// Its split, where that is known.
    pub split: Option<String>,
}

/// The sorts of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A file of the layout is missing or cannot be read, or the folder of the pictures.
    MissingFile,
    /// A line is not UTF-8.
    NotUtf8,
    /// A line that must say something is empty.
    EmptyLine,
    /// Files that belong together have different numbers of lines.
    LineCount,
    /// The mapping is not an object of file names.
    BadMapping,
    /// An id has no file name.
    UnmappedId,
    /// A record that cannot be used: broken JSON, a missing column or field, a split that others lack.
    BadRecord,
    /// A tar file that ends too early.
    BrokenShard,
    /// An image without a caption, or with an empty one.
    NoCaption,
    /// An image has more or fewer captions than the others of its split.
    UnevenCaptions,
    /// An image stands in two splits.
    SharedImage,
    /// A picture is not there.
    MissingImage,
    /// A picture cannot be read or decoded.
    BrokenImage,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, file: &Path, message: impl Into<String>) -> Self {
        Self { kind, file: file.to_path_buf(), line: None, message: message.into(), record: None }
    }

    /// A record that is left out with its split, by its file and its name there; `None` for what concerns more than
    /// a record.
    pub(super) fn left_out(&self) -> Option<(Option<String>, reading::Problem)> {
        let BrokenRecord { name, split } = self.record.as_ref()?;
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        let (key, reason) = (format!("{file} {name}"), self.message.clone());
        Some((split.clone(), reading::Problem { key, reason }))
    }

    /// The same, found in a line counted from 0.
    pub(super) fn at(mut self, index: usize) -> Self {
        self.line = Some(index + 1);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shown_path(&self.file))?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        write!(f, ": {}", shown(&self.message))
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingFile => "missing files",
            Self::NotUtf8 => "lines that are not UTF-8",
            Self::EmptyLine => "empty lines",
            Self::LineCount => "numbers of lines that do not fit",
            Self::BadMapping => "entries of the id mapping that are not file names",
            Self::UnmappedId => "ids without a file name",
            Self::BadRecord => "records that cannot be used",
            Self::BrokenShard => "damaged tar files",
            Self::NoCaption => "images without a caption",
            Self::UnevenCaptions => "images with another number of captions than the rest",
            Self::SharedImage => "images that stand in two splits",
            Self::MissingImage => "missing images",
            Self::BrokenImage => "broken images",
        })
    }
}

/// The first of several problems as an error; the others are counted.
pub(super) fn first_error(problems: Vec<Problem>) -> Option<Error> {
    let others = problems.len().saturating_sub(1);
    let first = problems.into_iter().next()?;
    let line = first.line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let rest = match others {
        0 => String::new(),
        n => format!(" (and {n} more; `avse data verify` lists them)"),
    };
    Some(Error::format(&first.file, format!("{line}{}{rest}", first.message)))
}
