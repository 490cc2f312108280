//! The layout of the official code's Flickr30K and MS-COCO files.
//!
//! A split is two text files with a line per caption: `<split>_ids.txt` with the
//! image's id (once per caption, or once per image), `<split>_caps.txt` with the caption.
//! `id_mapping.json` gives every id its picture's file name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use avse_core::input::encoding;
use serde_json::Value;

use super::known::Known;
use super::problem::{Problem, ProblemKind, first_error};
use super::split::{ImageEntry, Split};
use crate::Result;
use crate::json_entries::Entries;

pub(super) const MAPPING: &str = "id_mapping.json";

/// File names by id.
pub(super) type Mapping = HashMap<String, String>;

/// The text files of a split, without the pictures.
#[derive(Debug, Clone)]
pub struct Captions {
    /// `train`, `test`, ...
    pub split: String,
    /// The id of every image, each once, in the order of their first captions.
    pub ids: Vec<String>,
    /// For every image the first line of the ids file that names it, from 0.
    pub first_line: Vec<usize>,
    /// In the order of the file, trimmed.
    pub captions: Vec<String>,
    /// For every caption the index of its image.
    pub image_of_caption: Vec<usize>,
    /// For every caption the kind of its wording, where a file says it.
    pub kinds: Option<Vec<String>>,
}

impl Captions {
    /// Reads the text files of a split.
    ///
    /// # Errors
    /// As [`super::Dataset::split`].
    pub fn read(folder: &Path, split: &str) -> Result<Self> {
        let mut problems = Vec::new();
        let captions = Self::scan(folder, split, &mut problems);
        match first_error(problems) {
            Some(error) => Err(error),
            None => Ok(captions),
        }
    }

    /// Reads what can be read of a split and notes everything that is wrong with its texts.
    pub(super) fn scan(folder: &Path, split: &str, problems: &mut Vec<Problem>) -> Self {
        let file = |what: &str| folder.join(format!("{split}_{what}.txt"));
        let lines = read_lines(&file("ids"), problems);
        let captions = read_lines(&file("caps"), problems);
        let (lines, captions) = (lines.unwrap_or_default(), captions.unwrap_or_default());
        let kinds_file = file("kinds");
        let kinds = kinds_file
            .exists()
            .then(|| read_lines(&kinds_file, problems))
            .flatten()
            .filter(|kinds| fits(&kinds_file, kinds.len(), captions.len(), problems));

        let (count, total) = (lines.len(), captions.len());
        let per_line = if count > 0 && total.is_multiple_of(count) { total / count } else { 0 };
        // A file that is missing altogether has been noted already.
        if per_line == 0 && file("ids").is_file() && file("caps").is_file() {
            let message = format!(
                "{count} lines, but {} has {total}: there must be a line for every caption, or \
                 one for every image with equally many captions",
                file("caps").display()
            );
            problems.push(Problem::new(ProblemKind::LineCount, &file("ids"), message));
        }
        let (mut ids, mut first_line, mut image_of_caption) = (Vec::new(), Vec::new(), Vec::new());
        let mut index_of = HashMap::new();
        for (line, id) in lines.into_iter().enumerate() {
            let index = *index_of.entry(id.clone()).or_insert(ids.len());
            if index == ids.len() {
                ids.push(id);
                first_line.push(line);
            }
            image_of_caption.extend(std::iter::repeat_n(index, per_line));
        }
        Self { split: split.to_owned(), ids, first_line, captions, image_of_caption, kinds }
    }
    /// Gives every image its file below `images`; `folder` is that of the text files.
    pub(super) fn locate(
        self,
        folder: &Path,
        images: &Path,
        mapping: &Mapping,
        problems: &mut Vec<Problem>,
    ) -> Split {
        let Self { split, ids, first_line, captions, image_of_caption, kinds } = self;
        let file = folder.join(format!("{split}_ids.txt"));
        let mut image = |(id, line): (String, usize)| {
            let name = mapping.get(&id).map(String::as_str).unwrap_or_else(|| {
                let message = format!("id {id:?} has no entry in {MAPPING}");
                problems.push(Problem::new(ProblemKind::UnmappedId, &file, message).at(line));
                ""
            });
            ImageEntry { path: images.join(name), id }
        };
        let images = ids.into_iter().zip(first_line).map(&mut image).collect();
        Split { name: split, images, captions, image_of_caption, kinds }
    }
}

