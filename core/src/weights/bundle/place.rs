//! The place of a bundle on disk, while writers replace it and readers open it.

use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::{MANIFEST, WEIGHTS};
use crate::weights::files::sibling;
use crate::{Error, Result};

/// Where a bundle stands, and the text of its manifest: a writer changes one or the other.
#[derive(PartialEq)]
pub(super) struct Standing {
    pub(super) folder: PathBuf,
    pub(super) manifest: Option<Vec<u8>>,
}

/// Nothing is renamed here: the writer may be between its two renames, not dead.
pub(super) fn standing(folder: &Path) -> Standing {
    let manifest = |folder: &Path| fs::read(folder.join(MANIFEST)).ok();
    if !folder.exists()
        && let Ok(previous) = previous(folder)
        && let Some(manifest) = manifest(&previous)
    {
        return Standing { folder: previous, manifest: Some(manifest) };
    }
    Standing { folder: folder.to_path_buf(), manifest: manifest(folder) }
}

/// Whether a folder looks like a bundle, whatever state it is in.
pub(super) fn is_at(folder: &Path) -> bool {
    let Standing { folder, manifest } = standing(folder);
    manifest.is_some() && folder.join(WEIGHTS).is_file()
}

/// Where the old bundle stands while the new one takes its place.
fn previous(folder: &Path) -> Result<PathBuf> {
    sibling(folder, "previous")
}

/// Puts a written bundle at `folder`; one that stood there is gone then.
pub(super) fn replace(temporary: &Path, folder: &Path) -> Result<()> {
    let io = |e| Error::io(folder, e);
    let previous = previous(folder)?;
    if folder.exists() {
        if previous.exists() {
            fs::remove_dir_all(&previous).map_err(io)?;
        }
        fs::rename(folder, &previous).map_err(io)?;
        if let Err(error) = fs::rename(temporary, folder) {
            let _ = fs::rename(&previous, folder);
            return Err(io(error));
        }
        fs::remove_dir_all(&previous).map_err(io)?;
    } else {
        fs::rename(temporary, folder).map_err(io)?;
    }
    Ok(())
}

/// Puts the old bundle back if a crash came between the two renames.
pub(super) fn recover(folder: &Path) -> Result<()> {
    let previous = previous(folder)?;
    if !folder.exists() && is_at(&previous) {
        fs::rename(&previous, folder).map_err(|e| Error::io(folder, e))?;
    }
    Ok(())
}

/// An error unless `folder` is absent, empty, or a bundle.
pub(super) fn refuse_foreign(folder: &Path) -> Result<()> {
    let empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(Error::io(folder, error)),
    };
    if empty || is_at(folder) {
        return Ok(());
    }
    let message = "exists and is no bundle, so it is not overwritten";
    Err(Error::io(folder, std::io::Error::new(std::io::ErrorKind::AlreadyExists, message)))
}
