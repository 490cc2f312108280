//! Weights of whatever format, told by where they are.

use std::path::Path;

use super::{StateDict, read_torch};
use crate::{Error, Result};

/// The weight files that Hugging Face folders hold, the better one first.
pub const HUGGING_FACE_FILES: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

/// Reads the tensors of a file, or of a Hugging Face folder, in whichever of
/// the supported formats they are.
///
/// # Errors
/// [`Error::Io`] naming the file, or the folder that holds none;
/// [`Error::Format`] if the file is damaged.
pub fn read_weights(path: impl AsRef<Path>) -> Result<StateDict> {
    let path = path.as_ref();
    if path.is_dir() {
        let mut files = HUGGING_FACE_FILES.iter().map(|name| path.join(name));
        let found = files.find(|file| file.is_file()).ok_or_else(|| {
            let message = format!("holds none of {}", HUGGING_FACE_FILES.join(", "));
            Error::io(path, std::io::Error::new(std::io::ErrorKind::NotFound, message))
        });
        return read_weights(found?);
    }
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        StateDict::read_safetensors(path)
    } else {
        Ok(read_torch(path)?.weights)
    }
}
