//! What a run leaves in its folder beside the bundles.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use avse_core::metrics::RetrievalMetrics;
use serde::{Deserialize, Serialize};

use super::curves::curves_svg;
use super::position::Position;
use super::tensorboard::EventWriter;
use super::{RunInfo, TrainConfig};
use crate::files::{json, write_atomically};
use crate::terminal::note;
use crate::{Error, Result};

/// Folder of the event files.
const TENSORBOARD: &str = "tensorboard";

/// One line of `log.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epoch, counted from 0.
    pub epoch: usize,
    /// Steps taken in it.
    pub steps: usize,
    /// Mean loss of its batches.
    pub loss: f64,
    /// The heads' learning rate at its end.
    pub learning_rate: f64,
    /// Training speed, evaluation not counted.
    pub images_per_second: f64,
    /// Share of the epoch spent waiting for data.
    pub data_wait: f64,
    /// Seconds of training.
    pub seconds: f64,
    /// Seconds since the start of the run.
    pub elapsed: f64,
    /// Captions cut because the network has no positions for them.
    pub truncated_captions: usize,
    /// Validation, when this epoch was evaluated.
    pub validation: Option<RetrievalMetrics>,
    /// rSum of the bundle `best`.
    pub best_rsum: Option<f64>,
    /// The split of `validation`; logs of older versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_split: Option<String>,
    /// Training pictures that could not be read so far; others stood in for them.
    #[serde(default)]
    pub skipped_pictures: usize,
    /// Pictures of the validation that could not be read; its figures are of the others.
    #[serde(default)]
    pub skipped_validation: usize,
}

/// What one step leaves in the event file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRecord {
    /// Steps of the run, this one counted.
    pub step: usize,
    /// Loss of its batch.
    pub loss: f64,
    /// Global gradient norm before clipping.
    pub gradient_norm: f64,
    /// The heads' learning rate.
    pub learning_rate: f64,
}

/// `summary.json`, written when a run ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RunSummary {
    /// Validation rSum of the bundle `best`; none before the first evaluation.
    pub best_rsum: Option<f64>,
    /// Wall time of the run.
    pub seconds: f64,
    /// Steps taken.
    pub steps: usize,
    /// Whether Ctrl-C ended it.
    pub stopped_early: bool,
    /// Whether the best epoch was picked on the test split.
    #[serde(default)]
    pub selected_on_test: bool,
}

/// The run's folder: `run.toml`, `run.json`, `log.jsonl`, `curves.svg`, event files for TensorBoard, at the
/// end `summary.json`.
pub struct RunLog {
    folder: PathBuf,
    info: RunInfo,
    lines: File,
    /// `None` after they could not be written: what they show is for looking at, and no reason to end a run.
    events: Option<EventWriter>,
    epochs: Vec<EpochRecord>,
}

