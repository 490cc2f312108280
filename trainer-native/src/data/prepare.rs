//! The official layout out of Karpathy's JSON and a folder of pictures.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::karpathy::{self, KarpathyImage};
use super::known::{KNOWN, Known};
use super::layout::{MAPPING, stays_inside};
use super::samples::split_name;
use crate::files::{folder_of, json, shell_word, write_atomically};
use crate::{Error, Result};

/// Missing pictures that an error names.
const NAMED: usize = 20;

/// What to write.
#[derive(Debug, Clone)]
pub struct PrepareOptions {
    /// Karpathy's file.
    pub karpathy: PathBuf,
    /// The folder of the pictures.
    pub images: PathBuf,
    /// The dataset's folder; replaced as a whole.
    pub out: PathBuf,
    /// The dataset's name, where the file does not say it.
    pub dataset: Option<String>,
    /// Captions of an image that are written.
    pub captions: CaptionLimit,
    /// Whether pictures that are not there are left out.
    pub skip_missing: bool,
}

/// How many captions of an image are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptionLimit {
    /// All of them.
    All,
    /// At most so many, the first ones. The official files have 5 an image.
    First(usize),
}

/// What was written.
#[derive(Debug)]
pub struct Prepared {
    /// The dataset.
    pub known: &'static Known,
    /// Its folder.
    pub folder: PathBuf,
    /// The folder of its pictures.
    pub images: PathBuf,
    /// Name, images and captions of every split.
    pub splits: Vec<(String, usize, usize)>,
    /// Captions beyond the limit.
    pub left_out: usize,
    /// Images whose picture is not there.
    pub missing: usize,
}

/// An image on its way into the files.
struct Entry {
    id: String,
    file: String,
    split: String,
    captions: Vec<String>,
}

/// Writes ids, captions and the id mapping. They are written beside `out`, which they then replace, so
/// that a reader never sees half of them.
///
/// # Errors
/// [`Error::Format`] for a file that is not Karpathy's, naming the entry; [`Error::Usage`] listing
/// pictures that are missing, or when `out` holds something else than a dataset.
pub fn prepare(options: &PrepareOptions) -> Result<Prepared> {
    if options.captions == CaptionLimit::First(0) {
        return Err(Error::Usage("--captions 0: at least 1".into()));
    }
    if !options.images.is_dir() {
        let message = format!("--images {}: no such folder", options.images.display());
        return Err(Error::Usage(message));
    }
    let (known, images) = read(options)?;
    refuse_foreign(&options.out)?;
    let mut left_out = 0;
    let entries = entries(options, known, images, &mut left_out)?;
    let (entries, missing) = check_pictures(options, entries)?;

    let parent = folder_of(&options.out);
    std::fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
    let staging = tempfile::Builder::new()
        .prefix(".prepare-")
        .tempdir_in(parent)
        .map_err(|e| Error::io(parent, e))?;
    let fresh = staging.path().join("new");
    std::fs::create_dir(&fresh).map_err(|e| Error::io(&fresh, e))?;
    let splits = write(&fresh, known, &entries)?;
    if options.out.exists() {
        let old = staging.path().join("old");
        std::fs::rename(&options.out, &old).map_err(|e| Error::io(&options.out, e))?;
    }
    std::fs::rename(&fresh, &options.out).map_err(|e| Error::io(&options.out, e))?;
    let (folder, images) = (options.out.clone(), options.images.clone());
    Ok(Prepared { known, folder, images, splits, left_out, missing })
}

/// The dataset that the file is of, and its images.
fn read(options: &PrepareOptions) -> Result<(&'static Known, Vec<KarpathyImage>)> {
    let file = &options.karpathy;
    let (mut images, mut wrong) = (Vec::new(), None);
    let dataset = karpathy::images(file, &mut |number, image| match image {
        Ok(image) => images.push(image),
        Err(message) => {
            wrong.get_or_insert_with(|| format!("images[{number}]: {message}"));
        }
    })
    .map_err(|(_, message)| Error::format(file, message))?;
    if let Some(message) = wrong {
        return Err(Error::format(file, message));
    }
    let name = options.dataset.clone().or_else(|| {
        let of_file = |known: &&Known| {
            known.karpathy.is_some_and(|name| file.file_name().is_some_and(|file| file == name))
        };
        let by_field = match dataset.as_deref() {
            Some("flickr30k") => Some("f30k"),
            Some("coco") => Some("coco"),
            _ => None,
        };
        by_field.or_else(|| KNOWN.iter().find(of_file).map(|known| known.name)).map(str::to_owned)
    });
    match name {
        Some(name) => Ok((Known::by_name(&name)?, images)),
        None => Err(Error::Usage(format!(
            "{}: neither its name nor its `dataset` says what it is; give --dataset",
            file.display()
        ))),
    }
}

