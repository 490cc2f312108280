//! Listing of a source, whatever it is.

use std::path::Path;

use avse_core::gallery::{GalleryKind, Source};
use serde_json::Map;

use super::listing::{Content, Entry, Listing, slashes};
use super::{folder, jsonl};
use crate::data::{Dataset, DatasetSpec, ImageEntry};
use crate::{Error, Result};

/// Lists a source.
///
/// # Errors
/// When the source itself is not there or is malformed: an error is not an empty source.
pub fn list(source: &Source, kind: GalleryKind) -> Result<Listing> {
    match (source, kind) {
        (Source::Folder { path }, GalleryKind::Images) => folder::list(Path::new(path)),
        (Source::Folder { path }, GalleryKind::Captions) => Err(Error::Usage(format!(
            "a gallery of captions is made of a dataset or a list of items, not of the folder {path}"
        ))),
        (Source::Items { path }, _) => jsonl::list(Path::new(path), kind),
        (Source::Dataset { .. }, _) => dataset(source, kind),
    }
}

/// What is encoded of a source when nobody says it.
///
/// # Errors
/// [`Error::Io`] when a list of items cannot be read.
pub fn usual_kind(source: &Source) -> Result<GalleryKind> {
    match source {
        Source::Items { path } => jsonl::kind_of(Path::new(path)),
        _ => Ok(GalleryKind::Images),
    }
}

fn dataset(source: &Source, kind: GalleryKind) -> Result<Listing> {
    let Source::Dataset { name, data_path, split, images } = source else {
        return Ok(Listing::default());
    };
    let spec = DatasetSpec {
        name: name.clone(),
        data_path: data_path.into(),
        images: Some(images.into()),
    };
    let dataset = Dataset::open_skipping(&spec)?;
    let problems = dataset.broken_in(Some(split)).chain(dataset.broken_in(None)).cloned().collect();
    let split = dataset.split(split)?;
    let relative = |image: usize| {
        let path = &split.images[image].path;
        slashes(path.strip_prefix(images).unwrap_or(path))
    };
    let entries = match kind {
        GalleryKind::Images => {
            let mut captions = vec![None; split.images.len()];
            for (caption, image) in split.captions.iter().zip(&split.image_of_caption) {
                captions[*image].get_or_insert_with(|| caption.clone());
            }
            let images = split.images.iter().zip(captions).enumerate();
            let entry = |(at, (image, caption)): (usize, (&ImageEntry, _))| Entry {
                key: image.id.clone(),
                content: Content::Picture { path: relative(at), caption },
                metadata: Map::new(),
            };
            images.map(entry).collect()
        }
        GalleryKind::Captions => {
            let captions = split.captions.iter().zip(&split.image_of_caption).enumerate();
            let entry = |(at, (caption, image)): (usize, (&String, &usize))| Entry {
                key: (at + 1).to_string(),
                content: Content::Caption { text: caption.clone(), path: relative(*image) },
                metadata: Map::from_iter([(
                    "image".to_string(),
                    split.images[*image].id.clone().into(),
                )]),
            };
            captions.map(entry).collect()
        }
    };
    Ok(Listing { entries, problems, ..Listing::default() })
}
