//! What `manifest.json` says, and the names of the files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::input::json;
use crate::weights::file_entry::{FileEntry, hex};
use crate::weights::{Precision, Towers};
use crate::{Error, Result};

pub(super) const CONFIG: &str = "config.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const MANIFEST: &str = "manifest.json";
/// The version of the layout that this code writes and reads.
pub(super) const VERSION: u32 = 1;
/// What the manifest calls such a folder.
pub(super) const FORMAT: &str = "avse-bundle";

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
    pub fn from_json(bytes: &[u8], path: &Path) -> Result<Self> {
        let bad = |message: String| Error::format(path, message);
        let manifest: Self = json::parse(bytes, path)?;
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