fn entries(
    options: &PrepareOptions,
    known: &Known,
    images: Vec<KarpathyImage>,
    left_out: &mut usize,
) -> Result<Vec<Entry>> {
    let limit = match options.captions {
        CaptionLimit::All => usize::MAX,
        CaptionLimit::First(limit) => limit,
    };
    let wrong = |number: usize, message: String| {
        Error::format(&options.karpathy, format!("images[{number}]: {message}"))
    };
    let mut ids = HashMap::new();
    let mut entries = Vec::with_capacity(images.len());
    for (number, image) in images.into_iter().enumerate() {
        let id = image.id().unwrap_or(number as u64);
        if let Some(other) = ids.insert(id, number) {
            return Err(wrong(number, format!("id {id} is that of images[{other}] too")));
        }
        let file = image.file();
        if !stays_inside(&file) {
            let message = format!("{file:?} is not a file below the image folder");
            return Err(wrong(number, message));
        }
        let words = |raw: &str| raw.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut captions: Vec<String> =
            image.sentences.iter().map(|sentence| words(&sentence.raw)).collect();
        captions.retain(|caption| !caption.is_empty());
        if captions.is_empty() {
            return Err(wrong(number, format!("{file:?} has no caption")));
        }
        *left_out += captions.len().saturating_sub(limit);
        captions.truncate(limit);
        let split = split_name(known, &image.split);
        entries.push(Entry { id: id.to_string(), file, split, captions });
    }
    Ok(entries)
}

/// The images whose pictures are there, and the number of the others.
fn check_pictures(options: &PrepareOptions, entries: Vec<Entry>) -> Result<(Vec<Entry>, usize)> {
    let there: Vec<bool> =
        entries.par_iter().map(|entry| options.images.join(&entry.file).is_file()).collect();
    let missing: Vec<&str> = entries
        .iter()
        .zip(&there)
        .filter_map(|(entry, there)| (!there).then_some(entry.file.as_str()))
        .collect();
    let (count, total) = (missing.len(), entries.len());
    if count > 0 && (!options.skip_missing || count == total) {
        let mut named = missing[..count.min(NAMED)].join("\n  ");
        if count > NAMED {
            named.push_str(&format!("\n  and {} more", count - NAMED));
        }
        return Err(Error::Usage(format!(
            "{count} of {total} images are not below {}:\n  {named}\n--skip-missing leaves them out",
            options.images.display()
        )));
    }
    let kept = entries.into_iter().zip(there).filter_map(|(entry, there)| there.then_some(entry));
    Ok((kept.collect(), count))
}

fn write(folder: &Path, known: &Known, entries: &[Entry]) -> Result<Vec<(String, usize, usize)>> {
    let mut by_split: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    entries.iter().for_each(|entry| by_split.entry(&entry.split).or_default().push(entry));
    let order: Vec<&str> = known.splits().collect();
    let place = |name: &str| order.iter().position(|split| *split == name).unwrap_or(usize::MAX);
    let mut splits: Vec<_> = by_split.into_iter().collect();
    splits.sort_by_key(|(name, _)| place(name));
    let mut written = Vec::new();
    for (name, entries) in splits {
        let (mut ids, mut captions, mut count) = (String::new(), String::new(), 0);
        for entry in &entries {
            for caption in &entry.captions {
                ids.push_str(&entry.id);
                ids.push('\n');
                captions.push_str(caption);
                captions.push('\n');
                count += 1;
            }
        }
        write_atomically(&folder.join(format!("{name}_ids.txt")), ids.as_bytes())?;
        write_atomically(&folder.join(format!("{name}_caps.txt")), captions.as_bytes())?;
        written.push((name.to_owned(), entries.len(), count));
    }
    let mapping: HashMap<&str, &str> =
        entries.iter().map(|entry| (entry.id.as_str(), entry.file.as_str())).collect();
    let mapping: BTreeMap<_, _> = mapping.into_iter().collect();
    write_atomically(&folder.join(MAPPING), &json(&mapping)?)?;
    Ok(written)
}

/// Only a folder of this layout's files, or an empty one, may be replaced.
fn refuse_foreign(out: &Path) -> Result<()> {
    let own = |name: &str| {
        name == MAPPING || ["_ids.txt", "_caps.txt"].iter().any(|end| name.ends_with(end))
    };
    let foreign = match std::fs::read_dir(out) {
        Ok(entries) => entries
            .flatten()
            .map(|entry| entry.file_name())
            .find(|name| !name.to_str().is_some_and(own)),
        Err(_) if out.exists() => Some(out.as_os_str().to_owned()),
        Err(_) => None,
    };
    match foreign {
        Some(name) => Err(Error::Usage(format!(
            "{}: holds {name:?}, which is no part of the dataset's texts; choose another --out or move it",
            out.display()
        ))),
        None => Ok(()),
    }
}

impl fmt::Display for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: written", self.folder.display())?;
        for (name, images, captions) in &self.splits {
            writeln!(f, "  {name:<8} {images:>7} images  {captions:>7} captions")?;
        }
        if self.left_out > 0 {
            let left_out = self.left_out;
            writeln!(f, "  {left_out} captions beyond --captions an image are left out")?;
        }
        if self.missing > 0 {
            writeln!(f, "  {} images are left out: their pictures are missing", self.missing)?;
        }
        let (name, folder) = (self.known.name, shell_word(&self.folder));
        let images = shell_word(&self.images);
        write!(f, "next: avse train --dataset {name} --data_path {folder} --images {images}")
    }
}
