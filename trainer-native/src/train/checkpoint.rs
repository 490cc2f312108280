//! A run's whole state on disk, so that it can go on from there bit for bit.
//!
//! `<run>/checkpoints/step-00001234/` holds the weights, the averaged weights, the optimiser's
//! state and `state.json` with the sizes and SHA-256 of the others. Random numbers need no saving:
//! every draw is seeded by the run's seed, its epoch and its position. A checkpoint is written to a
//! folder of another name and then renamed, so one that has its name is whole; older ones are
//! removed afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use avse_core::AvseModel;
use avse_core::weights::{
    Bundle, Naming, Precision as StoredPrecision, StateDict, load_into, state_dict_of,
};
use burn::module::Module;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::parameter_ids::{ids_of, with_ids};
use super::position::Position;
use crate::files::{json, read_json, write_atomically};
use crate::terminal::note;
use crate::{Error, Result};

const FOLDER: &str = "checkpoints";
const STATE: &str = "state.json";
const WEIGHTS: &str = "model.safetensors";
const AVERAGE: &str = "average.safetensors";

#[derive(Serialize, Deserialize)]
struct State {
    position: Position,
    /// The parameters' ids in the order of a visit: the optimiser's records are keyed by them.
    parameter_ids: Vec<u64>,
    files: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    bytes: u64,
    sha256: String,
}

/// Everything that changes while a run goes on.
pub struct Snapshot {
    /// Where it stands.
    pub position: Position,
    /// The weights.
    pub model: AvseModel,
    /// The averaged weights, if the run averages.
    pub average: Option<AvseModel>,
    /// The optimiser, group by group.
    pub optimiser: Vec<Vec<u8>>,
}

impl Snapshot {
    /// Writes the state under the run's folder and removes all but the last `keep`.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub fn save(self, run: &Path, keep: usize) -> Result<()> {
        let folder = run.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
        let staging = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&folder)
            .map_err(|e| Error::io(&folder, e))?;
        let parameter_ids = ids_of(&self.model);
        let mut names = vec![WEIGHTS.to_owned()];
        write_weights(&self.model, &staging.path().join(WEIGHTS))?;
        if let Some(average) = &self.average {
            write_weights(average, &staging.path().join(AVERAGE))?;
            names.push(AVERAGE.into());
        }
        for (group, record) in self.optimiser.into_iter().enumerate() {
            let path = staging.path().join(optimiser_file(group));
            fs::write(&path, record).map_err(|e| Error::io(&path, e))?;
            names.push(optimiser_file(group));
        }
        let entry = |name: String| Ok((name.clone(), Entry::of(&staging.path().join(name))?));
        let files = names.into_iter().map(entry).collect::<Result<_>>()?;
        let step = self.position.step;
        let state = State { position: self.position, parameter_ids, files };
        write_atomically(&staging.path().join(STATE), &json(&state)?)?;
        let target = folder.join(format!("step-{step:08}"));
        if target.exists() {
            fs::remove_dir_all(&target).map_err(|e| Error::io(&target, e))?;
        }
        fs::rename(staging.keep(), &target).map_err(|e| Error::io(&target, e))?;
        remove_old(&folder, keep)
    }

    /// The newest whole state under the run's folder, on the device of `fresh`, a network of
    /// the run's sizes, whose batch norms it takes over; `None` when there is no checkpoint yet.
    /// Says on standard error which newer ones are broken.
    ///
    /// # Errors
    /// [`Error::Usage`] when all are.
    pub fn load(run: &Path, fresh: &AvseModel) -> Result<Option<Self>> {
        let folder = run.join(FOLDER);
        let mut problems = Vec::new();
        for path in newest_first(&folder) {
            match Self::read(&path, fresh) {
                Ok(snapshot) => {
                    problems.iter().for_each(|problem| note!("warning: {problem}"));
                    return Ok(Some(snapshot));
                }
                Err(error) => problems.push(format!("{}: not used: {error}", path.display())),
            }
        }
        if problems.is_empty() {
            note!("no checkpoint in {} yet: starting at the beginning", folder.display());
            return Ok(None);
        }
        Err(Error::Usage(format!("--resume: no whole checkpoint: {}", problems.join("; "))))
    }

    fn read(folder: &Path, fresh: &AvseModel) -> Result<Self> {
        let path = folder.join(STATE);
        let state: State = read_json(&path)?;
        for (name, expected) in &state.files {
            expected.check(&folder.join(name))?;
        }
        let read = |name: &str, fresh| {
            read_weights(&folder.join(name), fresh, state.parameter_ids.iter().copied())
        };
        // Clones share the running statistics of batch norm; `valid` makes its own.
        let average = state.files.contains_key(AVERAGE);
        let average = average.then(|| read(AVERAGE, fresh.valid())).transpose()?;
        let model = read(WEIGHTS, fresh.clone())?;
        let groups = state.files.keys().filter(|name| name.starts_with("optimiser")).count();
        let optimiser = (0..groups).map(|group| {
            let path = folder.join(optimiser_file(group));
            fs::read(&path).map_err(|e| Error::io(&path, e))
        });
        let optimiser = optimiser.collect::<Result<_>>()?;
        Ok(Self { position: state.position, model, average, optimiser })
    }
}

