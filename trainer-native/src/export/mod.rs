//! A bundle, galleries and thumbnails as static files for a web page.
//!
//! | path | holds |
//! |---|---|
//! | `avse.json` | what there is, what the model knows, credits |
//! | `model/` | a bundle, smaller than its source by less precise weights or without the image tower |
//! | `pictures/`, `captions/` | galleries made with exactly these weights |
//! | `pictures/thumbnails.bin`, `.json` | small pictures, one after the other, and where each ends |
//!
//! Everything is written beside its place and then put there at once.

mod compare;
mod encode;
mod files;
mod folder;
mod loss;
mod manifest;
mod options;
mod rows;
mod thumbnails;

use std::path::PathBuf;
use std::time::Instant;

use avse_core::gallery::{Gallery, GalleryKind, Item, StoredPrecision};
use avse_core::weights::{Precision, Towers};
use serde::Serialize;

use self::compare::Compared;
use self::encode::{Encoded, Model};
use self::files::Store;
use self::folder::Staging;
use self::manifest::About;
use self::options::{CAPTIONS, MODEL, PICTURES};
use self::rows::Collection;
use crate::gallery::{ChosenBundle, UnreadFormat};
use crate::reading::{Problem, Skipped, list_beside};
use crate::{Error, Result};

pub use loss::Loss;
pub use manifest::Credit;
pub use options::{CaptionSource, PictureSource, WebOptions};

/// What was exported.
#[derive(Clone, Debug, Serialize)]
pub struct WebReport {
    /// The folder.
    pub out: PathBuf,
    /// The bundle it was made from.
    pub model: PathBuf,
    /// How precisely the weights are written.
    pub precision: Precision,
    /// The towers that were written.
    pub towers: Towers,
    /// How precisely embeddings are stored.
    pub gallery_precision: StoredPrecision,
    /// Pictures that can be found.
    pub pictures: usize,
    /// Captions that can be found.
    pub captions: usize,
    /// Pictures of the gallery that could not be reached, so that its embeddings were kept.
    pub unreachable: usize,
    /// Whether the embeddings of the pictures are those of the given gallery.
    pub kept_embeddings: bool,
    /// What could not be read, and is left out.
    pub unreadable: Vec<Problem>,
    /// Pictures of formats that this build does not read.
    pub unread_formats: Vec<UnreadFormat>,
    /// The file that lists it, where anything could not be read. It is beside the folder, which is for everybody.
    pub unreadable_list: Option<PathBuf>,
    /// Rows without a thumbnail.
    pub without_thumbnail: usize,
    /// Captions longer than the network has positions for.
    pub truncated_captions: usize,
    /// Every file with its length, by its path in the folder.
    pub files: Vec<(String, u64)>,
    /// What it costs in quality.
    pub loss: Loss,
    /// Wall time.
    pub seconds: f64,
}

/// Writes an export.
///
/// # Errors
/// Whatever is wrong with the bundle or the sources; [`Error::Usage`] when something else than an
/// export stands where it is to be. A picture that cannot be read is no error: the report lists it.
pub fn export(options: &WebOptions) -> Result<WebReport> {
    let began = Instant::now();
    let staging = Staging::beside(&options.out)?;
    let folder = staging.folder();
    let collection = Collection::read(&options.pictures)?;
    let total = collection.pictures.len() + collection.problems.len();
    let skipped = Skipped::new(&options.reading, (total, "pictures"), list_beside(&options.out));
    skipped.add_all(&collection.problems)?;
    let captions = collection.captions(&options.captions)?;
    let tag = collection.embedded.as_ref().map(|gallery| &gallery.spec().model);
    let source = ChosenBundle::choose(options.model.as_deref(), tag)?;
    let about = About::of(options, &collection, &source)?;
    let (exported, towers) = files::write_model(&source, &folder.join(MODEL), options)?;
    let kept = kept_gallery(&collection, &source, towers, options)?;

    let before = Model::load(&source, options)?;
    let after = Model::load(&exported, options)?;
    let pictures = match kept {
        Some(gallery) => Encoded::kept(gallery, &collection.pictures)?,
        // Without an image tower in the page there is nothing to agree with but the best.
        None if !towers.has_image() => Encoded::by(&before, &collection.pictures, &skipped)?,
        None => Encoded::by(&after, &collection.pictures, &skipped)?,
    };
    let precision = match kept.map(|gallery| gallery.spec().precision) {
        // What has been rounded to 8 bits has no more to give.
        Some(StoredPrecision::Int8) => StoredPrecision::Int8,
        _ => options.gallery_precision,
    };
    let mut manifest = about.manifest();
    let store = Store { folder: &folder, precision, model: &exported };
    let items: Vec<Item> = pictures.rows.iter().map(|row| row.item.clone()).collect();
    let stored = store.gallery(PICTURES, GalleryKind::Images, &pictures.embeddings, &items)?;
    manifest.add(PICTURES, GalleryKind::Images, items.len());
    let (mut count, mut truncated_captions) = (0, 0);
    if let Some(rows) = &captions {
        let rows = pictures.captions(rows);
        let (embeddings, truncated) = after.sentences("captions", &rows::texts(&rows))?;
        let items: Vec<Item> = rows.into_iter().map(|row| row.item).collect();
        store.gallery(CAPTIONS, GalleryKind::Captions, &embeddings, &items)?;
        manifest.add(CAPTIONS, GalleryKind::Captions, items.len());
        (count, truncated_captions) = (items.len(), truncated);
    }
    let without_thumbnail = match options.thumbnails {
        0 => 0,
        side => thumbnails::write(&folder.join(PICTURES), side, &pictures.rows, options)?,
    };
    let anew = kept.is_none() && towers.has_image();
    let compared = Compared { before: &before, after: &after, pictures: &pictures, anew };
    let loss = compared.loss(&collection, captions.as_deref(), &encode::stored(&stored)?)?;
    manifest.write(&folder)?;
    let files = folder::files(&folder)?;
    staging.publish()?;
    Ok(WebReport {
        out: options.out.clone(),
        model: source.folder.clone(),
        precision: options.precision,
        towers,
        gallery_precision: precision,
        pictures: pictures.rows.len(),
        captions: count,
        unreachable: collection.unreachable(),
        kept_embeddings: kept.is_some(),
        unread_formats: collection.unread_formats.clone(),
        unreadable: skipped.problems(),
        unreadable_list: skipped.finish(),
        without_thumbnail,
        truncated_captions,
        files,
        loss,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// The gallery whose embeddings are taken over: one of which a picture cannot be reached, or any
/// of this bundle where the page encodes no pictures.
///
/// # Errors
/// [`Error::Format`] when they must be, and another bundle made them.
fn kept_gallery<'a>(
    collection: &'a Collection,
    source: &ChosenBundle,
    towers: Towers,
    options: &WebOptions,
) -> Result<Option<&'a Gallery>> {
    let (Some(gallery), PictureSource::Gallery(folder)) = (&collection.embedded, &options.pictures)
    else {
        return Ok(None);
    };
    let own = gallery.expect_model(&source.fingerprint);
    let (missing, count) = (collection.unreachable(), collection.pictures.len());
    match own {
        Ok(()) if missing > 0 || !towers.has_image() => Ok(Some(gallery)),
        Err(error) if missing > 0 => Err(Error::format(
            folder,
            format!(
                "{missing} of its {count} pictures are not there to be encoded anew, and {error}"
            ),
        )),
        _ => Ok(None),
    }
}
