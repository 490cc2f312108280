//! Weights of whatever format, told by what is in the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use serde::Deserialize;

use super::load::first_few;
use super::names::unwrapped;
use super::{Checkpoint, StateDict, read_torch};
use crate::input::json;
use crate::{Error, Result};

/// The weight files that Hugging Face folders hold, the better one first; an index stands for the files it lists.
pub const HUGGING_FACE_FILES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];
/// What the name of an index ends with.
const INDEX: &str = ".index.json";

/// Reads the tensors of a file, or of a Hugging Face folder, in whichever of
/// the supported formats they are.
///
/// # Errors
/// As [`read_checkpoint`].
pub fn read_weights(path: impl AsRef<Path>) -> Result<StateDict> {
    Ok(read_checkpoint(path)?.weights)
}

/// Reads the tensors of a file, of a Hugging Face folder, or of the files that an index lists, and the options
/// that a PyTorch file holds beside them.
///
/// # Errors
/// [`Error::Io`] naming the file, or the folder that holds none;
/// [`Error::Format`] if a file is damaged, or of another kind, or a tensor of an index is missing.
pub fn read_checkpoint(path: impl AsRef<Path>) -> Result<Checkpoint> {
    let path = path.as_ref();
    if path.is_dir() {
        let mut files = HUGGING_FACE_FILES.iter().map(|name| path.join(name));
        let found = files.find(|file| file.is_file()).ok_or_else(|| {
            let message = format!("holds none of {}", HUGGING_FACE_FILES.join(", "));
            Error::io(path, std::io::Error::new(std::io::ErrorKind::NotFound, message))
        });
        return read_checkpoint(found?);
    }
    if path.to_string_lossy().ends_with(INDEX) {
        return Ok(Checkpoint { weights: read_sharded(path)?, ..Checkpoint::default() });
    }
    let mut head = Vec::new();
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    file.take(512).read_to_end(&mut head).map_err(|e| Error::io(path, e))?;
    // The length of a safetensors header may look like the start of anything.
    let is_safetensors = head.get(8) == Some(&b'{');
    if let Some(kind) = foreign(&head).filter(|_| !is_safetensors) {
        return Err(Error::format(path, format!("it is {kind}, not weights")));
    }
    // By its content first: either kind is found under the other's name.
    let torch = head.starts_with(b"PK\x03\x04") || head.first() == Some(&0x80);
    let named = path.extension().is_some_and(|extension| extension == "safetensors");
    if is_safetensors || (named && !torch) {
        return Ok(Checkpoint {
            weights: StateDict::read_safetensors(path)?,
            ..Checkpoint::default()
        });
    }
    read_torch(path)
}

/// What a file is that certainly holds no weights which can be read, with what to do about it.
pub(super) fn foreign(head: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    Some(if head.is_empty() {
        "empty"
    } else if starts(b"version https://git-lfs") {
        "a pointer of Git LFS (run `git lfs pull` where it comes from)"
    } else if starts(b"<!") || starts(b"<html") || starts(b"<HTML") {
        "a web page (the download went wrong)"
    } else if starts(b"\x89HDF") {
        "an HDF5 file, as Keras writes them"
    } else if starts(b"\x1f\x8b") {
        "compressed with gzip (unpack it first: gunzip FILE)"
    } else if starts(b"GGUF") {
        "a GGUF file"
    } else if starts(b"\x93NUMPY") {
        "an array of numpy"
    } else {
        return None;
    })
}

/// What is read of an index.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that an index lists, each once.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] if it is none, or a name in it leads out of its folder.
pub fn shards(index: impl AsRef<Path>) -> Result<Vec<String>> {
    let mut files: Vec<String> = read_index(index.as_ref())?.into_values().collect();
    files.sort();
    files.dedup();
    Ok(files)
}

fn read_index(path: &Path) -> Result<BTreeMap<String, String>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let index: Index = json::from_slice(&bytes)
        .map_err(|e| Error::format(path, format!("not an index of weight files: {e}")))?;
    for (tensor, file) in &index.weight_map {
        let mut parts = Path::new(file).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        if !plain || file.contains(['/', '\\']) {
            let message = format!("`{tensor}`: {file:?} is not the name of a file in its folder");
            return Err(Error::format(path, message));
        }
    }
    Ok(index.weight_map)
}

/// All files of an index, one after the other.
fn read_sharded(path: &Path) -> Result<StateDict> {
    let map = read_index(path)?;
    let mut weights = StateDict::new();
    for file in shards(path)? {
        let shard = path.with_file_name(&file);
        if shard.to_string_lossy().ends_with(INDEX) {
            return Err(Error::format(path, format!("{file:?} is an index itself")));
        }
        if !shard.is_file() {
            let message = format!("lists {file:?}, which is not beside it; fetch that file, too");
            return Err(Error::format(path, message));
        }
        let tensors = read_weights(&shard)?;
        let here = map.iter().filter(|(_, listed)| **listed == file).map(|(name, _)| name);
        let is_there =
            |name: &str| tensors.get(name).is_some() || tensors.get(&unwrapped(name)).is_some();
        let missing: Vec<String> = here.filter(|name| !is_there(name)).cloned().collect();
        if !missing.is_empty() {
            let message = format!(
                "{} tensors that {} lists are missing: {}",
                missing.len(),
                path.display(),
                first_few(&missing)
            );
            return Err(Error::format(&shard, message));
        }
        for (name, data) in tensors {
            if weights.insert(&name, data).is_some() {
                return Err(Error::format(&shard, format!("`{name}` is in an earlier file, too")));
            }
        }
    }
    Ok(weights)
}