/// Puts what an earlier run in the same folder has reached aside, `best` as `best.previous` and so on: resuming
/// must not take its checkpoints for those of a run that began anew, nor anybody its bundles. Says so.
///
/// # Errors
/// [`Error::Io`] naming the folder.
pub fn put_aside(run: &Path) -> Result<()> {
    let mut moved = Vec::new();
    for name in [FOLDER, "best", "last"] {
        let (folder, aside) = (Bundle::place(run.join(name)), run.join(format!("{name}.previous")));
        let is_empty = fs::read_dir(&folder).map_or(true, |mut entries| entries.next().is_none());
        if is_empty {
            continue;
        }
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(|e| Error::io(&aside, e))?;
        }
        fs::rename(&folder, &aside).map_err(|e| Error::io(&folder, e))?;
        moved.push(format!("{name}.previous"));
    }
    if !moved.is_empty() {
        note!(
            "warning: {} held a run: this one replaces it; what that one reached is kept as {}",
            run.display(),
            moved.join(", ")
        );
    }
    Ok(())
}

fn optimiser_file(group: usize) -> String {
    format!("optimiser-{group}.burnpack")
}

fn write_weights(model: &AvseModel, path: &Path) -> Result<()> {
    Ok(state_dict_of(model, Naming::OFFICIAL)?.write_safetensors(path, StoredPrecision::F32)?)
}

fn read_weights(
    path: &Path,
    fresh: AvseModel,
    ids: impl Iterator<Item = u64>,
) -> Result<AvseModel> {
    let weights = StateDict::read_safetensors(path)?;
    let (model, _) = load_into(fresh, weights, Naming::OFFICIAL)?;
    Ok(with_ids(model, ids))
}

impl Entry {
    fn of(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { bytes: bytes.len() as u64, sha256 })
    }

    fn check(&self, path: &Path) -> Result<()> {
        let found = Self::of(path)?;
        if found.bytes == self.bytes && found.sha256 == self.sha256 {
            return Ok(());
        }
        Err(Error::format(path, "is not what was saved: its size or SHA-256 differ"))
    }
}

/// The checkpoints of a folder, the newest first.
fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-"))
    };
    let mut found: Vec<PathBuf> = entries.filter(named).collect();
    found.sort();
    found.reverse();
    found
}

/// Removes all but the newest `keep`, and what a killed run left half-written.
fn remove_old(folder: &Path, keep: usize) -> Result<()> {
    let leftovers = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let half = leftovers.filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".new-"))
    });
    let old = newest_first(folder).into_iter().skip(keep.max(1));
    for path in old.chain(half.collect::<Vec<_>>()) {
        fs::remove_dir_all(&path).map_err(|e| Error::io(&path, e))?;
    }
    Ok(())
}