fn fits(file: &Path, lines: usize, captions: usize, problems: &mut Vec<Problem>) -> bool {
    if lines != captions {
        let message = format!("{lines} lines for {captions} captions");
        problems.push(Problem::new(ProblemKind::LineCount, file, message));
    }
    lines == captions
}

/// The trimmed lines of a text file; `None` when it cannot be read.
fn read_lines(file: &Path, problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(e) => {
            problems.push(Problem::new(ProblemKind::MissingFile, file, e.to_string()));
            return None;
        }
    };
    let text = match encoding::unmarked(&bytes) {
        Ok(text) => text,
        Err(message) => {
            problems.push(Problem::new(ProblemKind::NotUtf8, file, message));
            return None;
        }
    };
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    if text.is_empty() {
        problems.push(Problem::new(ProblemKind::EmptyLine, file, "the file is empty"));
        return Some(Vec::new());
    }
    let mut lines = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        let (kind, message) = match &line {
            std::borrow::Cow::Owned(_) => (ProblemKind::NotUtf8, "not UTF-8"),
            line if line.trim().is_empty() => (ProblemKind::EmptyLine, "empty line"),
            line => {
                lines.push(line.trim().to_owned());
                continue;
            }
        };
        problems.push(Problem::new(kind, file, message).at(index));
        lines.push(line.trim().to_owned());
    }
    Some(lines)
}

/// Reads the file names by id.
pub(super) fn read_mapping(file: &Path, problems: &mut Vec<Problem>) -> Mapping {
    let mut note = |kind, message: String| problems.push(Problem::new(kind, file, message));
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(e) => {
            note(ProblemKind::MissingFile, e.to_string());
            return HashMap::new();
        }
    };
    // Not by way of a map: an id that has two files is named below.
    let text = encoding::text(&bytes);
    let entries = text.and_then(|text| serde_json::from_str(text).map_err(|e| e.to_string()));
    let entries = match entries {
        Ok(Entries(entries)) => entries,
        Err(e) => {
            note(ProblemKind::BadMapping, format!("no JSON object: {e}"));
            return HashMap::new();
        }
    };
    let mut mapping = HashMap::with_capacity(entries.len());
    for (id, value) in entries {
        match value {
            Value::String(name) if stays_inside(&name) => match mapping.entry(id) {
                Entry::Vacant(free) => {
                    free.insert(name);
                }
                Entry::Occupied(taken) if *taken.get() == name => {}
                Entry::Occupied(taken) => note(
                    ProblemKind::BadMapping,
                    format!("id {:?} has two files, {:?} and {name:?}", taken.key(), taken.get()),
                ),
            },
            other => note(
                ProblemKind::BadMapping,
                format!("id {id:?}: {other} is not a file name below the image folder"),
            ),
        }
    }
    mapping
}

/// Whether a file name is relative and leads to nothing outside its folder.
pub(super) fn stays_inside(name: &str) -> bool {
    use std::path::Component;
    let mut parts =
        Path::new(name).components().filter(|part| *part != Component::CurDir).peekable();
    // A name has to be left: `.` is the folder itself.
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a folder holds a dataset in this layout.
pub(super) fn is_official(known: &Known, folder: &Path) -> bool {
    let ids = known.splits().map(|split| folder.join(format!("{split}_ids.txt")));
    ids.chain([folder.join(MAPPING)]).any(|file| file.is_file())
}

/// The usual folder of the pictures: beside the dataset's folder as published, or inside it.
pub(super) fn image_folder(known: &Known, folder: &Path) -> PathBuf {
    let inside = folder.join("images");
    let Some(name) = known.image_folder else { return inside };
    let beside = folder.parent().unwrap_or(Path::new("")).join(name);
    [&beside, &folder.join(name), &inside]
        .into_iter()
        .find(|folder| folder.is_dir())
        .unwrap_or(&beside)
        .clone()
}
