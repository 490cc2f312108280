//! Checking a whole dataset, without stopping at the first problem.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use avse_core::image::pixels::{DecodeLimits, RgbImage};
use avse_core::input::{shown, shown_path};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde::Serialize;

use super::dataset::{Dataset, DatasetSpec};
use super::picture;
use super::problem::{Problem, ProblemKind};
use super::samples::Place;
use super::split::Split;
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
    /// The folder of its text files, or what else was named.
    pub folder: PathBuf,
    /// The folder of its pictures.
    pub images: PathBuf,
    /// What the splits hold.
    pub splits: Vec<SplitSummary>,
    /// The validation split where there is none, which training does without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_validation: Option<&'static str>,
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

/// A picture to look for, and where it is named.
struct Wanted {
    path: PathBuf,
    id: String,
    place: Place,
}

/// Checks texts, ids, mapping and pictures of a dataset.
///
/// # Errors
/// Only when there is nothing to check: [`crate::Error::Usage`] for an unknown dataset, or a
/// folder without one. Everything else is a [`Problem`].
pub fn verify(options: &VerifyOptions) -> Result<Verification> {
    verify_within(options, &DecodeLimits::default())
}

/// As [`verify`], with other limits of what a picture's file may ask for.
///
/// # Errors
/// As there.
pub fn verify_within(options: &VerifyOptions, limits: &DecodeLimits) -> Result<Verification> {
    let mut problems = Vec::new();
    let dataset = Dataset::open_leniently(&options.spec, &mut problems)?;
    let mut names = options.splits.clone();
    if names.is_empty() {
        names = dataset.split_names();
    }
    if names.is_empty() {
        names.push("all".into());
    }
    let lacks = options.splits.is_empty() && dataset.lacks_validation();
    let mut splits = Vec::new();
    let mut wanted = Vec::new();
    let mut split_of = HashMap::new();
    for name in names {
        let (split, places) = dataset.scan(&name, &mut problems)?;
        if dataset.is_official() {
            check_evenness(&split, &places, &mut problems);
        }
        check_overlap(&split, &places, &mut split_of, &mut problems);
        splits.push(SplitSummary {
            name: split.name,
            images: split.images.len(),
            captions: split.captions.len(),
        });
        let images = split.images.into_iter().zip(places);
        wanted.extend(images.map(|(image, place)| Wanted {
            path: image.path,
            id: image.id,
            place,
        }));
    }
    // An id without a file name points to the folder itself and has been noted already.
    let folder = dataset.images.join("");
    wanted.retain(|wanted| wanted.path.as_os_str() != folder.as_os_str());
    if dataset.images.is_dir() {
        problems.extend(check_pictures(&wanted, options.decode.then_some(limits)));
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
        without_validation: lacks.then_some(dataset.known.validation),
        decoded: options.decode,
        problems,
    })
}

/// Notes images whose number of captions is not the usual one of the split.
fn check_evenness(split: &Split, places: &[Place], problems: &mut Vec<Problem>) {
    let mut counts = vec![0; split.images.len()];
    split.image_of_caption.iter().for_each(|&image| counts[image] += 1);
    let mut images_with = BTreeMap::new();
    counts.iter().for_each(|&count| *images_with.entry(count).or_insert(0) += 1);
    let usual = images_with.into_iter().max_by_key(|&(_, images)| images);
    let Some((usual, _)) = usual else { return };
    for ((image, place), count) in split.images.iter().zip(places).zip(counts) {
        if count != usual {
            let message = format!("image {:?} has {count} captions, most have {usual}", image.id);
            problems.push(place.problem(ProblemKind::UnevenCaptions, message));
        }
    }
}

/// Notes images that an earlier split has too.
fn check_overlap(
    split: &Split,
    places: &[Place],
    split_of: &mut HashMap<String, String>,
    problems: &mut Vec<Problem>,
) {
    for (image, place) in split.images.iter().zip(places) {
        if let Some(other) = split_of.insert(image.id.clone(), split.name.clone()) {
            let message = format!("image {:?} stands in split {other} too", image.id);
            problems.push(place.problem(ProblemKind::SharedImage, message));
        }
    }
}

fn check_pictures(wanted: &[Wanted], decode: Option<&DecodeLimits>) -> Vec<Problem> {
    let style = ProgressStyle::with_template("images {bar:40} {pos}/{len} {per_sec} ETA {eta}");
    let bar = match decode.is_some() {
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
            Some(wanted.place.problem(kind, message))
        })
        .collect();
    bar.finish_and_clear();
    problems
}

fn picture_problem(path: &Path, decode: Option<&DecodeLimits>) -> Option<(ProblemKind, String)> {
    match picture::stat(path) {
        Ok(found) if found.bytes == 0 => {
            return Some((ProblemKind::BrokenImage, "empty file".into()));
        }
        Ok(_) => {}
        Err(e) => return Some((ProblemKind::MissingImage, e.to_string())),
    }
    let limits = decode?;
    let outcome = picture::read(path)
        .map_err(|e| e.to_string())
        .and_then(|bytes| RgbImage::decode(&bytes, limits).map_err(|e| e.to_string()));
    outcome.err().map(|error| (ProblemKind::BrokenImage, error))
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (folder, images) = (shown_path(&self.folder), shown_path(&self.images));
        writeln!(f, "{} in {folder}, images in {images}", self.dataset)?;
        for split in &self.splits {
            let SplitSummary { name, images, captions } = split;
            let name = shown(name);
            writeln!(f, "  {name:<8} {images:>7} images  {captions:>7} captions")?;
        }
        if let Some(name) = self.without_validation {
            writeln!(f, "  {name:<8} not there: training picks its best epoch on the test split")?;
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
            1 => write!(f, "\n1 problem{depth}"),
            n => write!(f, "\n{n} problems{depth}"),
        }
    }
}
