//! What lies where a dataset is said to be, told by names alone.

use std::fs::{DirEntry, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use avse_core::input::encoding;

use super::known::Known;
use super::samples::{Reading, split_name};
use super::{braces, json_lines, karpathy, table, webdataset};
use crate::files::folder_of;
use crate::{Error, Result};

/// A form that pictures and captions come in, beside the official layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Karpathy's JSON.
    Karpathy,
    /// CSV.
    Commas,
    /// TSV.
    Tabs,
    /// JSONL.
    Lines,
    /// A WebDataset shard.
    Shard,
}

/// Files of one form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Files {
    /// Their form.
    pub format: Format,
    /// Each with the split that its name says, if it does.
    pub files: Vec<(PathBuf, Option<String>)>,
    /// The folder they lie in.
    pub folder: PathBuf,
    /// Files beside them that would belong to them, but for being compressed.
    pub compressed: Vec<PathBuf>,
    /// Files beside them, of another form, of splits that they do not have.
    pub other: Vec<PathBuf>,
}

impl Format {
    const RECOGNISED: &str = ".json (Karpathy's), .csv, .tsv, .jsonl and .tar";

    pub fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Karpathy),
            "csv" => Some(Self::Commas),
            "tsv" => Some(Self::Tabs),
            "jsonl" | "ndjson" => Some(Self::Lines),
            "tar" => Some(Self::Shard),
            _ => None,
        }
    }

    /// Whether pictures lie in the files themselves.
    pub fn holds_pictures(self) -> bool {
        self == Self::Shard
    }

    /// Reads a file of this form.
    pub fn read(self, reading: &mut Reading<'_>) {
        match self {
            Self::Karpathy => karpathy::read(reading),
            Self::Commas => table::read(reading, b','),
            Self::Tabs => table::read(reading, b'\t'),
            Self::Lines => json_lines::read(reading),
            Self::Shard => webdataset::read(reading),
        }
    }
}

/// A file, or a pattern of shards; `None` when `data_path` is a folder or nothing.
///
/// # Errors
/// [`Error::Usage`] for a file of another form, or a pattern that is wrong.
pub(super) fn named(known: &Known, data_path: &Path) -> Result<Option<Files>> {
    let folder = || folder_of(data_path).to_path_buf();
    if data_path.is_file() {
        let Some(format) = Format::of(data_path) else {
            let mut start = Vec::new();
            let read = File::open(data_path).and_then(|file| file.take(16).read_to_end(&mut start));
            read.map_err(|e| Error::io(data_path, e))?;
            let what = encoding::packed(&start).unwrap_or_else(|| {
                format!("no dataset; its name must end in {}", Format::RECOGNISED)
            });
            return Err(Error::Usage(format!("{}: {what}", data_path.display())));
        };
        let files = vec![(data_path.to_path_buf(), None)];
        let (compressed, other) = (Vec::new(), Vec::new());
        return Ok(Some(Files { format, files, folder: folder(), compressed, other }));
    }
    let pattern = data_path.to_str().filter(|text| text.contains('{') && !data_path.is_dir());
    let Some(text) = pattern else {
        return Ok(None);
    };
    let names = braces::expand(text).map_err(Error::Usage)?;
    if let Some(other) =
        names.iter().find(|name| Format::of(Path::new(name)) != Some(Format::Shard))
    {
        return Err(Error::Usage(format!("{other}: a pattern is for .tar files")));
    }
    let files = names.into_iter().map(|name| shard(known, name.into())).collect();
    let (format, compressed, other) = (Format::Shard, Vec::new(), Vec::new());
    Ok(Some(Files { format, files, folder: folder(), compressed, other }))
}

