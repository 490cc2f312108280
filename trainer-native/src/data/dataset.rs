//! A dataset and its splits, in whichever form it comes.

use std::path::{Path, PathBuf};

use super::known::Known;
use super::layout::{Captions, MAPPING, Mapping, image_folder, is_official, read_mapping};
use super::problem::{Problem, ProblemKind, first_error};
use super::samples::{Place, Reading, Samples, split_name};
use super::source::{self, Files, Format};
use super::split::Split;
use crate::{Error, Result, reading};

/// Where a dataset is.
#[derive(Debug, Clone)]
pub struct DatasetSpec {
    /// One of the [`super::KNOWN`] names.
    pub name: String,
    /// The folder that holds the dataset's folder, or that folder itself; or a file of another form
    /// (Karpathy's JSON, CSV, TSV, JSONL, tar), or a pattern of tar files.
    pub data_path: PathBuf,
    /// The folder of the pictures, when it is not the usual one.
    pub images: Option<PathBuf>,
}

/// A dataset on disk; its splits are read one by one.
#[derive(Debug)]
pub struct Dataset {
    /// What is known about it.
    pub known: &'static Known,
    /// The folder of its text files, or what else `data_path` named.
    pub folder: PathBuf,
    /// The folder of its pictures.
    pub images: PathBuf,
    /// Records that are left out, with their splits where these are known.
    broken: Vec<(Option<String>, reading::Problem)>,
    texts: Texts,
}

/// Where the captions are.
#[derive(Debug)]
enum Texts {
    /// In the official layout, which is read split by split, with its id mapping.
    Official(Mapping),
    /// In files of another form, which have been read.
    Read(Samples),
}

impl Dataset {
    /// Finds a dataset and reads its id mapping.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown name or a folder without the dataset;
    /// [`Error::Format`] for a mapping that is not an object of file names, and whatever is wrong
    /// with files of other forms.
    pub fn open(spec: &DatasetSpec) -> Result<Self> {
        let mut problems = Vec::new();
        let dataset = Self::open_leniently(spec, &mut problems)?;
        match first_error(problems) {
            Some(error) => Err(error),
            None => Ok(dataset),
        }
    }

    /// As [`Dataset::open`], but records that cannot be used are left out: lines of tables and lists, images of
    /// Karpathy's, samples of shards. In the official layout nothing can be: its files belong together line by line.
    ///
    /// # Errors
    /// As [`Dataset::open`] for whatever concerns more than a record, and where no record is left.
    pub fn open_skipping(spec: &DatasetSpec) -> Result<Self> {
        let mut problems = Vec::new();
        let mut dataset = Self::open_leniently(spec, &mut problems)?;
        let is_empty = matches!(&dataset.texts, Texts::Read(samples) if samples.len() == 0);
        dataset.broken = problems.iter().filter_map(Problem::left_out).collect();
        if !is_empty {
            problems.retain(|problem| problem.record.is_none());
        }
        match first_error(problems) {
            Some(error) => Err(error),
            None => Ok(dataset),
        }
    }

    /// As [`Dataset::open`], but what is wrong is only noted.
    pub(super) fn open_leniently(spec: &DatasetSpec, problems: &mut Vec<Problem>) -> Result<Self> {
        let known = Known::by_name(&spec.name)?;
        if let Some(files) = source::named(known, &spec.data_path)? {
            return Ok(Self::read(known, &files, spec, problems));
        }
        let candidates = [spec.data_path.join(known.name), spec.data_path.clone()];
        if let Some(folder) = candidates.iter().find(|folder| is_official(known, folder)) {
            let images = spec.images.clone().unwrap_or_else(|| image_folder(known, folder));
            let texts = Texts::Official(read_mapping(&folder.join(MAPPING), problems));
            return Ok(Self { known, folder: folder.clone(), images, broken: Vec::new(), texts });
        }
        for folder in &candidates {
            if let Some(files) = source::inside(known, folder)? {
                return Ok(Self::read(known, &files, spec, problems));
            }
        }
        if !spec.data_path.exists() {
            return Err(nothing_there(known, &spec.data_path));
        }
        Err(no_dataset(known, &candidates))
    }

    fn read(
        known: &'static Known,
        found: &Files,
        spec: &DatasetSpec,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let images = match &spec.images {
            _ if found.format.holds_pictures() => found.folder.clone(),
            Some(images) => images.clone(),
            None => match image_folder(known, &found.folder) {
                usual if found.format == Format::Karpathy && usual.is_dir() => usual,
                _ => found.folder.clone(),
            },
        };
        for file in &found.compressed {
            let message =
                "it is compressed, and would be left out: unpack it, or move it elsewhere";
            problems.push(Problem::new(ProblemKind::BadRecord, file, message));
        }
        for file in &found.other {
            let message = "its split would be left out: the other files here are of another form. Bring all into one form, \
                           or name what is meant with --data_path";
            problems.push(Problem::new(ProblemKind::BadRecord, file, message));
        }
        let mut samples = Samples::default();
        for (file, split) in &found.files {
            let split = split.as_deref();
            let samples = &mut samples;
            found.format.read(&mut Reading {
                known,
                file,
                images: &images,
                split,
                samples,
                problems,
            });
        }
        if samples.len() == 0 && problems.is_empty() {
            let message = "no image with a caption";
            problems.push(Problem::new(ProblemKind::NoCaption, &spec.data_path, message));
        }
        let (folder, broken) = (spec.data_path.clone(), Vec::new());
        Self { known, folder, images, broken, texts: Texts::Read(samples) }
    }

