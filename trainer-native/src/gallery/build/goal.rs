//! What a gallery is to be made of, and how.

use std::io::ErrorKind;
use std::path::Path;

use avse_core::gallery::{
    Gallery, GalleryKind, GalleryManifest, GallerySpec, Source, StoredPrecision,
};

use super::{BuildOptions, SourceChange};
use crate::files::shell_word;
use crate::gallery::bundle::ChosenBundle;
use crate::gallery::sources::usual_kind;
use crate::{Error, Result};

/// What a gallery is to be.
pub(super) struct Goal {
    pub(super) sources: Vec<Source>,
    pub(super) spec: GallerySpec,
    pub(super) bundle: ChosenBundle,
    /// The generation of the gallery that it was made for.
    pub(super) generation: Option<u64>,
}

impl Goal {
    /// What an item of a source is called among those of all: several folders may number theirs alike.
    pub(super) fn named(&self, source: usize, key: &str) -> String {
        match self.sources.as_slice() {
            [_] => key.to_owned(),
            all => format!("{}: {key}", describe(&all[source])),
        }
    }

    pub(super) fn of(options: &BuildOptions) -> Result<Self> {
        let replace = options.change == SourceChange::Replace;
        let old = match Gallery::open(&options.folder) {
            Ok(gallery) => Some(gallery.manifest().clone()),
            // What it was made of is known all the same.
            Err(_) if Gallery::is_at(&options.folder) && replace => {
                Some(GalleryManifest::read(&options.folder)?)
            }
            Err(error) if Gallery::is_at(&options.folder) => {
                return Err(damaged(error, &options.folder));
            }
            Err(_) => None,
        };
        let old = old.as_ref();
        let sources = sources(options, old)?;
        let kind = match (options.kind, old, sources.first()) {
            (Some(kind), _, _) => kind,
            (None, Some(manifest), _) if !replace || options.source.is_none() => manifest.spec.kind,
            (None, _, Some(source)) => usual_kind(source)?,
            (None, _, None) => GalleryKind::Images,
        };
        let tag = old.map(|manifest| &manifest.spec.model);
        let bundle = match ChosenBundle::choose(options.model.as_deref(), tag) {
            // A new source may come with another model; alone, all is to be as it was.
            Err(_) if replace && options.source.is_some() && options.model.is_none() => {
                ChosenBundle::choose(None, None)?
            }
            chosen => chosen?,
        };
        let precision = options.precision.or(old.map(|manifest| manifest.spec.precision));
        let spec = GallerySpec {
            kind,
            shape: bundle.shape(kind)?,
            precision: precision.unwrap_or(StoredPrecision::F16),
            model: bundle.tag(),
        };
        let generation = old.map(|manifest| manifest.generation);
        Ok(Self { sources, spec, bundle, generation })
    }
}

fn sources(options: &BuildOptions, old: Option<&GalleryManifest>) -> Result<Vec<Source>> {
    let old = old.map_or(&[][..], |manifest| &manifest.sources);
    let folder = options.folder.display();
    match (&options.source, options.change) {
        (None, _) if old.is_empty() => Err(Error::Usage(format!(
            "{folder} is no gallery yet: say what to index, a folder of pictures, --dataset or --items"
        ))),
        (None, _) => Ok(old.to_vec()),
        (Some(source), SourceChange::Add) if old.contains(source) => Ok(old.to_vec()),
        (Some(source), SourceChange::Add) => Ok([old, std::slice::from_ref(source)].concat()),
        (Some(source), SourceChange::Replace) => Ok(vec![source.clone()]),
        (Some(source), SourceChange::None) => {
            if old.is_empty() || old == [source.clone()] {
                return Ok(vec![source.clone()]);
            }
            Err(Error::Usage(format!(
                "{folder} was made of {}: add this to it with `avse index add`, or put it in its \
                 place with --replace",
                old.iter().map(describe).collect::<Vec<_>>().join(", ")
            )))
        }
    }
}

/// A source in words.
pub fn describe(source: &Source) -> String {
    match source {
        Source::Folder { path } | Source::Items { path } => path.clone(),
        Source::Dataset { name, split, .. } => format!("{name} ({split})"),
    }
}

/// Says the way out of a damaged gallery.
pub(super) fn damaged(error: avse_core::Error, gallery: &Path) -> Error {
    let damage = match &error {
        avse_core::Error::Format { .. } => true,
        avse_core::Error::Io { source, .. } => source.kind() == ErrorKind::NotFound,
        _ => false,
    };
    match damage {
        true => Error::Usage(format!(
            "{error}; `avse index build --gallery {} --replace` makes the gallery anew of what it was made of",
            shell_word(gallery)
        )),
        false => error.into(),
    }
}
