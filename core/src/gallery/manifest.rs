//! `manifest.json` of a gallery.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;
use crate::input::json;
use crate::similarity::BlockShape;
use crate::weights::FileEntry;
use crate::{Error, Result};

/// The three files of a gallery.
pub(super) const EMBEDDINGS: &str = "embeddings.safetensors";
pub(super) const ITEMS: &str = "items.jsonl";
pub(super) const MANIFEST: &str = "manifest.json";
/// What the manifest calls such a folder.
const FORMAT: &str = "avse-gallery";
/// The version of the layout that this code writes and reads.
const VERSION: u32 = 1;

/// What the embeddings are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GalleryKind {
    /// Pictures.
    Images,
    /// Sentences.
    Captions,
}

/// How precisely blocks are kept beside the 8-bit ones of the first pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredPrecision {
    /// As the network gives them, 4 bytes a number.
    F32,
    /// Rounded, 2 bytes a number; exact means equal to these.
    F16,
    /// Not at all: scores are approximate.
    Int8,
}

/// The model that made the embeddings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelTag {
    /// [`crate::weights::Manifest::fingerprint`] of its bundle.
    pub fingerprint: String,
    /// Where the bundle was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What all rows of a gallery have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GallerySpec {
    /// What the embeddings are of.
    pub kind: GalleryKind,
    /// How an embedding is cut.
    pub shape: BlockShape,
    /// How precisely they are kept.
    pub precision: StoredPrecision,
    /// Who made them.
    pub model: ModelTag,
}

impl GalleryKind {
    /// How a model's embeddings of this kind are cut.
    pub fn shape(self, config: &ModelConfig) -> BlockShape {
        let blocks = match self {
            Self::Images => config.image_blocks(),
            Self::Captions => config.caption_blocks(),
        };
        BlockShape { blocks, width: config.block_size }
    }
}

impl fmt::Display for GalleryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Images => "images",
            Self::Captions => "captions",
        })
    }
}

impl fmt::Display for StoredPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        })
    }
}

impl GallerySpec {
    /// Checks that rows of `other` can stand among rows of this: everything but the place of
    /// the bundle is the same.
    ///
    /// # Errors
    /// [`Error::Format`] about `path`, naming what differs.
    pub fn expect(&self, other: &Self, path: &Path) -> Result<()> {
        let shape = |spec: &Self| format!("{} x {}", spec.shape.blocks, spec.shape.width);
        let differences = [
            ("kind", self.kind.to_string(), other.kind.to_string()),
            ("precision", self.precision.to_string(), other.precision.to_string()),
            ("shape of its embeddings", shape(self), shape(other)),
        ];
        self.model.expect(&other.model.fingerprint, path)?;
        match differences.into_iter().find(|(_, ours, theirs)| ours != theirs) {
            None => Ok(()),
            Some((what, ours, theirs)) => {
                Err(Error::format(path, format!("the gallery's {what} is {ours}, not {theirs}")))
            }
        }
    }
}

impl ModelTag {
    /// Checks that a model is the one that made the embeddings.
    ///
    /// # Errors
    /// [`Error::Format`] about `path`, with both fingerprints.
    pub fn expect(&self, fingerprint: &str, path: &Path) -> Result<()> {
        if self.fingerprint == fingerprint {
            return Ok(());
        }
        let place = self.path.as_deref().map(|path| format!(", {path}")).unwrap_or_default();
        let message = format!(
            "the gallery was built by another model (fingerprint {}{place}), not by the one of \
             fingerprint {}",
            short(&self.fingerprint),
            short(fingerprint)
        );
        Err(Error::format(path, message))
    }
}

/// Enough of a fingerprint to tell two apart by eye.
fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

/// Where items came from; a rebuild looks there again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Source {
    /// All pictures below a folder.
    Folder {
        /// The folder.
        path: String,
    },
    /// A split of a dataset in the official layout.
    Dataset {
        /// Its name.
        name: String,
        /// The folder that holds the datasets.
        data_path: String,
        /// The split.
        split: String,
        /// The folder of the pictures, which items' paths are relative to.
        images: String,
    },
    /// A list of items, one JSON object a line.
    Items {
        /// The file; paths are relative to its folder.
        path: String,
    },
}

/// The content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GalleryManifest {
    /// Always `avse-gallery`.
    pub format: String,
    /// The version of the layout.
    pub version: u32,
    /// The program that wrote it, with its version.
    pub created_by: String,
    /// Counts the times that the gallery was written.
    pub generation: u64,
    /// Number of items, the rows N of every tensor.
    pub items: usize,
    /// What all rows have in common.
    #[serde(flatten)]
    pub spec: GallerySpec,
    /// Where the items came from.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// The other files by name.
    pub files: BTreeMap<String, FileEntry>,
}

impl GalleryManifest {
    pub(super) fn new(
        spec: GallerySpec,
        sources: Vec<Source>,
        generation: u64,
        items: usize,
        [embeddings, lines]: [FileEntry; 2],
    ) -> Self {
        Self {
            format: FORMAT.to_string(),
            version: VERSION,
            created_by: concat!("avse ", env!("CARGO_PKG_VERSION")).to_string(),
            generation,
            items,
            spec,
            sources,
            files: [(EMBEDDINGS, embeddings), (ITEMS, lines)]
                .map(|(name, entry)| (name.to_string(), entry))
                .into(),
        }
    }

    /// Reads the manifest of the gallery in a folder and nothing else.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Format`] when it is none of a gallery of this version.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self> {
        let path = folder.as_ref().join(MANIFEST);
        Self::from_json(&fs::read(&path).map_err(|e| Error::io(&path, e))?, &path)
    }

    /// Parses a manifest; `path` is only named.
    ///
    /// # Errors
    /// [`Error::Format`] for what is no manifest of a gallery of this version.
    pub fn from_json(bytes: &[u8], path: &Path) -> Result<Self> {
        // A later version may have other fields, so the version is looked at first.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let bad = |message: String| Error::format(path, message);
        let head: Head = json::parse(bytes, path)?;
        if head.format != FORMAT {
            return Err(bad(format!("`format` is `{}`, not `{FORMAT}`", head.format)));
        }
        if head.version != VERSION {
            let found = head.version;
            return Err(bad(format!("`version` is {found}; this program reads {VERSION}")));
        }
        let manifest: Self = json::parse(bytes, path)?;
        manifest.spec.shape.validate()?;
        for name in [EMBEDDINGS, ITEMS] {
            if !manifest.files.contains_key(name) {
                return Err(bad(format!("`files` has no `{name}`")));
            }
        }
        Ok(manifest)
    }

    /// The manifest as indented JSON.
    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let mut json =
            serde_json::to_vec_pretty(self).map_err(|e| Error::format(MANIFEST, e.to_string()))?;
        json.push(b'\n');
        Ok(json)
    }
}
