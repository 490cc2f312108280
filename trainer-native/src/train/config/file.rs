//! Runs as TOML files.

use std::path::Path;

use toml::{Table, Value};

use super::TrainConfig;
use crate::files::read_text;
use crate::{Error, Result};

impl TrainConfig {
    /// Reads a run from a TOML file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] naming file, line and key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let wrong = |message: String| Error::format(path, message);
        let config: Self = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        // Backbones skip keys that they do not know, for the sake of Hugging Face's files;
        // in a run a misspelt key must not turn into a default.
        let given: Table = text.parse().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
        let understood = Table::try_from(&config).map_err(|e| wrong(e.to_string()))?;
        match unknown_key(&given, &understood) {
            Some(key) => Err(wrong(format!("unknown key `{key}`"))),
            None => Ok(config),
        }
    }

    /// This run with what a TOML file says in place of its own values.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] naming the file.
    pub fn overlaid(&self, path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let wrong = |message: String| Error::format(path, message);
        let given: Table = text.parse().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
        let mut whole = Table::try_from(self).map_err(|e| wrong(e.to_string()))?;
        overlay(&mut whole, given);
        whole.try_into().map_err(|e: toml::de::Error| wrong(e.to_string()))
    }
}

/// Puts the values of `given` into `whole`. A table that says its kind replaces one as it stands: the keys of
/// another kind mean nothing in it.
fn overlay(whole: &mut Table, given: Table) {
    for (key, value) in given {
        match (whole.get_mut(&key), value) {
            (Some(Value::Table(whole)), Value::Table(given)) if !given.contains_key("kind") => {
                overlay(whole, given);
            }
            (_, value) => {
                whole.insert(key, value);
            }
        }
    }
}

/// The first key of `given` that `understood` lacks, with dots between levels.
fn unknown_key(given: &Table, understood: &Table) -> Option<String> {
    given.iter().find_map(|(key, value)| match (value, understood.get(key)) {
        (_, None) => Some(key.clone()),
        (Value::Table(given), Some(Value::Table(understood))) => {
            unknown_key(given, understood).map(|inner| format!("{key}.{inner}"))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{OptimiserConfig, Schedule};
    use super::*;

    #[test]
    fn a_file_is_laid_over_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        let run = TrainConfig { seed: 7, batch_size: 4, ..Default::default() };
        let file = "seed = 3\n[optimiser]\nschedule = { kind = \"cosine\", last = 0.5 }\n";
        std::fs::write(&path, file).unwrap();
        let both = run.overlaid(&path).unwrap();
        let optimiser =
            OptimiserConfig { schedule: Schedule::Cosine { last: 0.5 }, ..run.optimiser.clone() };
        assert_eq!(both, TrainConfig { seed: 3, optimiser, ..run });
    }
}
