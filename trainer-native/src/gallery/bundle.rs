//! The model that a gallery goes with.

use std::path::{Path, PathBuf};

use avse_core::config::ModelConfig;
use avse_core::gallery::{GalleryKind, ModelTag};
use avse_core::similarity::BlockShape;
use avse_core::weights::{Bundle, Manifest};

use crate::data::emoji::data_folder;
use crate::{Error, Result};

/// Which bundle, and what of it galleries need to know.
#[derive(Clone, Debug)]
pub struct ChosenBundle {
    /// Its folder.
    pub folder: PathBuf,
    /// What names the model.
    pub fingerprint: String,
}

impl ChosenBundle {
    /// The given bundle; without one, that which built the gallery; without a gallery, the
    /// committed demo bundle.
    ///
    /// # Errors
    /// When there is no such bundle; [`Error::Usage`] when the gallery's is gone.
    pub fn choose(given: Option<&Path>, gallery: Option<&ModelTag>) -> Result<Self> {
        if let Some(folder) = given {
            return Self::at(folder);
        }
        let demo = || data_folder().map(|data| data.join("emoji-model"));
        let Some(tag) = gallery else { return Self::at(&demo()?) };
        let candidates = [tag.path.as_deref().map(PathBuf::from), demo().ok()];
        let found = candidates.into_iter().flatten().find_map(|folder| {
            Self::at(&folder).ok().filter(|bundle| bundle.fingerprint == tag.fingerprint)
        });
        found.ok_or_else(|| {
            let place = tag.path.as_deref().unwrap_or("a bundle of unknown place");
            Error::Usage(format!(
                "the gallery was built with {place}, which is not there or has changed: give its \
                 model with --model"
            ))
        })
    }

    fn at(folder: &Path) -> Result<Self> {
        let fingerprint = Manifest::read(folder)?.fingerprint();
        Ok(Self { folder: folder.to_path_buf(), fingerprint })
    }

    /// What a gallery's manifest says of it.
    pub fn tag(&self) -> ModelTag {
        let path = self.folder.canonicalize().ok();
        let path = path.and_then(|path| path.to_str().map(str::to_owned));
        ModelTag { fingerprint: self.fingerprint.clone(), path }
    }

    /// How its embeddings are cut.
    ///
    /// # Errors
    /// As [`Bundle::open`], or a configuration that is none.
    pub fn shape(&self, kind: GalleryKind) -> Result<BlockShape> {
        let config: ModelConfig = Bundle::open(&self.folder)?.config()?;
        Ok(kind.shape(&config))
    }
}
