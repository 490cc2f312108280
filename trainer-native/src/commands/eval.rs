//! `avse eval`: the published evaluation command.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use avse_core::Avse;
use avse_core::metrics::RetrievalMetrics;
use avse_core::weights::Bundle;
use clap::Parser;
use serde::Serialize;

use crate::data::{Dataset, DatasetSpec, Known};
use crate::report::metrics_table;
use crate::scores::{read_scores, write_scores};
use crate::train::TrainConfig;
use crate::{Error, Result, device, evaluate};

const EXAMPLES: &str = "\
Examples:
  avse eval --dataset f30k --data_path data/ --gpu-id 0
  avse eval --dataset coco --model runs/coco_vit_224/best --save_results scores.npy
  avse eval --dataset emoji --split new --json
  avse eval --dataset coco --data_path dataset_coco.json --images ~/coco --model runs/coco_vit_224/best
  avse eval --data_path own.csv --images ~/Pictures --model runs/own/best
  avse eval --dataset coco --results scores.npy";

/// Measure a model on a dataset: recalls at 1, 5 and 10 in both directions.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// f30k, coco or emoji
    #[arg(long, default_value = "f30k")]
    dataset: String,
    /// Folder that holds the datasets, or a file (Karpathy's .json, .csv, .tsv, .jsonl), or .tar files:
    /// a folder of them or a pattern like shard-{000000..000009}.tar
    #[arg(long = "data_path", alias = "data-path", default_value = "data")]
    data_path: PathBuf,
    /// Folder of the pictures, when it is not the usual one
    #[arg(long)]
    images: Option<PathBuf>,
    /// Device: a GPU's number, `auto` or `cpu`
    #[arg(long = "gpu-id", alias = "gpu_id", default_value = "auto")]
    gpu_id: String,
    /// Bundle; without one, the newest best bundle of this dataset under runs/
    #[arg(long)]
    model: Option<PathBuf>,
    /// Split; without one, the dataset's test split
    #[arg(long)]
    split: Option<String>,
    /// Write the score matrix (images x captions, f32) as a .npy file
    #[arg(long = "save_results", alias = "save-results")]
    save_results: Option<PathBuf>,
    /// Measure a saved score matrix (.npy, also the official pickled form) instead of a model
    #[arg(long, conflicts_with_all = ["model", "split", "save_results"])]
    results: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    dataset: &'a str,
    split: &'a str,
    model: &'a Path,
    images: usize,
    captions: usize,
    truncated_captions: usize,
    sets: Vec<Set>,
}

/// One protocol's figures.
#[derive(Debug, Serialize)]
struct Set {
    name: String,
    metrics: RetrievalMetrics,
}

impl Args {
    /// Evaluates and prints.
    ///
    /// # Errors
    /// Whatever is wrong with the bundle, the data or the results file.
    pub fn run(self) -> Result<ExitCode> {
        if let Some(path) = &self.results {
            return self.saved(path);
        }
        let device = device::choose(&self.gpu_id)?;
        let spec = DatasetSpec {
            name: self.dataset.clone(),
            data_path: self.data_path.clone(),
            images: self.images.clone(),
        };
        let dataset = Dataset::open(&spec)?;
        if let Some(whole) = dataset.without_splits() {
            eprintln!("{whole}");
        }
        let folder = match &self.model {
            Some(folder) => folder.clone(),
            None => newest_bundle(Path::new("runs"), &self.dataset)?,
        };
        eprintln!("model: {}", folder.display());
        let (avse, _) = Avse::load(&folder, &device)?;
        let name = self.split.as_deref().unwrap_or(dataset.known.test);
        let split = dataset.split(name)?;
        let encoded = evaluate::encode_split(&avse, &split, self.json)?;
        let (images, captions) = (encoded.images.blocks()?, encoded.captions.blocks()?);
        if let Some(path) = &self.save_results {
            write_scores(path, images, captions)?;
        }
        let folds = folds(images.rows(), name == dataset.known.test, dataset.known.test_folds);
        let report = Report {
            dataset: &self.dataset,
            split: name,
            model: &folder,
            images: images.rows(),
            captions: captions.rows(),
            truncated_captions: encoded.truncated,
            sets: protocols(
                folds,
                || evaluate::measure(&encoded),
                |folds| evaluate::measure_folds(&encoded, folds),
            )?,
        };
        self.print(&report)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Measures a saved matrix.
    fn saved(&self, path: &Path) -> Result<ExitCode> {
        let known = Known::by_name(&self.dataset)?;
        let scores = read_scores(path)?;
        self.print(&Report {
            dataset: &self.dataset,
            split: known.test,
            model: path,
            images: scores.images(),
            captions: scores.captions(),
            truncated_captions: 0,
            sets: protocols(
                folds(scores.images(), true, known.test_folds),
                || Ok(scores.evaluate()),
                |folds| Ok(RetrievalMetrics::mean(&scores.folds(folds)?)),
            )?,
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, report: &Report<'_>) -> Result<()> {
        if self.json {
            let text = serde_json::to_string_pretty(report)
                .map_err(|e| Error::Usage(format!("results: {e}")))?;
            println!("{text}");
            return Ok(());
        }
        println!("{} images, {} captions", report.images, report.captions);
        let rows: Vec<_> =
            report.sets.iter().map(|set| (set.name.as_str(), &set.metrics)).collect();
        println!("{}", metrics_table(&rows));
        if report.truncated_captions > 0 {
            println!("{} captions were cut to the network's positions", report.truncated_captions);
        }
        Ok(())
    }
}

/// In how many folds `images` are measured too, if at all.
fn folds(images: usize, is_test: bool, folds: usize) -> Option<usize> {
    (is_test && folds > 1 && images.is_multiple_of(folds)).then_some(folds)
}

/// The figures of each protocol that the split has: the whole, and for COCO's test also
/// the mean over its folds.
fn protocols(
    folds: Option<usize>,
    whole: impl FnOnce() -> Result<RetrievalMetrics>,
    mean_of: impl FnOnce(usize) -> Result<RetrievalMetrics>,
) -> Result<Vec<Set>> {
    let mut sets = Vec::new();
    if let Some(folds) = folds {
        sets.push(Set { name: format!("{folds}-fold"), metrics: mean_of(folds)? });
    }
    sets.push(Set { name: "all".into(), metrics: whole()? });
    Ok(sets)
}

/// The newest `best` bundle under `runs` that was trained on `dataset`.
fn newest_bundle(runs: &Path, dataset: &str) -> Result<PathBuf> {
    let none = || {
        Error::Usage(format!(
            "no trained model of {dataset} under {}: give one with --model",
            runs.display()
        ))
    };
    let entries = std::fs::read_dir(runs).map_err(|_| none())?;
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in entries.flatten() {
        let bundle = entry.path().join("best");
        let trained_on = TrainConfig::read(&entry.path().join("run.toml")).map(|c| c.dataset);
        if Bundle::is_at(&bundle) && trained_on.is_ok_and(|name| name == dataset) {
            let time = bundle.join("manifest.json").metadata().and_then(|m| m.modified());
            found.push((time.unwrap_or(SystemTime::UNIX_EPOCH), bundle));
        }
    }
    found.into_iter().max().map(|(_, bundle)| bundle).ok_or_else(none)
}
