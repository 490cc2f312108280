//! `avse eval`: the published evaluation command.

mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use avse_core::Avse;
use avse_core::metrics::RetrievalMetrics;
use avse_core::similarity::cpu::Ranks;
use avse_core::weights::{Bundle, is_special};
use burn::tensor::Device;
use clap::Parser;

use self::report::{Figures, LeftOut, Member, Report};
use super::reading::ReadingArgs;
use crate::data::{Dataset, DatasetSpec, Known, Split};
use crate::evaluate::{
    EncodeOptions, EncodedSplit, Pairs, Positives, encode_split_with, misses_page,
};
use crate::files::{folder_of, write_atomically};
use crate::reading::{OnError, Skipped, list_beside};
use crate::report::html::{MissesPage, render_misses};
use crate::scores::{read_scores, write_scores};
use crate::terminal::note;
use crate::train::TrainConfig;
use crate::{Error, Result, device};

const EXAMPLES: &str = "\
Examples:
  avse eval --dataset f30k --data_path data/ --gpu-id 0
  avse eval --dataset coco --model runs/coco_vit_224/best --save_results scores.npy
  avse eval --dataset emoji --split new --json
  avse eval --dataset coco --data_path dataset_coco.json --images ~/coco --model runs/coco_vit_224/best
  avse eval --data_path own.csv --images ~/Pictures --model runs/own/best
  avse eval --dataset coco --results scores.npy
  avse eval --dataset f30k --model runs/vit/best --model runs/swin/best
  avse eval --dataset f30k --test_views 4 --failures misses.html --failures-count 20
  avse eval --dataset coco --positives eccv.json

