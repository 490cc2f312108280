//! The bundle: a trained model as a folder.
//!
//! | file | holds |
//! |---|---|
//! | `config.json` | the model's configuration |
//! | `model.safetensors` | the weights under their official names, f32, f16 or int8 |
//! | `tokenizer.json` | the tokenizer, as the `tokenizers` library saves it |
//! | `manifest.json` | format version, who wrote it, size and sha256 of the other three |

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file_entry::{FileEntry, hex};
use super::files::{sibling, temporary_sibling, write_atomically};
use super::{Precision, StateDict, Towers};
use crate::{Error, Result};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer.json";
const MANIFEST: &str = "manifest.json";
/// The version of the layout that this code writes and reads.
const VERSION: u32 = 1;
/// How often to look again when a writer was faster.
const ATTEMPTS: usize = 3;
/// What the manifest calls such a folder.
const FORMAT: &str = "avse-bundle";

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

/// The content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `avse-bundle`.
    pub format: String,
    /// The version of the layout.
    pub version: u32,
    /// The program that wrote the bundle, with its version.
    pub created_by: String,
    /// The precision of the weights.
    pub precision: Precision,
    /// The towers that it holds.
    #[serde(default, skip_serializing_if = "Towers::is_default")]
    pub towers: Towers,
    /// The other files by name.
    pub files: BTreeMap<String, FileEntry>,
}

impl Manifest {
    /// Reads the manifest of the bundle at `folder` and nothing else.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Format`] when it is none of a bundle of this version.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self> {
        let path = folder.as_ref().join(MANIFEST);
        Self::from_json(&fs::read(&path).map_err(|e| Error::io(&path, e))?, &path)
    }

    /// Parses a manifest; `path` is only named.
    ///
    /// # Errors
    /// [`Error::Format`] when it is none of a bundle of this version.
    pub fn from_json(json: &[u8], path: &Path) -> Result<Self> {
        let bad = |message: String| Error::format(path, message);
        let manifest: Self = serde_json::from_slice(json).map_err(|e| bad(e.to_string()))?;
        if manifest.format != FORMAT {
            return Err(bad(format!("`format` is `{}`, not `{FORMAT}`", manifest.format)));
        }
        if manifest.version != VERSION {
            let found = manifest.version;
            return Err(bad(format!("`version` is {found}; this program reads {VERSION}")));
        }
        for name in [CONFIG, WEIGHTS, TOKENIZER] {
            if !manifest.files.contains_key(name) {
                return Err(bad(format!("`files` has no `{name}`")));
            }
        }
        Ok(manifest)
    }

    /// Names the model whatever its folder is called: the SHA-256 of the hashes of
    /// configuration, weights and tokenizer, in lower-case hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (name, entry) in &self.files {
            hash.update(format!("{name} {}\n", entry.sha256));
        }
        hex(&hash.finalize())
    }
}

/// The content of a bundle's four files, where there is no folder to read them from.
#[derive(Debug)]
pub struct BundleFiles {
    /// `manifest.json`
    pub manifest: Vec<u8>,
    /// `config.json`
    pub config: Vec<u8>,
    /// `model.safetensors`
    pub weights: Vec<u8>,
    /// `tokenizer.json`
    pub tokenizer: Vec<u8>,
}

/// A bundle's files that are what their manifest says: checked once, however they are used.
#[derive(Debug)]
pub struct VerifiedFiles {
    pub(crate) files: BundleFiles,
    pub(crate) manifest: Manifest,
}

impl BundleFiles {
    /// Checks the size and hash of each file.
    ///
    /// # Errors
    /// [`Error::Format`] naming the file that is not what the manifest says, or the manifest.
    pub fn verify(self) -> Result<VerifiedFiles> {
        let manifest = Manifest::from_json(&self.manifest, Path::new(MANIFEST))?;
        let files =
            [(CONFIG, &self.config), (WEIGHTS, &self.weights), (TOKENIZER, &self.tokenizer)];
        for (name, content) in files {
            manifest.files[name].verify_bytes(Path::new(name), content)?;
        }
        Ok(VerifiedFiles { files: self, manifest })
    }
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
        let mut place = standing(folder);
        for attempt in 1.. {
            match Self::verified(&place.folder) {
                Ok(bundle) => return Ok(bundle),
                Err(error) => {
                    let now = standing(folder);
                    if attempt == ATTEMPTS || now == place {
                        return Err(error);
                    }
                    place = now;
                }
            }
        }
        unreachable!("the loop ends by returning")
    }

    fn verified(folder: &Path) -> Result<Self> {
        let manifest = Manifest::read(folder)?;
        for name in [CONFIG, WEIGHTS, TOKENIZER] {
            manifest.files[name].verify(&folder.join(name))?;
        }
        Ok(Self { folder: folder.to_path_buf(), manifest })
    }

    /// Whether `folder` looks like a bundle, whatever state it is in.
    pub fn is_at(folder: impl AsRef<Path>) -> bool {
        let Standing { folder, manifest } = standing(folder.as_ref());
        manifest.is_some() && folder.join(WEIGHTS).is_file()
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
        let text = fs::read(&path).map_err(|e| Error::io(&path, e))?;
        serde_json::from_slice(&text).map_err(|e| Error::format(&path, e.to_string()))
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

/// Where a bundle stands, and the text of its manifest: a writer changes one or the other.
#[derive(PartialEq)]
struct Standing {
    folder: PathBuf,
    manifest: Option<Vec<u8>>,
}

/// Nothing is renamed here: the writer may be between its two renames, not dead.
fn standing(folder: &Path) -> Standing {
    let manifest = |folder: &Path| fs::read(folder.join(MANIFEST)).ok();
    if !folder.exists()
        && let Ok(previous) = previous(folder)
        && let Some(manifest) = manifest(&previous)
    {
        return Standing { folder: previous, manifest: Some(manifest) };
    }
    Standing { folder: folder.to_path_buf(), manifest: manifest(folder) }
}

/// Where the old bundle stands while the new one takes its place.
fn previous(folder: &Path) -> Result<PathBuf> {
    sibling(folder, "previous")
}

fn replace(temporary: &Path, folder: &Path) -> Result<()> {
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
fn recover(folder: &Path) -> Result<()> {
    let previous = previous(folder)?;
    if !folder.exists() && Bundle::is_at(&previous) {
        fs::rename(&previous, folder).map_err(|e| Error::io(folder, e))?;
    }
    Ok(())
}

/// An error unless `folder` is absent, empty, or a bundle.
fn refuse_foreign(folder: &Path) -> Result<()> {
    let empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(Error::io(folder, error)),
    };
    if empty || Bundle::is_at(folder) {
        return Ok(());
    }
    let message = "exists and is no bundle, so it is not overwritten";
    Err(Error::io(folder, std::io::Error::new(std::io::ErrorKind::AlreadyExists, message)))
}
