//! The model that a gallery goes with.

use std::path::{Path, PathBuf};

use avse_core::Avse;
use avse_core::config::ModelConfig;
use avse_core::gallery::{GalleryKind, ModelTag};
use avse_core::similarity::BlockShape;
use avse_core::weights::{Bundle, Manifest};
use burn::tensor::Device;

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
        Ok(Self { folder: folder.to_path_buf(), fingerprint: fingerprint(folder)? })
    }

    /// The model itself.
    ///
    /// # Errors
    /// As [`Avse::load`]; [`Error::Usage`] when there is another one by now, as in the folder of a run that goes on.
    pub fn load(&self, device: &Device) -> Result<Avse> {
        let (avse, _) = Avse::load(&self.folder, device)?;
        if fingerprint(&self.folder)? != self.fingerprint {
            return Err(Error::Usage(format!(
                "{} holds another model than when it was chosen: run the command again",
                self.folder.display()
            )));
        }
        Ok(avse)
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

fn fingerprint(folder: &Path) -> Result<String> {
    Ok(Manifest::read(Bundle::place(folder))?.fingerprint())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_model_than_the_chosen_one_is_refused() {
        let device = Device::flex();
        let chosen = ChosenBundle::choose(None, None).unwrap();
        chosen.load(&device).unwrap();
        let replaced = ChosenBundle { fingerprint: "another".into(), ..chosen };
        let refused = replaced.load(&device).err().unwrap().to_string();
        assert!(refused.contains("emoji-model holds another model"), "{refused}");
    }
}
