//! Opening a gallery for reading.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::publish::{belongs, staged};
use super::stamp::Stamps;
use crate::gallery::bytes::Bytes;
use crate::gallery::collection::Gallery;
use crate::gallery::manifest::{EMBEDDINGS, GalleryManifest, ITEMS, MANIFEST};
use crate::weights::FileEntry;
use crate::{Error, Result};

/// How often to look again when a writer was faster.
const ATTEMPTS: usize = 8;

impl Gallery {
    /// Opens the gallery in a folder by mapping its files, and checks their sizes and hashes.
    ///
    /// A file of 64 MiB or more is not hashed again when a former opening did and noted so
    /// (`.verified.json`), and neither its size nor its time of writing has changed since;
    /// [`Gallery::open_verified`] hashes everything. It can be open while a writer replaces it, and
    /// stays what it was.
    ///
    /// # Errors
    /// [`Error::Io`] if a file is missing, [`Error::Format`] naming the file that is not what
    /// the manifest says, or the manifest itself.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        open(folder.as_ref(), false)
    }

    /// As [`Gallery::open`], with every file hashed whatever its size.
    ///
    /// # Errors
    /// As there.
    pub fn open_verified(folder: impl AsRef<Path>) -> Result<Self> {
        open(folder.as_ref(), true)
    }

    /// Whether `folder` looks like a gallery, whatever state it is in.
    pub fn is_at(folder: impl AsRef<Path>) -> bool {
        GalleryManifest::read(folder).is_ok()
    }
}

fn open(folder: &Path, thorough: bool) -> Result<Gallery> {
    let path = folder.join(MANIFEST);
    let mut manifest = GalleryManifest::read(folder)?;
    for attempt in 1.. {
        match open_generation(folder, &manifest, thorough) {
            Ok([embeddings, items]) => {
                return Gallery::assemble(manifest, embeddings, items, &path);
            }
            Err(error) => {
                // A writer may have replaced the files meanwhile: then there is another manifest,
                // or a file has moved from its first name to its last.
                let again = GalleryManifest::read(folder)?;
                if attempt == ATTEMPTS || (again == manifest && attempt > 1) {
                    return Err(error);
                }
                manifest = again;
            }
        }
    }
    unreachable!("the loop ends by returning")
}

fn open_generation(
    folder: &Path,
    manifest: &GalleryManifest,
    thorough: bool,
) -> Result<[Bytes; 2]> {
    let mut stamps = Stamps::read(folder);
    let mut locate = |name| locate(folder, name, manifest, &mut stamps, thorough);
    let found = locate(EMBEDDINGS).and_then(|embeddings| Ok([embeddings, locate(ITEMS)?]));
    // What was found out about a damaged file is kept too.
    stamps.write(folder);
    found
}

/// The listed file under one of its two names, mapped and verified.
fn locate(
    folder: &Path,
    name: &str,
    manifest: &GalleryManifest,
    stamps: &mut Stamps,
    thorough: bool,
) -> Result<Bytes> {
    let place = folder.join(name);
    let mut problem = None;
    for path in [place.clone(), staged(folder, name)] {
        match verified(&path, name, manifest, stamps, thorough) {
            Ok(bytes) => return Ok(bytes),
            // What is wrong with the file in its place is what matters.
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    Err(problem.unwrap_or_else(|| Error::io(&place, std::io::ErrorKind::NotFound.into())))
}

fn verified(
    path: &PathBuf,
    name: &str,
    manifest: &GalleryManifest,
    stamps: &mut Stamps,
    thorough: bool,
) -> Result<Bytes> {
    let io = |e| Error::io(path, e);
    let file = File::open(path).map_err(io)?;
    let listed = &manifest.files[name];
    let found = file.metadata().map_err(io)?;
    let bytes = Bytes::map(&file).map_err(io)?;
    listed.expect_length(path, bytes.len() as u64)?;
    if !belongs(&bytes, name, manifest) {
        return Err(Error::format(path, "is of another generation than the manifest"));
    }
    if thorough || !stamps.has(name, &found, listed) {
        // Whatever it is now, the note was of another file.
        stamps.forget(name);
        listed.expect(path, &FileEntry::of_bytes(&bytes))?;
        stamps.note(name, &found, listed);
    }
    Ok(bytes)
}
