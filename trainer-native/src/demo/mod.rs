//! The demo: real pictures, real sentences, the protocol of the field.

mod page;
mod queries;

use std::path::{Path, PathBuf};
use std::time::Instant;

use avse_core::Avse;
use avse_core::metrics::{RetrievalMetrics, ScoreMatrix};
use avse_core::weights::Bundle;
use burn::tensor::Device;
use serde::Serialize;

use crate::data::emoji::{self, data_folder};
use crate::data::{Dataset, DatasetSpec, Split};
use crate::evaluate::{self, EncodedSplit};
use crate::files::{json, shell_word, write_atomically};
use crate::report::metrics_table;
use crate::terminal::say;
use crate::train::{TrainConfig, Trainer, stop_on_ctrl_c};
use crate::{Error, Result, runs};

pub(crate) use queries::SENTENCES;

/// Side of the emoji drawings in pixels.
pub(crate) const DRAWING_SIZE: u32 = 96;
/// Caption kinds that training never shows.
pub(crate) const UNSEEN_KINDS: [&str; 2] = ["keywords", "shortcodes"];

/// What the demo is to do.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Where the report and `results.json` go.
    pub out: PathBuf,
    /// Folder of the emoji set; made when it is not there.
    pub emoji: PathBuf,
    /// What is shown.
    pub model: DemoModel,
}

/// The model of a demo.
#[derive(Clone, Debug)]
pub enum DemoModel {
    /// A bundle's folder.
    Bundle(PathBuf),
    /// One trained anew with `data/emoji.toml`, in `training` of the demo's folder.
    Train,
}

/// `results.json`.
#[derive(Clone, Debug, Serialize)]
pub struct DemoResults {
    /// Sum of the six recalls on Emoji-1K.
    pub rsum: f64,
    /// The six recalls, percent: image to text at 1, 5, 10.
    pub i2t_r1: f64,
    /// Image to text at 5.
    pub i2t_r5: f64,
    /// Image to text at 10.
    pub i2t_r10: f64,
    /// Text to image at 1.
    pub t2i_r1: f64,
    /// Text to image at 5.
    pub t2i_r5: f64,
    /// Text to image at 10.
    pub t2i_r10: f64,
    /// Images of Emoji-1K.
    pub images: usize,
    /// Captions of Emoji-1K.
    pub captions: usize,
    /// Wall time of loading, encoding, scoring and answering.
    pub seconds: f64,
    /// Every set with all its figures.
    pub sets: Vec<NamedMetrics>,
}

/// One set's figures.
#[derive(Clone, Debug, Serialize)]
pub struct NamedMetrics {
    /// The set.
    pub name: String,
    /// Its figures.
    pub metrics: RetrievalMetrics,
}

/// A split with all its scores.
struct Scored {
    split: Split,
    encoded: EncodedSplit,
    scores: ScoreMatrix,
}

/// Runs the demo and returns the report's path.
///
/// # Errors
/// Whatever is missing, in words for its user.
pub fn run(options: &DemoOptions, device: &Device) -> Result<PathBuf> {
    // What is no bundle is to be found before the pictures are fetched and drawn.
    if let DemoModel::Bundle(folder) = &options.model {
        Bundle::open(folder)?;
    }
    let built =
        emoji::build(&emoji::Options { out: options.emoji.clone(), size: DRAWING_SIZE, seed: 0 })?;
    let bundle = match &options.model {
        DemoModel::Bundle(folder) => folder.clone(),
        DemoModel::Train => train(options, device)?,
    };
    let began = Instant::now();
    let (avse, _) = Avse::load(&bundle, device)?;
    let dataset = Dataset::open(&DatasetSpec {
        name: "emoji".into(),
        data_path: built.folder.clone(),
        images: None,
    })?;
    let test = score(&avse, dataset.split("test")?)?;
    let new = score(&avse, dataset.split("new")?)?;
    let unseen = only_kinds(&test, &UNSEEN_KINDS)?;
    let sets: Vec<NamedMetrics> = [
        ("Emoji-1K", test.scores.evaluate()),
        ("unseen caption kinds", unseen.evaluate()),
        ("Emoji-New", new.scores.evaluate()),
    ]
    .into_iter()
    .map(|(name, metrics)| NamedMetrics { name: name.into(), metrics })
    .collect();

    let mut page = queries::answer(&avse, &test, &dataset)?;
    let whole = &sets[0].metrics;
    let (i2t, t2i) = (&whole.image_to_text, &whole.text_to_image);
    let results = DemoResults {
        rsum: whole.rsum,
        i2t_r1: i2t.r1,
        i2t_r5: i2t.r5,
        i2t_r10: i2t.r10,
        t2i_r1: t2i.r1,
        t2i_r5: t2i.r5,
        t2i_r10: t2i.r10,
        images: test.scores.images(),
        captions: test.scores.captions(),
        seconds: began.elapsed().as_secs_f64(),
        sets,
    };
    page.credits = page::credits(&built.folder)?;
    page.facts = page::facts(&avse, &bundle, &results, &test);
    std::fs::create_dir_all(&options.out).map_err(|e| Error::io(&options.out, e))?;
    let report = options.out.join("report.html");
    write_atomically(&report, page::render(page, &results, &bundle)?.as_bytes())?;
    write_atomically(&options.out.join("results.json"), &json(&results)?)?;
    let rows: Vec<_> = results.sets.iter().map(|set| (set.name.as_str(), &set.metrics)).collect();
    say!("{}", metrics_table(&rows))?;
    Ok(report)
}

/// Trains anew and returns the best bundle.
fn train(options: &DemoOptions, device: &Device) -> Result<PathBuf> {
    let mut config = TrainConfig::read(&data_folder()?.join("emoji.toml"))?;
    config.data_path = options.emoji.clone();
    config.logger_name = options.out.join("training");
    let folder = config.logger_name.clone();
    stop_on_ctrl_c();
    let summary = Trainer::new(config, std::slice::from_ref(device), false)?.run()?;
    runs::report_on(&folder);
    if summary.stopped_early {
        return Err(Error::Usage(format!(
            "the training was stopped; `avse train --resume --logger_name {}` goes on with it, and `avse demo \
             --model {}` then shows its model",
            shell_word(&folder),
            shell_word(&folder.join("best"))
        )));
    }
    Ok(folder.join("best"))
}

fn score(avse: &Avse, split: Split) -> Result<Scored> {
    let encoded = evaluate::encode_split(avse, &split, false)?;
    let scores = evaluate::score_split(&encoded)?;
    Ok(Scored { split, encoded, scores })
}

/// The scores of the captions of some kinds alone.
fn only_kinds(scored: &Scored, kinds: &[&str]) -> Result<ScoreMatrix> {
    let labels = scored.split.kinds.as_deref().unwrap_or_default();
    let columns: Vec<usize> =
        (0..labels.len()).filter(|at| kinds.contains(&labels[*at].as_str())).collect();
    if columns.is_empty() {
        return Err(Error::Usage(format!("no caption of the kinds {}", kinds.join(", "))));
    }
    let width = scored.scores.captions();
    let rows = scored.scores.scores().chunks(width);
    let scores = rows.flat_map(|row| columns.iter().map(|at| row[*at])).collect();
    let images = columns.iter().map(|at| scored.split.image_of_caption[*at]).collect();
    Ok(ScoreMatrix::new(scores, scored.scores.images(), images)?)
}

/// Reads a picture's file as it is.
fn picture(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io(path, e))
}