    /// Records of a split that cannot be used, and are left out; of none those that name no split.
    pub fn broken_in(&self, split: Option<&str>) -> impl Iterator<Item = &reading::Problem> {
        let wanted = split.map(|split| split_name(self.known, split));
        let of_it = self.broken.iter().filter(move |(split, _)| *split == wanted);
        of_it.map(|(_, problem)| problem)
    }

    /// Reads a split. Files that name no splits are one, whatever it is called.
    ///
    /// # Errors
    /// [`Error::Format`] naming file and line of a caption that is empty or not UTF-8, of an
    /// id without a picture, or the numbers of lines that do not fit; [`Error::Usage`] for a split
    /// that files of other forms do not name.
    pub fn split(&self, name: &str) -> Result<Split> {
        let mut problems = Vec::new();
        let (split, _) = self.scan(name, &mut problems)?;
        match first_error(problems) {
            Some(error) => Err(error),
            None => Ok(split),
        }
    }

    /// Reads what can be read of a split, with the place of every image.
    pub(super) fn scan(
        &self,
        name: &str,
        problems: &mut Vec<Problem>,
    ) -> Result<(Split, Vec<Place>)> {
        let samples = match &self.texts {
            Texts::Read(samples) => samples,
            Texts::Official(mapping) => return Ok(self.scan_official(name, mapping, problems)),
        };
        let name = split_name(self.known, name);
        let splits = samples.splits(self.known);
        if !splits.is_empty() && !splits.iter().any(|(split, _)| *split == name) {
            let names: Vec<_> =
                splits.iter().map(|(split, images)| format!("{split} ({images} images)")).collect();
            let (path, names) = (self.folder.display(), names.join(", "));
            return Err(Error::Usage(format!("{path}: no split {name:?}; there are {names}")));
        }
        Ok(samples.split(&name))
    }

    fn scan_official(
        &self,
        name: &str,
        mapping: &Mapping,
        problems: &mut Vec<Problem>,
    ) -> (Split, Vec<Place>) {
        let name = &self.official_name(name);
        let captions = Captions::scan(&self.folder, name, problems);
        let file = self.ids_of(name);
        let place = |line: &usize| Place { file: file.clone(), line: Some(*line) };
        let places = captions.first_line.iter().map(place).collect();
        (captions.locate(&self.folder, &self.images, mapping, problems), places)
    }

    /// What a split is called in the official layout: the word, where there are files of that name, else the
    /// usual name of what it means (`val`: `dev`).
    fn official_name(&self, word: &str) -> String {
        match self.ids_of(word).is_file() {
            true => word.to_owned(),
            false => split_name(self.known, word),
        }
    }

    fn ids_of(&self, split: &str) -> PathBuf {
        self.folder.join(format!("{split}_ids.txt"))
    }

    /// Whether it is in the official layout.
    pub fn is_official(&self) -> bool {
        matches!(self.texts, Texts::Official(_))
    }

    /// Whether there is a split of that name.
    pub fn has_split(&self, name: &str) -> bool {
        match &self.texts {
            Texts::Official(_) => self.ids_of(&self.official_name(name)).is_file(),
            Texts::Read(samples) => {
                let name = split_name(self.known, name);
                samples.splits(self.known).iter().any(|(split, _)| *split == name)
            }
        }
    }

    /// The names of its splits: those it should have in the official layout, elsewhere those that
    /// the files name; none when they name none.
    pub fn split_names(&self) -> Vec<String> {
        match &self.texts {
            Texts::Official(_) => {
                let all = self.known.splits();
                let there =
                    all.filter(|name| !self.lacks_validation() || *name != self.known.validation);
                there.map(str::to_owned).collect()
            }
            Texts::Read(samples) => {
                samples.splits(self.known).into_iter().map(|(split, _)| split).collect()
            }
        }
    }

    /// Whether it is in the official layout without a validation split, as it is published: training then does
    /// without.
    pub fn lacks_validation(&self) -> bool {
        let name = self.known.validation;
        self.is_official()
            && !self.ids_of(name).exists()
            && !self.folder.join(format!("{name}_caps.txt")).exists()
    }

    /// What a user should know when files name no splits.
    pub fn without_splits(&self) -> Option<String> {
        match &self.texts {
            Texts::Read(samples) if self.split_names().is_empty() => Some(format!(
                "{} names no splits: all of its {} images are taken",
                self.folder.display(),
                samples.len()
            )),
            _ => None,
        }
    }
}

fn nothing_there(known: &Known, path: &Path) -> Error {
    let (name, shown) = (known.name, path.display());
    Error::Usage(match Format::of(path) {
        Some(_) => format!("no dataset {name}: {shown}: no such file"),
        None => {
            let inside = path.join(name);
            format!("no dataset {name}: neither {} nor {shown} exists", inside.display())
        }
    })
}

fn no_dataset(known: &Known, folders: &[PathBuf; 2]) -> Error {
    Error::Usage(format!(
        "no dataset {}: neither {} nor {} holds {MAPPING} or *_ids.txt, a .csv, .tsv or .jsonl file \
         a split, Karpathy's JSON or .tar files",
        known.name,
        folders[0].display(),
        folders[1].display()
    ))
}
