//! The bundle: a trained model as a folder.
//!
//! | file | holds |
//! |---|---|
//! | `config.json` | the model's configuration |
//! | `model.safetensors` | the weights under their official names, f32, f16 or int8 |
//! | `tokenizer.json` | the tokenizer, as the `tokenizers` library saves it |
//! | `manifest.json` | format version, who wrote it, size and sha256 of the other three |

mod in_memory;
mod manifest;
mod place;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use self::in_memory::{BundleFiles, VerifiedFiles};
pub use self::manifest::Manifest;
use self::manifest::{CONFIG, FORMAT, MANIFEST, TOKENIZER, VERSION, WEIGHTS};
use self::place::{recover, refuse_foreign, replace, standing};
use super::file_entry::FileEntry;
use super::files::{temporary_sibling, write_atomically};
use super::{Precision, StateDict, Towers};
use crate::{Error, Result};

/// How often to look again when a writer was faster.
const ATTEMPTS: usize = 3;

/// What goes into a bundle.
#[derive(Debug, Clone, Copy)]
pub struct BundleContents<'a> {
    /// The model's configuration, any JSON object.
    pub config: &'a serde_json::Value,
    /// The weights under their official names.
    pub weights: &'a StateDict,
    /// The content of `tokenizer.json`.
    pub tokenizer: &'a [u8],
    /// The precision of the weights in the file.
    pub precision: Precision,
    /// The towers that the weights are of.
    pub towers: Towers,
}

/// A bundle on disk whose files are what its manifest says.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    manifest: Manifest,
}

impl Bundle {
    /// Writes a bundle at `folder`, whose parent must exist. Everything is
    /// written beside it and renamed at the end; a bundle that stood there is
    /// replaced. Who opens it meanwhile finds the old or the new one.
    ///
    /// # Errors
    /// [`Error::Io`] if something cannot be written, or if `folder` exists and
    /// is neither empty nor a bundle: nothing else is ever deleted.
    pub fn write(folder: impl AsRef<Path>, contents: BundleContents<'_>) -> Result<Self> {
        let folder = folder.as_ref();
        recover(folder)?;
        refuse_foreign(folder)?;
        let temporary = temporary_sibling(folder)?;
        fs::create_dir(&temporary).map_err(|e| Error::io(&temporary, e))?;
        let written = fill(&temporary, contents).and_then(|manifest| {
            replace(&temporary, folder)?;
            Ok(Self { folder: folder.to_path_buf(), manifest })
        });
        if written.is_err() {
            let _ = fs::remove_dir_all(&temporary);
        }
        written
    }

    /// Opens the bundle at `folder` and checks the size and hash of each file. What is read of it
    /// afterwards is what stands there then.
    ///
    /// # Errors
    /// [`Error::Io`] if a file is missing, [`Error::Format`] naming the file
    /// that is not what the manifest says, or the manifest itself.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let (mut place, mut attempt) = (standing(folder), 1);
        loop {
            match Self::verified(&place.folder) {
                Ok(bundle) => return Ok(bundle),
                Err(error) => {
                    let now = standing(folder);
                    if attempt == ATTEMPTS || now == place {
                        return Err(error);
                    }
                    (place, attempt) = (now, attempt + 1);
                }
            }
        }
    }

    fn verified(folder: &Path) -> Result<Self> {
        let manifest = Manifest::read(folder)?;
        for name in [CONFIG, WEIGHTS, TOKENIZER] {
            manifest.files[name].verify(&folder.join(name))?;
        }
        Ok(Self { folder: folder.to_path_buf(), manifest })
    }

    /// Where the bundle of `folder` is: there, or beside it while a writer replaces it.
    pub fn place(folder: impl AsRef<Path>) -> PathBuf {
        standing(folder.as_ref()).folder
    }

    /// Whether `folder` looks like a bundle, whatever state it is in.
    pub fn is_at(folder: impl AsRef<Path>) -> bool {
        place::is_at(folder.as_ref())
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The configuration as the type that was written.
    ///
    /// # Errors
    /// [`Error::Format`] naming the key that does not fit.
    pub fn config<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        let path = self.folder.join(CONFIG);
        crate::input::json::read(&path)
    }

    /// The weights under their official names.
    ///
    /// # Errors
    /// As [`StateDict::read_safetensors`].
    pub fn weights(&self) -> Result<StateDict> {
        StateDict::read_safetensors(self.folder.join(WEIGHTS))
    }

    /// The content of `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn tokenizer(&self) -> Result<Vec<u8>> {
        let path = self.folder.join(TOKENIZER);
        fs::read(&path).map_err(|e| Error::io(&path, e))
    }
}

/// Writes all files into the empty folder `folder`, the manifest last.
fn fill(folder: &Path, contents: BundleContents<'_>) -> Result<Manifest> {
    write_json(&folder.join(CONFIG), contents.config)?;
    contents.weights.write_safetensors(folder.join(WEIGHTS), contents.precision)?;
    write_atomically(&folder.join(TOKENIZER), |file| file.write_all(contents.tokenizer))?;
    let mut files = BTreeMap::new();
    for name in [CONFIG, WEIGHTS, TOKENIZER] {
        files.insert(name.to_string(), FileEntry::of(&folder.join(name))?);
    }
    let manifest = Manifest {
        format: FORMAT.to_string(),
        version: VERSION,
        created_by: concat!("avse ", env!("CARGO_PKG_VERSION")).to_string(),
        precision: contents.precision,
        towers: contents.towers,
        files,
    };
    write_json(&folder.join(MANIFEST), &manifest)?;
    Ok(manifest)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    write_atomically(path, |file| {
        serde_json::to_writer_pretty(&mut *file, value)?;
        file.write_all(b"\n")
    })
}
