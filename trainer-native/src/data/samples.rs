//! Pictures with captions as other layouts than the official one give them, and the one place
//! where they are put together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::known::Known;
use super::problem::{BrokenRecord, Problem, ProblemKind};
use super::split::{ImageEntry, Split};

/// Where a picture was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line of the file, from 0.
    pub line: Option<usize>,
}

impl Place {
    /// A problem found here.
    pub fn problem(&self, kind: ProblemKind, message: String) -> Problem {
        let problem = Problem::new(kind, &self.file, message);
        match self.line {
            Some(line) => problem.at(line),
            None => problem,
        }
    }
}

/// A picture, its captions, and the split it belongs to, where one is named.
#[derive(Clone, Debug)]
struct Sample {
    id: String,
    path: PathBuf,
    captions: Vec<String>,
    split: Option<String>,
    place: Place,
}

/// What a reader found in one record of its file.
pub(super) struct Record<'a> {
    /// Names the picture within the dataset.
    pub id: &'a str,
    /// Its file.
    pub path: PathBuf,
    /// Any number of sentences.
    pub captions: Vec<String>,
    /// The split as the file calls it.
    pub split: Option<&'a str>,
    /// The record's line, from 0, in formats that have lines.
    pub line: Option<usize>,
    /// What the record is called in messages, in formats that have none.
    pub name: String,
}

/// How a record is known: by its line, or else by its name; and the split that it says.
#[derive(Clone, Copy, Default)]
pub(super) struct Named<'a> {
    pub line: Option<usize>,
    pub name: &'a str,
    pub split: Option<&'a str>,
}

/// Everything that the files of a dataset name.
#[derive(Debug, Default)]
pub(super) struct Samples {
    samples: Vec<Sample>,
    index: HashMap<(Option<String>, String), usize>,
}

/// What a reader of a file works on.
pub(super) struct Reading<'a> {
    /// The conventions of the dataset.
    pub known: &'static Known,
    /// The file.
    pub file: &'a Path,
    /// The folder that names of pictures are relative to.
    pub images: &'a Path,
    /// The split of the whole file, where its name says it.
    pub split: Option<&'a str>,
    /// What was found so far.
    pub samples: &'a mut Samples,
    /// What was wrong so far.
    pub problems: &'a mut Vec<Problem>,
}

/// The split that a word means: Karpathy's `restval` is trained on, as everybody does, and `val` is
/// `dev`, as the official files call it.
pub(super) fn split_name(known: &Known, word: &str) -> String {
    let word = word.trim();
    match word.to_ascii_lowercase().as_str() {
        "train" | "training" | "restval" => known.train.to_owned(),
        "val" | "valid" | "validation" | "dev" => known.validation.to_owned(),
        "test" | "testing" | "testall" => known.test.to_owned(),
        _ => word.to_owned(),
    }
}

impl Reading<'_> {
    /// Notes something wrong.
    pub fn problem(&mut self, kind: ProblemKind, line: Option<usize>, message: impl Into<String>) {
        let problem = Problem::new(kind, self.file, message);
        self.problems.push(match line {
            Some(line) => problem.at(line),
            None => problem,
        });
    }

    /// Notes a record that cannot be used.
    pub fn broken(&mut self, kind: ProblemKind, record: Named<'_>, message: impl Into<String>) {
        let Named { line, name, split } = record;
        let name = line.map_or_else(|| name.to_owned(), |line| format!("line {}", line + 1));
        let split = self.split_of(split);
        self.problem(kind, line, message);
        if let Some(problem) = self.problems.last_mut() {
            problem.record = Some(BrokenRecord { name, split });
        }
    }

    /// The split of a record that says `split`.
    fn split_of(&self, split: Option<&str>) -> Option<String> {
        let split = split.filter(|split| !split.trim().is_empty()).or(self.split);
        split.map(|split| split_name(self.known, split))
    }

    /// Takes a record in. Records of one picture are one sample.
    pub fn add(&mut self, record: Record<'_>) {
        let Record { id, path, captions, split, line, name } = record;
        let described = |what: &str| match line {
            Some(_) => format!("{what} (image {id:?})"),
            None => format!("{name}: {what}"),
        };
        let captions: Vec<String> = captions.iter().map(|caption| one_line(caption)).collect();
        if captions.is_empty() || captions.iter().any(String::is_empty) {
            let what = if captions.is_empty() { "no caption" } else { "an empty caption" };
            self.broken(
                ProblemKind::NoCaption,
                Named { line, name: &name, split },
                described(what),
            );
        }
        let captions: Vec<String> = captions.into_iter().filter(|c| !c.is_empty()).collect();
        if captions.is_empty() {
            return;
        }
        let said = split;
        let split = self.split_of(split);
        let samples = &mut self.samples.samples;
        if let Some(first) = samples.first()
            && first.split.is_some() != split.is_some()
        {
            let what = match split {
                None => "no split, but others have one",
                Some(_) => "a split, but others have none",
            };
            return self.problem(ProblemKind::BadRecord, line, described(what));
        }
        let key = (split.clone(), id.to_owned());
        let at = *self.samples.index.entry(key).or_insert_with(|| {
            let place = Place { file: self.file.to_path_buf(), line };
            let (id, path) = (id.to_owned(), path.clone());
            samples.push(Sample { id, path, captions: Vec::new(), split, place });
            samples.len() - 1
        });
        if samples[at].path != path {
            // Its captions would be taken for another picture's.
            let before = samples[at].path.display();
            let what = described(&format!("{} and {before} have the same id", path.display()));
            let record = Named { line, name: &name, split: said };
            return self.broken(ProblemKind::BadRecord, record, what);
        }
        samples[at].captions.extend(captions);
    }
}

/// A caption is a line everywhere else.
fn one_line(caption: &str) -> String {
    caption.replace(['\n', '\r', '\t'], " ").trim().to_owned()
}

impl Samples {
    /// The splits that are named with their number of images, those known first.
    pub fn splits(&self, known: &Known) -> Vec<(String, usize)> {
        let mut splits: Vec<(String, usize)> = Vec::new();
        for name in self.samples.iter().filter_map(|sample| sample.split.as_ref()) {
            match splits.iter_mut().find(|(split, _)| split == name) {
                Some((_, count)) => *count += 1,
                None => splits.push((name.clone(), 1)),
            }
        }
        let order: Vec<&str> = known.splits().collect();
        let place = |name: &String| order.iter().position(|split| split == name);
        splits.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
        splits
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// The samples of a split, or all where none is named, and where they stand.
    pub fn split(&self, name: &str) -> (Split, Vec<Place>) {
        let mut split = Split {
            name: name.to_owned(),
            images: Vec::new(),
            captions: Vec::new(),
            image_of_caption: Vec::new(),
            kinds: None,
        };
        let mut places = Vec::new();
        let own = |sample: &&Sample| sample.split.as_deref().is_none_or(|split| split == name);
        for sample in self.samples.iter().filter(own) {
            let image = split.images.len();
            let count = sample.captions.len();
            split.image_of_caption.extend(std::iter::repeat_n(image, count));
            split.captions.extend(sample.captions.iter().cloned());
            split.images.push(ImageEntry { id: sample.id.clone(), path: sample.path.clone() });
            places.push(sample.place.clone());
        }
        (split, places)
    }
}
