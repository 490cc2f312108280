//! One run as it stands in its folder, finished or not.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use avse_core::input::json;
use avse_core::metrics::RetrievalMetrics;
use serde::de::DeserializeOwned;
use toml::Table;

use crate::files::read_text;
use crate::train::{EpochRecord, RunInfo, RunSummary, SplitInfo, TrainConfig, read_log};
use crate::{Error, Result};

/// A run.
#[derive(Debug)]
pub struct RunRecord {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its configuration, defaults filled in.
    pub config: Table,
    /// Its epochs so far.
    pub log: Vec<EpochRecord>,
    /// What it ran on; runs of older versions do not say it.
    pub info: Option<RunInfo>,
    /// How it ended, if it has.
    pub summary: Option<RunSummary>,
}

impl RunRecord {
    /// Reads a run's folder. A log that breaks off in the middle of its last line is that of a run in progress
    /// or killed, and taken as far as it goes.
    ///
    /// # Errors
    /// [`Error::Usage`] for what is no run's folder; [`Error::Io`] and [`Error::Format`] naming the file, and
    /// the line, that is missing or broken.
    pub fn read(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::Usage(format!("{}: no such folder", folder.display())));
        }
        let path = folder.join("run.toml");
        let config = match TrainConfig::read(&path) {
            Ok(config) => {
                Table::try_from(&config).map_err(|e| Error::format(&path, e.to_string()))?
            }
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                let message = "no run's folder: it has no run.toml";
                return Err(Error::Usage(format!("{}: {message}", folder.display())));
            }
            // Of another version, perhaps: shown as it stands.
            Err(_) => {
                let text = read_text(&path)?;
                text.parse().map_err(|e: toml::de::Error| Error::format(&path, e.to_string()))?
            }
        };
        let full = fs::canonicalize(folder).map_err(|e| Error::io(folder, e))?;
        let name = full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned();
        Ok(Self {
            name,
            folder: folder.to_path_buf(),
            config,
            log: read_log(&folder.join("log.jsonl"))?,
            info: optional(&folder.join("run.json"))?,
            summary: optional(&folder.join("summary.json"))?,
        })
    }

    /// The first epoch with the highest rSum.
    pub fn best(&self) -> Option<(&EpochRecord, &RetrievalMetrics)> {
        let measured =
            self.log.iter().filter_map(|record| Some((record, record.validation.as_ref()?)));
        measured.reduce(|best, other| if other.1.rsum > best.1.rsum { other } else { best })
    }

    /// Whether it is over.
    pub fn state(&self) -> &'static str {
        match &self.summary {
            Some(summary) if summary.stopped_early => "stopped by Ctrl-C",
            Some(_) => "finished",
            None => "in progress or killed",
        }
    }

    /// Epochs that it is to have.
    pub fn epochs(&self) -> i64 {
        self.config.get("num_epochs").and_then(toml::Value::as_integer).unwrap_or(0)
    }

    /// The split that picks the best epoch.
    pub fn validation_split(&self) -> String {
        let logged = self.log.iter().rev().find_map(|record| record.validation_split.clone());
        let said = self.info.as_ref().map(|info| info.validation.name.clone());
        logged.or(said).unwrap_or_else(|| "validation".into())
    }

    /// Whether that is the test split.
    pub fn selected_on_test(&self) -> bool {
        let asked = self.config.get("select_on").and_then(toml::Value::as_str) == Some("test");
        asked || self.info.as_ref().is_some_and(|info| info.selected_on_test)
    }

    /// Time that it has taken so far.
    pub fn time(&self) -> String {
        let logged = self.log.last().map(|record| record.elapsed);
        self.summary.map(|summary| summary.seconds).or(logged).map_or("–".into(), duration)
    }

    /// What trains it.
    pub fn device(&self) -> String {
        self.info.as_ref().map_or_else(|| "–".into(), |info| info.devices.join(", "))
    }

    /// Names and values for a page about this run alone.
    pub fn facts(&self) -> Vec<(String, String)> {
        let mut facts = vec![
            ("State", self.state().to_owned()),
            ("Epochs", format!("{} of {}", self.log.len(), self.epochs())),
            ("Time", self.time()),
        ];
        if let Some(info) = &self.info {
            let machine = &info.machine;
            let split = |split: &SplitInfo| {
                format!("{}: {} images, {} captions", split.name, split.images, split.captions)
            };
            facts.extend([
                ("Device", self.device()),
                ("Processor", machine.cpu.clone().unwrap_or_else(|| "unknown".into())),
                ("Cores, threads", format!("{}, {}", machine.cores, machine.threads)),
                ("Parameters", info.parameters.to_string()),
                ("Steps an epoch", info.steps_per_epoch.to_string()),
                ("Training", split(&info.training)),
                ("Best epoch picked on", split(&info.validation)),
                ("Version", info.version.clone()),
            ]);
        }
        facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A JSON file that need not be there.
fn optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(json::parse(&bytes, path)?)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(path, e)),
    }
}

fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, _) => format!("{seconds:.1} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(2.34), "2.3 s");
        assert_eq!(duration(61.0), "1 min 1 s");
        assert_eq!(duration(2.0 * 3600.0 + 59.6 * 60.0), "2 h 59 min");
    }
}