Positives, further right answers beside the pairs of the dataset, are a JSON object:
  {\"image_to_text\": {\"<image id>\": [<caption>, ...]},
   \"text_to_image\": {\"<caption>\": [\"<image id>\", ...]}}
with captions counted from 0: lines of the split's *_caps.txt, in other forms image by image, in the
order of the images' first records. Only the queries that it names are measured by them; a part that is
missing is the other one turned round.";

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
    /// Bundle; without one, the newest best bundle of this dataset under runs/, one trained on this very data
    /// before others. Given more than once: also the ensemble, whose scores are the mean of the models' scores
    #[arg(long)]
    model: Vec<PathBuf>,
    /// Split; without one, the dataset's test split
    #[arg(long)]
    split: Option<String>,
    /// Average an image's embedding over that many plans of view centres; 1 is the usual evaluation
    #[arg(
        long = "test_views",
        alias = "test-views",
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=64)
    )]
    test_views: u16,
    /// Measure R@1, R-Precision and mAP@R with the further right answers of this JSON file
    #[arg(long, value_name = "FILE")]
    positives: Option<PathBuf>,
    /// Write the worst misses of each direction, with pictures, as an HTML page
    #[arg(long, value_name = "FILE")]
    failures: Option<PathBuf>,
    /// Misses of each direction on that page
    #[arg(
        long = "failures-count",
        alias = "failures_count",
        value_name = "N",
        default_value_t = 12,
        requires = "failures"
    )]
    failures_count: usize,
    /// Write the score matrix (images x captions, f32) as a .npy file
    #[arg(long = "save_results", alias = "save-results")]
    save_results: Option<PathBuf>,
    /// Measure a saved score matrix (.npy, also the official pickled form) instead of a model. Which
    /// captions are whose is read from the dataset; where that is not at hand or of another size, every
    /// image has equally many, one after the other
    #[arg(
        long,
        conflicts_with_all = ["model", "save_results", "test_views", "positives", "failures"]
    )]
    results: Option<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Evaluates and prints.
    ///
    /// # Errors
    /// Whatever is wrong with the bundles, the data or the other files.
    pub fn run(self) -> Result<ExitCode> {
        if let Some(path) = &self.results {
            return self.saved(path);
        }
        let device = device::choose(&self.gpu_id)?;
        let dataset = Dataset::open_skipping(&self.spec())?;
        if let Some(whole) = dataset.without_splits() {
            note!("{whole}");
        }
        let folders = match self.model.as_slice() {
            [] => vec![newest_bundle(Path::new("runs"), &self.dataset, &self.data_path)?],
            some => some.to_vec(),
        };
        let name = self.split.as_deref().unwrap_or(dataset.known.test);
        let split = dataset.split(name)?;
        let mut positives =
            self.positives.as_deref().map(|path| Positives::read(path, &split)).transpose()?;
        self.writable()?;
        let policy = self.reading.policy(OnError::Stop);
        let broken: Vec<_> =
            dataset.broken_in(Some(name)).chain(dataset.broken_in(None)).cloned().collect();
        if positives.is_some() && !broken.is_empty() {
            return Err(Error::Usage(format!(
                "--positives counts the captions of the whole split, but {} records cannot be used, first {}: mend them",
                broken.len(),
                broken[0]
            )));
        }
        let total = split.images.len() + broken.len();
        let usual = PathBuf::from(format!("eval.{}.{}", self.dataset, split.name));
        let beside = self.save_results.clone().filter(|path| !is_special(path)).unwrap_or(usual);
        let skipped = Skipped::new(&policy, (total, "pictures"), list_beside(&beside));
        skipped.add_all(&broken)?;
        let (encoded, left_out) = self.encode(&folders, &split, &device, &skipped)?;
        let list = skipped.finish();
        let whole = split;
        let split = match left_out.as_slice() {
            [] => whole.clone(),
            some => {
                positives = positives.map(|positives| positives.without(&whole, some));
                whole.without(some)
            }
        };

        let pairs = Pairs::new(&encoded)?;
        let usual = if split.name == dataset.known.test { dataset.known.test_folds } else { 1 };
        let folds = folds(total, pairs.images(), usual);
        let measure = |pairs: &Pairs<'_>| -> Result<(Figures, Ranks)> {
            let ranks = pairs.ranks()?;
            let mut figures =
                Figures::of_protocols(ranks.evaluate(), folds, |count| pairs.measure_folds(count))?;
            figures.positives = positives.as_ref().map(|p| p.measure(pairs)).transpose()?;
            Ok((figures, ranks))
        };
        let (figures, ranks) = measure(&pairs)?;
        let mut members = Vec::new();
        if let [_, _, ..] = encoded.as_slice() {
            for (model, encoded) in folders.iter().zip(&encoded) {
                let (figures, _) = measure(&Pairs::new(std::slice::from_ref(encoded))?)?;
                members.push(Member { model, truncated_captions: encoded.truncated, figures });
            }
        }
        let report = Report {
            dataset: &self.dataset,
            split: &split.name,
            model: members.is_empty().then_some(&folders[0]),
            images: pairs.images(),
            captions: pairs.captions(),
            left_out: (skipped.count() > 0).then(|| LeftOut {
                images: left_out.len(),
                records: broken.len(),
                captions: whole.captions.len() - pairs.captions(),
                list,
            }),
            truncated_captions: encoded.iter().map(|one| one.truncated).max().unwrap_or(0),
            test_views: (self.test_views > 1).then_some(self.test_views.into()),
            figures,
            members,
        };
        // Hours may have gone into the figures, so they come first: the disk may be full. And nobody may be reading them,
        // so the files are written all the same.
        let printed = report.print(self.json);
        if let Some(path) = &self.save_results {
            write_scores(path, &pairs)?;
        }
        if let Some(path) = &self.failures {
            let limits = &policy.limits;
            let page = misses_page(&pairs, &split, &ranks, self.failures_count, limits)?;
            self.write_failures(path, page, &ranks, &report, &folders)?;
        }
        printed?;
        Ok(ExitCode::SUCCESS)
    }

    /// What every model makes of the split, one after the other.
    fn encode(
        &self,
        folders: &[PathBuf],
        split: &Split,
        device: &Device,
        skipped: &Skipped,
    ) -> Result<(Vec<EncodedSplit>, Vec<usize>)> {
        if let [_, others @ ..] = folders {
            // A folder that is no bundle is to be found before hours of encoding, not after.
            others.iter().try_for_each(|folder| Bundle::open(folder).map(drop))?;
        }
        let (quiet, test_views) = (self.json, self.test_views.into());
        let mut encoded = Vec::with_capacity(folders.len());
        let mut left_out: Option<Vec<usize>> = None;
        for folder in folders {
            note!("model: {}", folder.display());
            let (avse, _) = Avse::load(folder, device)?;
            let options = EncodeOptions { quiet, test_views, skipped };
            let (one, without) = encode_split_with(&avse, split, options)?;
            if left_out.as_ref().is_some_and(|before| *before != without) {
                let message =
                    "other pictures than before could not be read: they were changed meanwhile";
                return Err(Error::Usage(message.into()));
            }
            left_out = Some(without);
            encoded.push(one);
        }
        Ok((encoded, left_out.unwrap_or_default()))
    }

    /// Checks that what will be written can be.
    fn writable(&self) -> Result<()> {
        for path in [&self.failures, &self.save_results].into_iter().flatten() {
            if path.is_dir() {
                return Err(Error::Usage(format!("{}: is a folder", path.display())));
            }
            if is_special(path) {
                continue;
            }
            // Nothing but an attempt tells; this one has no name.
            let folder = folder_of(path);
            tempfile::tempfile_in(folder).map_err(|e| Error::io(folder, e))?;
        }
        Ok(())
    }

    fn write_failures(
        &self,
        path: &Path,
        mut page: MissesPage,
        ranks: &Ranks,
        report: &Report<'_>,
        folders: &[PathBuf],
    ) -> Result<()> {
        let fact = |name: &str, value: String| (name.to_owned(), value);
        page.title = format!("The worst misses on {}, {}", report.dataset, report.split);
        page.headline = vec![("All pairs".into(), ranks.evaluate())];
        let models: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
        page.facts = vec![
            fact(if models.len() > 1 { "Ensemble" } else { "Model" }, models.join(", ")),
            fact("Images", report.images.to_string()),
            fact("Captions", report.captions.to_string()),
        ];
        page.generated_by = format!("avse eval {}", env!("CARGO_PKG_VERSION"));
        write_atomically(path, render_misses(&page).as_bytes())?;
        note!("misses: {}", path.display());
        Ok(())
    }

    fn spec(&self) -> DatasetSpec {
        DatasetSpec {
            name: self.dataset.clone(),
            data_path: self.data_path.clone(),
            images: self.images.clone(),
        }
    }

    /// The split that a saved matrix is of, if the dataset is there. One that was asked for must be.
    fn split_of_matrix(&self, word: &str) -> Result<Option<Split>> {
        match Dataset::open_skipping(&self.spec()).and_then(|dataset| dataset.split(word)) {
            Err(_) if self.split.is_none() => Ok(None),
            split => split.map(Some),
        }
    }

    /// Measures a saved matrix.
    fn saved(&self, path: &Path) -> Result<ExitCode> {
        let known = Known::by_name(&self.dataset)?;
        let word = self.split.as_deref().unwrap_or(known.test);
        let split = self.split_of_matrix(word)?;
        let pairs = split.as_ref().map(|split| split.image_of_caption.as_slice());
        let scores = read_scores(path, pairs)?;
        let total = split.as_ref().map_or(scores.images(), |split| split.images.len());
        let split = split.as_ref().map_or(word, |split| split.name.as_str());
        let usual = if split == known.test { known.test_folds } else { 1 };
        let folds = folds(total, scores.images(), usual);
        let mean_of = |folds| Ok(RetrievalMetrics::mean(&scores.folds(folds)?));
        let report = Report {
            dataset: &self.dataset,
            split,
            model: Some(path),
            images: scores.images(),
            captions: scores.captions(),
            left_out: None,
            truncated_captions: 0,
            test_views: None,
            figures: Figures::of_protocols(scores.evaluate(), folds, mean_of)?,
            members: Vec::new(),
        };
        report.print(self.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// In how many folds the `images` that are left of a split of `total` are measured too, if at all. Of a split of which
/// images are missing the folds would be others than everybody's: there are no figures of them then, which is said.
fn folds(total: usize, images: usize, folds: usize) -> Option<usize> {
    if folds <= 1 {
        return None;
    }
    if total == images && images.is_multiple_of(folds) {
        return Some(folds);
    }
    let why = match total == images {
        true => format!("{images} images cannot be divided so"),
        false => format!("these are {images} images of {total}"),
    };
    note!("note: there are no figures of {folds} folds: {why}");
    None
}

/// The newest `best` bundle under `runs` that was trained on `dataset`, one trained on this very data before others:
/// data of one's own goes by the name of a dataset, too.
fn newest_bundle(runs: &Path, dataset: &str, data_path: &Path) -> Result<PathBuf> {
    let none = || {
        Error::Usage(format!(
            "no trained model of {dataset} under {}: give one with --model",
            runs.display()
        ))
    };
    let entries = std::fs::read_dir(runs).map_err(|_| none())?;
    let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let mut found: Vec<(bool, SystemTime, PathBuf)> = Vec::new();
    for entry in entries.flatten() {
        let bundle = entry.path().join("best");
        let Ok(run) = TrainConfig::read(&entry.path().join("run.toml")) else { continue };
        if Bundle::is_at(&bundle) && run.dataset == dataset {
            let same = place(&run.data_path) == place(data_path);
            let time =
                Bundle::place(&bundle).join("manifest.json").metadata().and_then(|m| m.modified());
            found.push((same, time.unwrap_or(SystemTime::UNIX_EPOCH), bundle));
        }
    }
    found.into_iter().max().map(|(.., bundle)| bundle).ok_or_else(none)
}
