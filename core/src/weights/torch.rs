//! PyTorch files: `pytorch_model.bin` and the official `model_best.pth`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use burn::tensor::{BoolStore, DType, TensorData};
use burn_store::pytorch_reader::{DType as TorchType, MAX_PICKLE_SIZE, PytorchReader, Tensor};

use super::{StateDict, pickle};
use crate::{Error, Result};

/// The keys under which checkpoints put the state dict, if not at the root.
const CONTAINERS: [&str; 3] = ["model", "state_dict", "model_state_dict"];

/// A PyTorch checkpoint.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// The model's tensors, without the `module.` of distributed training.
    pub weights: StateDict,
    /// What the official code saves beside them, as far as it is plain data:
    /// `epoch`, `best_rsum`, and every training option as `opt.<name>`.
    pub options: BTreeMap<String, serde_json::Value>,
}

/// Reads a file that `torch.save` wrote, in any of its formats. Nothing in it
/// is executed: classes such as `argparse.Namespace` are read as data.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is not such a
/// file, is damaged, or holds no tensors.
pub fn read_torch(path: impl AsRef<Path>) -> Result<Checkpoint> {
    let path = path.as_ref();
    File::open(path).map_err(|e| Error::io(path, e))?;
    let broken = |message: String| Error::format(path, format!("PyTorch file: {message}"));

    let tensors = PytorchReader::new(path).map_err(|e| broken(e.to_string()))?.into_tensors();
    let mut containers = CONTAINERS.into_iter().map(|key| format!("{key}."));
    let container = containers.find(|key| tensors.keys().any(|name| name.starts_with(key)));
    let mut weights = StateDict::new();
    for (name, tensor) in tensors {
        let inner = match &container {
            Some(prefix) => name.strip_prefix(prefix.as_str()),
            None => Some(name.as_str()),
        };
        // Beside a container stand optimiser states, which no model needs.
        let Some(inner) = inner else { continue };
        let inner = inner.strip_prefix("module.").unwrap_or(inner).to_string();
        let data = read_tensor(&tensor).map_err(|e| broken(format!("`{name}`: {e}")))?;
        if weights.insert(inner.clone(), data).is_some() {
            return Err(broken(format!("`{inner}` is there twice")));
        }
    }
    if weights.is_empty() {
        return Err(broken("holds no tensors".to_string()));
    }
    let options = match read_pickle_entry(path).map_err(broken)? {
        Some(bytes) => plain_values(&pickle::read(&bytes).map_err(broken)?),
        None => BTreeMap::new(),
    };
    Ok(Checkpoint { weights, options })
}

fn read_tensor(tensor: &Tensor) -> std::result::Result<TensorData, String> {
    let dtype = match tensor.dtype() {
        TorchType::F64 => DType::F64,
        TorchType::F32 => DType::F32,
        TorchType::F16 => DType::F16,
        TorchType::BF16 => DType::BF16,
        TorchType::I64 => DType::I64,
        TorchType::I32 => DType::I32,
        TorchType::I16 => DType::I16,
        TorchType::I8 => DType::I8,
        TorchType::U64 => DType::U64,
        TorchType::U32 => DType::U32,
        TorchType::U16 => DType::U16,
        TorchType::U8 => DType::U8,
        TorchType::Bool => DType::Bool(BoolStore::Native),
    };
    let bytes = tensor.read().map_err(|e| e.to_string())?;
    TensorData::try_from_bytes_vec(bytes, tensor.shape().to_vec(), dtype).map_err(|e| e.to_string())
}

/// The pickle in a zip checkpoint; none in the formats before PyTorch 1.6.
fn read_pickle_entry(path: &Path) -> std::result::Result<Option<Vec<u8>>, String> {
    let file = BufReader::new(File::open(path).map_err(|e| e.to_string())?);
    let Ok(mut archive) = zip::ZipArchive::new(file) else { return Ok(None) };
    let is_root = |name: &str| {
        // `data.pkl` stands in a folder named after the file.
        let folder = name.strip_suffix("data.pkl").map(|top| top.strip_suffix('/').unwrap_or(top));
        folder.is_some_and(|folder| !folder.contains('/'))
    };
    let mut names = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned()));
    let Some(name) = names.find(|name| is_root(name)) else { return Ok(None) };
    drop(names);
    let entry = archive.by_name(&name).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    entry.take(MAX_PICKLE_SIZE).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(Some(bytes))
}

/// The plain values at the root, and those of `opt` with its name in front.
fn plain_values(root: &pickle::Value) -> BTreeMap<String, serde_json::Value> {
    let mut values = BTreeMap::new();
    let mut collect = |prefix: &str, value: &pickle::Value| {
        let pickle::Value::Dict(entries) = value else { return };
        for (key, value) in entries {
            // Tensors and dictionaries of them have no plain form and drop out.
            let (pickle::Value::Text(key), Some(json)) = (key, value.to_json()) else { continue };
            if !json.is_object() {
                values.insert(format!("{prefix}{key}"), json);
            }
        }
    };
    collect("", root);
    match root.get("opt") {
        Some(pickle::Value::Object { state, .. }) => collect("opt.", state),
        Some(options) => collect("opt.", options),
        None => {}
    }
    values
}
