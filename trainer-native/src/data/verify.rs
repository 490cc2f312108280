//! Checking a whole dataset, without stopping at the first problem.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use avse_core::image::pixels::{DecodeLimits, RgbImage};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde::Serialize;

use super::layout::{Captions, Dataset, DatasetSpec};
use super::problem::{Problem, ProblemKind};
use crate::Result;

/// What to check.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// The dataset.
    pub spec: DatasetSpec,
    /// The splits; empty for all that the dataset is known to have.
    pub splits: Vec<String>,
    /// Whether to decode every picture instead of looking for its file only.
    pub decode: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Verification {
    /// The dataset's name.
    pub dataset: String,
    /// The folder of its text files.
    pub folder: PathBuf,
    /// The folder of its pictures.
    pub images: PathBuf,
    /// What the splits hold.
    pub splits: Vec<SplitSummary>,
    /// Whether the pictures were decoded.
    pub decoded: bool,
    /// Everything wrong, sorted by kind.
    pub problems: Vec<Problem>,
}

/// The size of a split.
#[derive(Debug, Serialize)]
pub struct SplitSummary {
    /// Its name.
    pub name: String,
    /// Its images.
    pub images: usize,
    /// Its captions.
    pub captions: usize,
}

/// A picture to look for, and the line that names it.
struct Wanted {
    path: PathBuf,
    id: String,
    ids_file: PathBuf,
    line: usize,
}

/// Checks texts, ids, mapping and pictures of a dataset.
///
/// # Errors
/// Only when there is nothing to check: [`crate::Error::Usage`] for an unknown dataset, or a
/// folder without one. Everything else is a [`Problem`].
pub fn verify(options: &VerifyOptions) -> Result<Verification> {
    let mut problems = Vec::new();
    let dataset = Dataset::open_leniently(&options.spec, &mut problems)?;
    let names = match options.splits.is_empty() {
        true => dataset.known.splits().map(str::to_owned).collect(),
        false => options.splits.clone(),
    };
    let mut splits = Vec::new();
    let mut wanted = Vec::new();
    let mut split_of = HashMap::new();
    for name in names {
        let captions = Captions::scan(&dataset.folder, &name, &mut problems);
        let ids_file = dataset.folder.join(format!("{name}_ids.txt"));
        check_evenness(&captions, &ids_file, &mut problems);
        check_overlap(&captions, &ids_file, &mut split_of, &mut problems);
        let lines = captions.first_line.clone();
        let split = dataset.locate(captions, &mut problems);
        splits.push(SplitSummary {
            name,
            images: split.images.len(),
            captions: split.captions.len(),
        });
        wanted.extend(split.images.into_iter().zip(lines).map(|(image, line)| Wanted {
            path: image.path,
            id: image.id,
            ids_file: ids_file.clone(),
            line,
        }));
    }
    // An id without a file name points to the folder itself and has been noted already.
    wanted.retain(|wanted| wanted.path != dataset.images.join(""));
    if dataset.images.is_dir() {
        problems.extend(check_pictures(&wanted, options.decode));
    } else {
        let message = format!("no such folder: {} pictures are missing", wanted.len());
        problems.push(Problem::new(ProblemKind::MissingFile, &dataset.images, message));
    }
    problems.sort_by(|a, b| {
        (a.kind, &a.file, a.line, &a.message).cmp(&(b.kind, &b.file, b.line, &b.message))
    });
    Ok(Verification {
        dataset: dataset.known.name.to_owned(),
        folder: dataset.folder,
        images: dataset.images,
        splits,
        decoded: options.decode,
        problems,
    })
}

/// Notes images whose number of captions is not the usual one of the split.
fn check_evenness(captions: &Captions, file: &Path, problems: &mut Vec<Problem>) {
    let mut counts = vec![0; captions.ids.len()];
    captions.image_of_caption.iter().for_each(|&image| counts[image] += 1);
    let mut images_with = BTreeMap::new();
    counts.iter().for_each(|&count| *images_with.entry(count).or_insert(0) += 1);
    let usual = images_with.into_iter().max_by_key(|&(_, images)| images);
    let Some((usual, _)) = usual else { return };
    for ((id, &line), count) in captions.ids.iter().zip(&captions.first_line).zip(counts) {
        if count != usual {
            let message = format!("image {id:?} has {count} captions, most have {usual}");
            problems.push(Problem::new(ProblemKind::UnevenCaptions, file, message).at(line));
        }
    }
}

/// Notes images that an earlier split has too.
fn check_overlap(
    captions: &Captions,
    file: &Path,
    split_of: &mut HashMap<String, String>,
    problems: &mut Vec<Problem>,
) {
    for (id, &line) in captions.ids.iter().zip(&captions.first_line) {
        if let Some(other) = split_of.insert(id.clone(), captions.split.clone()) {
            let message = format!("image {id:?} stands in split {other} too");
            problems.push(Problem::new(ProblemKind::SharedImage, file, message).at(line));
        }
    }
}

fn check_pictures(wanted: &[Wanted], decode: bool) -> Vec<Problem> {
    let style = ProgressStyle::with_template("images {bar:40} {pos}/{len} {per_sec} ETA {eta}");
    let bar = match decode {
        true => ProgressBar::new(wanted.len() as u64),
        false => ProgressBar::hidden(),
    }
    .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let problems = wanted
        .par_iter()
        .filter_map(|wanted| {
            bar.inc(1);
            let (kind, what) = picture_problem(&wanted.path, decode)?;
            let message = format!("image {:?}: {}: {what}", wanted.id, wanted.path.display());
            Some(Problem::new(kind, &wanted.ids_file, message).at(wanted.line))
        })
        .collect();
    bar.finish_and_clear();
    problems
}

fn picture_problem(path: &Path, decode: bool) -> Option<(ProblemKind, String)> {
    let size = match std::fs::metadata(path) {
        Ok(file) if file.is_file() => file.len(),
        Ok(_) => return Some((ProblemKind::MissingImage, "not a file".into())),
        Err(e) => return Some((ProblemKind::MissingImage, e.to_string())),
    };
    if size == 0 {
        return Some((ProblemKind::BrokenImage, "empty file".into()));
    }
    if !decode {
        return None;
    }
    let outcome = std::fs::read(path).map_err(|e| e.to_string()).and_then(|bytes| {
        RgbImage::decode(&bytes, &DecodeLimits::default()).map_err(|e| e.to_string())
    });
    outcome.err().map(|error| (ProblemKind::BrokenImage, error))
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (folder, images) = (self.folder.display(), self.images.display());
        writeln!(f, "{} in {folder}, images in {images}", self.dataset)?;
        for split in &self.splits {
            let SplitSummary { name, images, captions } = split;
            writeln!(f, "  {name:<8} {images:>7} images  {captions:>7} captions")?;
        }
        for group in self.problems.chunk_by(|a, b| a.kind == b.kind) {
            writeln!(f, "\n{} {}", group.len(), group[0].kind)?;
            for problem in group {
                writeln!(f, "  {problem}")?;
            }
        }
        let depth = if self.decoded { ", every image decoded" } else { "" };
        match self.problems.len() {
            0 => write!(f, "no problems{depth}"),
            n => write!(f, "\n{n} problems{depth}"),
        }
    }
}
