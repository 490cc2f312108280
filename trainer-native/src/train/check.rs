//! `avse train --dry-run`: everything that a run needs, looked at without a run.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use rayon::prelude::*;

use super::checkpoint::Snapshot;
use super::info::is_test;
use super::position::Share;
use super::{TrainConfig, start};
use crate::data::{Dataset, Known, Problem, ProblemKind, Split, VerifyOptions, picture, verify};
use crate::device::describe;
use crate::reading::{OnError, ReadPolicy};
use crate::{Error, Result};

/// Pictures of a split that are decoded, evenly spread over it.
const SAMPLE: usize = 64;

/// What a run would be, and what is in its way.
#[derive(Debug, Default)]
pub struct DryRun {
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
    /// What is odd but stops no run.
    pub warnings: Vec<String>,
    /// What stops it.
    pub problems: Vec<String>,
}

impl DryRun {
    /// Looks at data, weights, devices and folder of a run. Nothing is written, but weights by name are fetched
    /// into the hub's cache where they are not there yet.
    pub fn of(config: &TrainConfig, devices: Result<Vec<Device>>, resume: bool) -> Self {
        let mut found = Self::default();
        found.take(config.validate());
        let devices = found.take(devices).unwrap_or_default();
        found.devices(config, &devices);
        let train = found.data(config);
        found.folder(&config.logger_name, resume);
        if let Some(train) = &train {
            let world = devices.len().max(1);
            let captions = train.captions.len();
            let steps = found.take(start::steps_per_epoch(config, world, captions));
            if let Some(steps) = steps {
                found.fact("steps an epoch", steps.to_string());
                found.fact("steps", (steps * config.num_epochs).to_string());
            }
        }
        if let Some(device) = devices.first() {
            found.network(config, train.as_ref(), (device, devices.len()), resume);
        }
        found
    }

    fn devices(&mut self, config: &TrainConfig, devices: &[Device]) {
        let names: Vec<_> = devices.iter().map(describe).collect();
        self.fact("devices", names.join(", "));
        self.take(config.precision.check(devices));
    }

    /// The training split, where its texts are sound.
    fn data(&mut self, config: &TrainConfig) -> Option<Split> {
        let known = self.take(Known::by_name(&config.dataset))?;
        let spec = start::dataset_spec(config);
        let dataset = start::open_dataset(config);
        let validation = match &dataset {
            Ok(dataset) => start::validation_split(config, dataset).to_owned(),
            Err(_) if config.select_on == "auto" => known.validation.to_owned(),
            Err(_) => config.select_on.clone(),
        };
        if is_test(&config.dataset, &validation) {
            self.warnings.push(format!(
                "the best epoch is picked on the test split {validation}, as the official code does: its \
                 figures are no independent measure"
            ));
        }
        let splits = vec![known.train.to_owned(), validation.clone()];
        let before = self.problems.len();
        let reading = config.reading();
        let verified = verify(&VerifyOptions { spec, splits, decode: false });
        if let Some(verified) = self.take(verified) {
            let is_unreadable = |it: &Problem| {
                it.record.is_some()
                    || matches!(it.kind, ProblemKind::MissingImage | ProblemKind::BrokenImage)
            };
            // As the run will count: each split by itself.
            let tolerated = dataset.as_ref().is_ok_and(|dataset| {
                [known.train, &validation].iter().all(|name| bearable(dataset, name, &reading))
            });
            for problem in verified.problems {
                let list = match problem.kind {
                    _ if is_unreadable(&problem) && tolerated => &mut self.warnings,
                    // Training goes on with them.
                    ProblemKind::UnevenCaptions | ProblemKind::SharedImage => &mut self.warnings,
                    _ => &mut self.problems,
                };
                list.push(problem.to_string());
            }
        }
        let dataset = match dataset {
            Ok(dataset) => dataset,
            Err(error) => {
                // What is wrong with texts and mapping has been said.
                if self.problems.len() == before {
                    self.problems.push(error.to_string());
                }
                return None;
            }
        };
        let mut read = |role, name: &str| {
            let split = dataset.split(name).ok()?;
            let (images, captions) = (split.images.len(), split.captions.len());
            self.fact(role, format!("{name}, {images} images, {captions} captions"));
            let decoded = self.decode(&split, &reading);
            self.fact("decoded", format!("{decoded} pictures of {name}"));
            Some(split)
        };
        let train = read("training", known.train);
        read("validation", &validation);
        train
    }