impl RunLog {
    /// Makes the folder and writes the resolved configuration; an older log there is kept
    /// beside the new one.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn create(config: &TrainConfig, info: RunInfo) -> Result<Self> {
        let folder = config.logger_name.clone();
        fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
        begin(&folder, config, &info)?;
        let path = folder.join("log.jsonl");
        if path.exists() {
            let old = folder.join("log.previous.jsonl");
            fs::rename(&path, &old).map_err(|e| Error::io(&old, e))?;
        }
        let lines = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|e| Error::io(&path, e))?;
        let events = Some(EventWriter::create(&folder.join(TENSORBOARD), 0)?);
        Ok(Self { folder, info, lines, events, epochs: Vec::new() })
    }

    /// Opens the folder of a run that goes on at a position; what the log says of its epoch and later ones is
    /// dropped, since it will be said again.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read or written, [`Error::Format`] naming the line that is no record.
    pub(super) fn resume(config: &TrainConfig, info: RunInfo, position: &Position) -> Result<Self> {
        let folder = config.logger_name.clone();
        begin(&folder, config, &info)?;
        let path = folder.join("log.jsonl");
        let written = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|e| Error::io(&path, e))?,
        };
        // A run that was killed may leave half a letter.
        let written = String::from_utf8_lossy(&written);
        let mut epochs = Vec::new();
        for (at, line) in written.lines().enumerate() {
            let record: EpochRecord = match serde_json::from_str(line) {
                Ok(record) => record,
                // The last line of a killed run may be half a line.
                Err(_) if at + 1 == written.lines().count() => break,
                Err(e) => return Err(Error::format(&path, format!("line {}: {e}", at + 1))),
            };
            if record.epoch < position.epoch {
                epochs.push(record);
            }
        }
        let mut kept = String::new();
        for record in &epochs {
            kept +=
                &serde_json::to_string(record).map_err(|e| Error::format(&path, e.to_string()))?;
            kept.push('\n');
        }
        write_atomically(&path, kept.as_bytes())?;
        let lines = OpenOptions::new().append(true).open(&path).map_err(|e| Error::io(&path, e))?;
        let events = Some(EventWriter::create(&folder.join(TENSORBOARD), position.step)?);
        Ok(Self { folder, info, lines, events, epochs })
    }

    /// Adds a step to the event file.
    pub fn step(&mut self, record: &StepRecord) {
        let StepRecord { step, loss, gradient_norm, learning_rate } = *record;
        self.scalars(
            step,
            &[
                ("train/loss", loss),
                ("train/gradient_norm", gradient_norm),
                ("train/learning_rate", learning_rate),
            ],
        );
    }

    fn scalars(&mut self, step: usize, values: &[(&str, f64)]) {
        let Some(events) = &mut self.events else { return };
        if let Err(error) = events.scalars(step, values) {
            note!("warning: {error}: no more figures for TensorBoard");
            self.events = None;
        }
    }

    /// Adds an epoch, at whose end the run has taken `step` steps, to the log and prints it.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn epoch(&mut self, record: EpochRecord, step: usize) -> Result<()> {
        let path = self.folder.join("log.jsonl");
        let line =
            serde_json::to_string(&record).map_err(|e| Error::format(&path, e.to_string()))?;
        writeln!(self.lines, "{line}").map_err(|e| Error::io(&path, e))?;
        self.epoch_events(&record, step);
        let name = self.info.validation_name();
        let validation = match &record.validation {
            Some(metrics) => format!(
                "{name} rSum {:.1} (i2t R@1 {:.1}, t2i R@1 {:.1}, best {:.1})",
                metrics.rsum,
                metrics.image_to_text.r1,
                metrics.text_to_image.r1,
                record.best_rsum.unwrap_or(f64::NAN)
            ),
            None => "not evaluated".into(),
        };
        note!(
            "epoch {:>3}: loss {:.3}, {:.0} images/s, data wait {:.1}%, {:.0} s in all; {validation}",
            record.epoch,
            record.loss,
            record.images_per_second,
            100.0 * record.data_wait,
            record.elapsed,
        );
        if record.truncated_captions > 0 {
            note!(
                "  {} captions were longer than the network's positions and cut",
                record.truncated_captions
            );
        }
        self.epochs.push(record);
        let curves = self.folder.join("curves.svg");
        if let Err(error) = write_atomically(&curves, curves_svg(&self.epochs)?.as_bytes()) {
            note!("warning: no curves were drawn: {error}");
        }
        Ok(())
    }

    fn epoch_events(&mut self, record: &EpochRecord, step: usize) {
        let name = self.info.validation_name();
        let mut values = vec![
            ("epoch/loss".to_owned(), record.loss),
            ("epoch/images_per_second".into(), record.images_per_second),
            ("epoch/data_wait".into(), record.data_wait),
        ];
        if let Some(metrics) = &record.validation {
            values.push((format!("{name}/rsum"), metrics.rsum));
            for (direction, recall) in
                [("i2t", &metrics.image_to_text), ("t2i", &metrics.text_to_image)]
            {
                for (rank, value) in [(1, recall.r1), (5, recall.r5), (10, recall.r10)] {
                    values.push((format!("{name}/{direction}_r{rank}"), value));
                }
            }
        }
        let values: Vec<_> = values.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
        self.scalars(step, &values);
    }

    /// Writes the summary.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn finish(&self, summary: RunSummary) -> Result<RunSummary> {
        let path = self.folder.join("summary.json");
        write_atomically(&path, &json(&summary)?)?;
        Ok(summary)
    }
}

/// Writes what a run is and runs on; what an earlier run here ended with is not this one's.
fn begin(folder: &Path, config: &TrainConfig, info: &RunInfo) -> Result<()> {
    let text = toml::to_string(config).map_err(|e| Error::Usage(format!("run.toml: {e}")))?;
    write_atomically(&folder.join("run.toml"), text.as_bytes())?;
    write_atomically(&folder.join("run.json"), &json(info)?)?;
    for name in ["summary.json", "report.html"] {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io(&path, e)),
            _ => {}
        }
    }
    Ok(())
}
