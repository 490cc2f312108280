//! Putting a new generation in the place of the old one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::gallery::bytes::Bytes;
use crate::gallery::layout;
use crate::gallery::manifest::{EMBEDDINGS, GalleryManifest, ITEMS, MANIFEST};
use crate::weights::FileEntry;
use crate::{Error, Result};

/// What the name of a file starts with until it takes its place.
const STAGED: &str = ".next-";
/// The renames of a new generation in their order; the first one makes it the current one.
pub(super) const ORDER: [&str; 3] = [MANIFEST, EMBEDDINGS, ITEMS];

/// The place of a file of a new generation.
pub(super) fn staged(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{STAGED}{name}"))
}

/// Makes the staged files the gallery.
pub(super) fn publish(folder: &Path) -> Result<()> {
    // The staged files' names must be on the disk before the manifest's that needs them.
    sync_folder(folder)?;
    take_place(folder, ORDER[0])?;
    sync_folder(folder)?;
    // From here on the new generation counts, wherever its files are: a rename that fails, say
    // because a reader on Windows has the old file mapped, is made up for by the next writer.
    let renamed: Vec<_> = ORDER[1..].iter().map(|name| take_place(folder, name)).collect();
    if renamed.iter().all(Result::is_ok) {
        sync_folder(folder)?;
    }
    Ok(())
}

/// Renames a staged file to its place.
pub(super) fn take_place(folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(name);
    fs::rename(staged(folder, name), &path).map_err(|e| Error::io(&path, e))
}

/// Finishes the renames of a killed writer, or removes what it had not published.
pub(super) fn tidy(folder: &Path) -> Result<()> {
    let path = folder.join(MANIFEST);
    let manifest = match fs::read(&path) {
        Ok(json) => Some(GalleryManifest::from_json(&json, &path)?),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(Error::io(&path, e)),
    };
    for name in &ORDER[1..] {
        let path = staged(folder, name);
        if !path.exists() {
            continue;
        }
        let published = match &manifest {
            Some(manifest) => fits(&path, name, manifest)?,
            None => false,
        };
        if published {
            take_place(folder, name)?;
        } else {
            remove(&path)?;
        }
    }
    remove_if_there(&staged(folder, MANIFEST))?;
    // What a killed process had not renamed of its stamps.
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let entry = entry.map_err(|e| Error::io(folder, e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether a staged file is the one that the manifest lists.
fn fits(path: &Path, name: &str, manifest: &GalleryManifest) -> Result<bool> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let bytes = Bytes::map(&file).map_err(|e| Error::io(path, e))?;
    Ok(belongs(&bytes, name, manifest) && FileEntry::of_bytes(&bytes) == manifest.files[name])
}

/// Whether a file can be the listed one, as far as can be told without reading it.
pub(super) fn belongs(bytes: &[u8], name: &str, manifest: &GalleryManifest) -> bool {
    let length = bytes.len() as u64 == manifest.files[name].bytes;
    let generation = name != EMBEDDINGS
        || layout::generation(bytes).is_none_or(|generation| generation == manifest.generation);
    length && generation
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|e| Error::io(path, e))
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, e)),
        _ => Ok(()),
    }
}

/// Brings the names of a folder to the disk, where the system can.
fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(|e| Error::io(folder, e))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
