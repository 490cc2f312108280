//! Files that benchmarks write.

use std::path::Path;

use serde::Serialize;

use crate::terminal::note;
use crate::{Error, Result, files};

/// Refuses a file, where there is to be one, whose folder does not exist: minutes of measuring should not end in
/// a file that cannot be written.
pub(super) fn check_folder(option: &str, path: Option<&Path>) -> Result<()> {
    let folder = path.map(files::folder_of);
    match (path, folder) {
        (Some(path), Some(folder)) if !folder.is_dir() => Err(Error::Usage(format!(
            "{option} {}: there is no folder {}",
            path.display(),
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// Writes what was measured as JSON, where a file was asked for.
pub(super) fn write_raw(path: Option<&Path>, report: &impl Serialize) -> Result<()> {
    if let Some(path) = path {
        files::write_atomically(path, &files::json(report)?)?;
        note!("raw numbers: {}", path.display());
    }
    Ok(())
}
