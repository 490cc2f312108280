//! Reading of text and JSON from outside, and writing of files, whole or not at all.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::Path;

use avse_core::input::{encoding, json};
use avse_core::weights::{is_special, target};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// A value as indented JSON with a final newline.
pub fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::Usage(format!("JSON cannot be written: {e}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a text file, without its byte order mark.
///
/// # Errors
/// [`Error::Io`], or [`Error::Format`] for what is no UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let text = encoding::text(&bytes).map_err(|message| Error::format(path, message))?;
    Ok(text.to_owned())
}

/// Reads a JSON file.
///
/// # Errors
/// [`Error::Io`], or [`Error::Format`] naming line or key.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    json::from_slice(&bytes).map_err(|message| Error::format(path, message))
}

/// Writes a file so that it is there as a whole or not at all.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, |file| file.write_all(bytes).map_err(|e| Error::io(path, e)))
}

/// The same, with what `write` puts into it bit by bit. A device or a pipe is written to as it is.
pub fn write_atomically_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let named = path;
    let path = &target(path);
    if is_special(path) {
        let file = OpenOptions::new().write(true).open(path).map_err(|e| Error::io(named, e))?;
        let mut buffered = BufWriter::new(file);
        write(&mut buffered)?;
        return buffered.flush().map_err(|e| Error::io(named, e));
    }
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    // Temporary files are private to their owner; results are as readable as other files.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder).map_err(|e| Error::io(folder, e))?;
    let mut buffered = BufWriter::new(file);
    write(&mut buffered)?;
    let file = buffered.into_inner().map_err(|e| Error::io(named, e.into_error()))?;
    file.persist(path).map_err(|e| Error::io(named, e.error))?;
    Ok(())
}

/// A path as a shell takes it, in quotes where it needs them.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    // What cannot be quoted, a zero byte, is in no path.
    shlex::try_quote(&text).map_or_else(|_| text.clone(), Cow::into_owned)
}

/// The folder that a file stands in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
