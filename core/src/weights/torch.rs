//! PyTorch files: `pytorch_model.bin` and the official `model_best.pth`.

mod container;
mod file;
mod storage;
mod view;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use super::StateDict;
use super::pickle::{Id, Pickle};
use crate::{Error, Result};

/// How many values beside the weights are looked through for options.
const MAX_OPTIONS: usize = 1_000_000;

/// A PyTorch checkpoint.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// The model's tensors, without what training wraps around their names (`module.`, `_orig_mod.`).
    pub weights: StateDict,
    /// What the official code saves beside them, as far as it is plain data:
    /// `epoch`, `best_rsum`, and every training option as `opt.<name>`.
    pub options: BTreeMap<String, serde_json::Value>,
}

/// Reads a file that `torch.save` wrote, as a zip archive or in the form before PyTorch 1.6. Nothing in it
/// is executed: classes such as `argparse.Namespace` are read as data, and what else stands beside the weights
/// is passed over.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is not such a
/// file, is damaged, or holds no tensors, or tensors that are no plain numbers (sparse, quantised, complex).
pub fn read_torch(path: impl AsRef<Path>) -> Result<Checkpoint> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    Checkpoint::from_torch(BufReader::with_capacity(1 << 20, file), path)
}

impl Checkpoint {
    /// As [`read_torch`], from any source; `origin` is what errors name.
    ///
    /// The tensors are in memory once, and one storage (PyTorch's block of numbers that tensors are views of)
    /// beside them where views are not contiguous. All together they take at most 16 times the file's length and
    /// 16 MiB; the values of its pickle, of which there may be 10 million, take some 100 bytes each.
    ///
    /// # Errors
    /// As [`read_torch`].
    pub fn from_torch(source: impl Read + Seek, origin: &Path) -> Result<Self> {
        read(source).map_err(|message| Error::format(origin, format!("PyTorch file: {message}")))
    }
}

fn read(source: impl Read + Seek) -> std::result::Result<Checkpoint, String> {
    let (pickle, storages) = file::open(source)?;
    let views = container::views(&pickle)?;
    let weights = storages.read(&pickle, views)?;
    Ok(Checkpoint { weights, options: plain_values(&pickle) })
}

/// The plain values at the root, and those of `opt` with its name in front.
fn plain_values(pickle: &Pickle) -> BTreeMap<String, serde_json::Value> {
    let mut values = BTreeMap::new();
    let mut budget = MAX_OPTIONS;
    let mut collect = |prefix: &str, id: Id| {
        for (key, value) in pickle.entries(id).unwrap_or_default() {
            // Tensors and dictionaries of them have no plain form and drop out.
            let Some(key) = pickle.text(*key) else { continue };
            let json = pickle.unfold_within(*value, &mut budget).ok().and_then(|v| v.to_json());
            if let Some(json) = json.filter(|json| !json.is_object()) {
                values.insert(format!("{prefix}{key}"), json);
            }
        }
    };
    // What is asked for first: what else is at the root may be long.
    if let Some(options) = pickle.get(pickle.root, "opt") {
        let state = pickle.object(options).and_then(|(_, object)| object.state);
        collect("opt.", state.unwrap_or(options));
    }
    collect("", pickle.root);
    values
}
