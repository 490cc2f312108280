//! The bundle and the galleries of an export.

use std::path::Path;

use avse_core::gallery::{Gallery, GalleryKind, GallerySpec, Item, ModelTag, StoredPrecision};
use avse_core::weights::{Bundle, BundleContents, Towers};

use super::options::WebOptions;
use crate::evaluate::Embeddings;
use crate::gallery::ChosenBundle;
use crate::{Error, Result};

/// Writes the bundle of a page and says which towers it has: no more than its source.
///
/// # Errors
/// As [`Bundle::open`] and [`Bundle::write`].
pub(super) fn write_model(
    source: &ChosenBundle,
    folder: &Path,
    options: &WebOptions,
) -> Result<(ChosenBundle, Towers)> {
    let bundle = Bundle::open(&source.folder)?;
    let towers = match bundle.manifest().towers {
        Towers::Text => Towers::Text,
        Towers::Both => options.towers,
    };
    let contents = BundleContents {
        config: &bundle.config()?,
        weights: &towers.select(bundle.weights()?),
        tokenizer: &bundle.tokenizer()?,
        precision: options.precision,
        towers,
    };
    let written = Bundle::write(folder, contents)?;
    let fingerprint = written.manifest().fingerprint();
    Ok((ChosenBundle { folder: folder.to_path_buf(), fingerprint }, towers))
}

/// Where galleries go.
pub(super) struct Store<'a> {
    pub(super) folder: &'a Path,
    pub(super) precision: StoredPrecision,
    /// The exported bundle.
    pub(super) model: &'a ChosenBundle,
}

impl Store<'_> {
    /// Writes a gallery into a folder of its name.
    ///
    /// # Errors
    /// [`Error::Io`]; [`avse_core::Error::Shape`] for embeddings that cannot be stored.
    pub(super) fn gallery(
        &self,
        name: &str,
        kind: GalleryKind,
        embeddings: &Embeddings,
        items: &[Item],
    ) -> Result<Gallery> {
        let blocks = embeddings.blocks()?;
        // Where the bundle is written is no place that it will have.
        let model = ModelTag { fingerprint: self.model.fingerprint.clone(), path: None };
        let spec = GallerySpec { kind, shape: blocks.shape(), precision: self.precision, model };
        let gallery = Gallery::build(spec, blocks, items)?;
        let folder = self.folder.join(name);
        std::fs::create_dir(&folder).map_err(|e| Error::io(&folder, e))?;
        let files = gallery.to_bytes()?;
        for (name, content) in [
            ("embeddings.safetensors", &files.embeddings),
            ("items.jsonl", &files.items),
            ("manifest.json", &files.manifest),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, content).map_err(|e| Error::io(&path, e))?;
        }
        Ok(gallery)
    }
}