/// What a folder holds: a file a split, Karpathy's file, or shards.
///
/// # Errors
/// [`Error::Io`] when it cannot be listed.
pub(super) fn inside(known: &Known, folder: &Path) -> Result<Option<Files>> {
    let entries = listed(folder)?;
    let mut compressed: Vec<PathBuf> =
        entries.iter().filter(|file| is_compressed(file)).cloned().collect();
    let found = |format, files: Vec<(PathBuf, Option<String>)>, mut compressed: Vec<PathBuf>| {
        compressed
            .retain(|file| unpacked(file).is_some_and(|name| Format::of(&name) == Some(format)));
        let lacks = |split: &String| files.iter().all(|(_, own)| own.as_ref() != Some(split));
        let is_other = |file: &&PathBuf| {
            Format::of(file).is_some_and(|form| form != format && form != Format::Karpathy)
                && file.is_file()
                && shard(known, file.to_path_buf()).1.is_some_and(|split| lacks(&split))
        };
        // Karpathy's file names all splits itself.
        let other = match format {
            Format::Karpathy => Vec::new(),
            _ => entries.iter().filter(is_other).cloned().collect(),
        };
        Ok(Some(Files { format, files, folder: folder.to_path_buf(), compressed, other }))
    };
    for format in [Format::Commas, Format::Tabs, Format::Lines] {
        let of_split = |file: &PathBuf| {
            let split = split_of(known, file.file_stem()?.to_str()?)?;
            (Format::of(file) == Some(format) && file.is_file())
                .then(|| (file.clone(), Some(split)))
        };
        let files: Vec<_> = entries.iter().filter_map(of_split).collect();
        if !files.is_empty() {
            // Other tables may lie there, too.
            compressed.retain(|file| {
                let stem =
                    unpacked(file).and_then(|name| Some(name.file_stem()?.to_str()?.to_owned()));
                stem.is_some_and(|stem| split_of(known, &stem).is_some())
            });
            return found(format, files, compressed);
        }
    }
    if let Some(file) = known.karpathy.map(|name| folder.join(name)).filter(|file| file.is_file()) {
        return found(Format::Karpathy, vec![(file, None)], Vec::new());
    }
    let is_shard = |file: &PathBuf| Format::of(file) == Some(Format::Shard) && file.is_file();
    let mut shards: Vec<_> =
        entries.iter().filter(|file| is_shard(file)).map(|f| shard(known, f.clone())).collect();
    for below in entries.iter().filter(|below| below.is_dir()) {
        let split = below.file_name().and_then(|name| split_of(known, name.to_str()?));
        if let Some(split) = split {
            let files = listed(below)?;
            compressed.extend(files.iter().filter(|file| is_compressed(file)).cloned());
            let files = files.into_iter().filter(is_shard);
            shards.extend(files.map(|file| (file, Some(split.clone()))));
        }
    }
    match shards.is_empty() && !compressed.iter().any(|file| is_compressed_tar(file)) {
        true => Ok(None),
        false => found(Format::Shard, shards, compressed),
    }
}

/// The name of a compressed file once it is unpacked, by its ending.
fn unpacked(file: &Path) -> Option<PathBuf> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "gz" | "bz2" | "xz" | "zst" | "lz4" | "lz" | "z" => Some(file.with_extension("")),
        "tgz" | "tbz" | "tbz2" | "txz" | "tzst" => Some(file.with_extension("tar")),
        _ => None,
    }
}

fn is_compressed(file: &Path) -> bool {
    unpacked(file).is_some() && file.is_file()
}

fn is_compressed_tar(file: &Path) -> bool {
    unpacked(file).is_some_and(|name| Format::of(&name) == Some(Format::Shard))
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    // Hidden files are not the dataset's: macOS puts `._train.tar` beside `train.tar`.
    let hidden = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    let shown = entries.flatten().filter(|entry| !hidden(entry));
    let mut paths: Vec<PathBuf> = shown.map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// A file with the split that its name starts with, as in `train-000000.tar`.
fn shard(known: &Known, file: PathBuf) -> (PathBuf, Option<String>) {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let word =
        stem.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_', '.']);
    let split = split_of(known, word);
    (file, split)
}

/// The split that a file's name means, if it is one.
fn split_of(known: &Known, word: &str) -> Option<String> {
    let split = split_name(known, word);
    known.splits().any(|known| known == split).then_some(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_form_and_split() {
        let folder = tempfile::tempdir().unwrap();
        let known = Known::by_name("coco").unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
        };
        let found = || {
            let found = inside(known, folder.path()).unwrap()?;
            let splits = found.files.into_iter().map(|(_, split)| split);
            Some((found.format, splits.collect::<Vec<_>>()))
        };
        assert_eq!(found(), None);
        for name in ["train-000.tar", "val_1.tar", "other-0.tar", "test/7.tar", "extra/7.tar"] {
            write(name);
        }
        let splits = ["other", "train", "dev", "testall"]
            .map(|split| (split != "other").then(|| split.to_owned()));
        assert_eq!(found(), Some((Format::Shard, splits.to_vec())));
        write("dataset_coco.json");
        assert_eq!(found(), Some((Format::Karpathy, vec![None])));
        write("val.csv");
        write("notes.csv");
        assert_eq!(found(), Some((Format::Commas, vec![Some("dev".into())])));
    }

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let known = Known::by_name("f30k").unwrap();
        let file = folder.path().join("a.csv.gz");
        std::fs::write(&file, "").unwrap();
        let error = named(known, &file).unwrap_err().to_string();
        assert!(error.contains("a.csv.gz") && error.contains(".jsonl"), "{error}");
        let error = named(known, Path::new("a-{0..1}.csv")).unwrap_err().to_string();
        assert!(error.contains("a-0.csv: a pattern is for .tar files"), "{error}");
    }
}