    /// Decodes a sample of a split's pictures; how many could be.
    fn decode(&mut self, split: &Split, reading: &ReadPolicy) -> usize {
        let total = split.images.len();
        let sample: Vec<_> =
            (0..total.min(SAMPLE)).map(|at| at * total / SAMPLE.min(total)).collect();
        // Missing and empty files have been named already.
        let there = |image: &usize| {
            picture::stat(&split.images[*image].path).is_ok_and(|found| found.bytes > 0)
        };
        let sample: Vec<_> = sample.into_iter().filter(there).collect();
        let broken: Vec<_> = sample
            .par_iter()
            .filter_map(|image| picture::decode(&split.images[*image].path, &reading.limits).err())
            .map(|error| error.to_string())
            .collect();
        let decoded = sample.len() - broken.len();
        let list = match tolerated(reading, broken.len(), total) {
            true => &mut self.warnings,
            false => &mut self.problems,
        };
        list.extend(broken);
        decoded
    }

    /// Whether the run's folder can be made, and what is there.
    fn folder(&mut self, folder: &Path, resume: bool) {
        if folder.join("run.toml").is_file() && !resume {
            self.warnings.push(format!(
                "{}: holds a run, which a new one replaces (its bundles, checkpoints and log are kept under \
                 names with `previous`)",
                folder.display()
            ));
        }
        let there = folder.ancestors().find(|folder| folder.exists());
        let there = there.unwrap_or(Path::new("."));
        if !there.is_dir() {
            self.problems.push(format!("{}: not a folder", there.display()));
            return;
        }
        // Nothing but an attempt tells whether files can be made; this one has no name.
        let attempt = tempfile::tempfile_in(there);
        self.take(attempt.map(|_| ()).map_err(|e| Error::io(there, e)));
    }

    fn network(
        &mut self,
        config: &TrainConfig,
        train: Option<&Split>,
        (device, devices): (&Device, usize),
        resume: bool,
    ) {
        // A vocabulary is learnt from captions, which must be there.
        if config.model.is_some() && train.is_none() {
            return;
        }
        let captions = train.map_or(&[][..], |train| &train.captions);
        let device = device.clone().autodiff();
        device.seed(config.seed);
        let network = start::network(config, captions, &device);
        let Some((_, _, model)) = self.take(network) else { return };
        self.fact("parameters", model.num_params().to_string());
        if !resume {
            return;
        }
        if let Some(Some(snapshot)) = self.take(Snapshot::load(&config.logger_name, &model)) {
            let (epoch, step) = (snapshot.position.epoch, snapshot.position.step);
            if let (Some(before), Some(train)) = (snapshot.position.share, train) {
                self.take(before.check_resumable(&Share::of(devices, train)));
            }
            self.fact("goes on", format!("at epoch {epoch}, after {step} steps"));
        }
    }

    fn fact(&mut self, name: &'static str, value: String) {
        self.facts.push((name, value));
    }

    /// A result's value; its error is noted.
    fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.problems.push(error.to_string())).ok()
    }

    /// The run as a file for `--config`, with the facts as comments in front.
    ///
    /// # Errors
    /// [`Error::Usage`] when TOML cannot express it.
    pub fn text(&self, config: &TrainConfig) -> Result<String> {
        let run = toml::to_string(config).map_err(|e| Error::Usage(format!("run.toml: {e}")))?;
        let facts = self.facts.iter().map(|(name, value)| format!("# {name}: {value}\n"));
        Ok(facts.collect::<String>() + &run)
    }

    /// Nothing, or all problems as one error.
    ///
    /// # Errors
    /// [`Error::Usage`] that lists them.
    pub fn verdict(&self) -> Result<()> {
        let list = |problem: &String| format!("\n  - {problem}");
        let all: String = self.problems.iter().map(list).collect();
        match self.problems.len() {
            0 => Ok(()),
            1 => Err(Error::Usage(format!("1 problem:{all}"))),
            n => Err(Error::Usage(format!("{n} problems:{all}"))),
        }
    }
}

/// Whether a run goes on without what cannot be read of a split: pictures that are not there, and broken records.
fn bearable(dataset: &Dataset, name: &str, reading: &ReadPolicy) -> bool {
    let Ok(split) = dataset.split(name) else { return false };
    let missing =
        split.images.par_iter().filter(|image| picture::stat(&image.path).is_err()).count();
    let records = dataset.broken_in(Some(name)).count();
    tolerated(reading, missing + records, split.images.len() + records)
}

/// Whether a run leaves out so many of its pictures and goes on.
fn tolerated(reading: &ReadPolicy, unreadable: usize, pictures: usize) -> bool {
    reading.on_error == OnError::Skip && unreadable <= reading.max_errors.of(pictures)
}
