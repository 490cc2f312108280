//! A model at work on what is exported, and what it made.

use std::path::PathBuf;

use avse_core::Avse;
use avse_core::gallery::{ContentHash, Gallery, GalleryKind, Item};
use avse_core::image::pixels::DecodeLimits;
use avse_core::similarity::{BlockShape, Blocks};
use indicatif::ProgressBar;

use super::options::WebOptions;
use super::rows::{CaptionRow, PictureRow};
use crate::evaluate::Embeddings;
use crate::gallery::{Broken, ChosenBundle, Encoder, Seen};
use crate::reading::{Problem, Skipped};
use crate::{Error, Result, progress};

/// A loaded bundle.
pub(super) struct Model {
    avse: Avse,
    quiet: bool,
    limits: DecodeLimits,
}

impl Model {
    pub(super) fn load(bundle: &ChosenBundle, options: &WebOptions) -> Result<Self> {
        let (avse, limits) = (bundle.load(&options.device)?, options.reading.limits.clone());
        Ok(Self { avse, quiet: options.quiet, limits })
    }

    /// How its embeddings are cut.
    pub(super) fn shape(&self, kind: GalleryKind) -> BlockShape {
        kind.shape(&self.avse.config)
    }

    /// The embeddings of those pictures that can be read, and for each file what came of it; `broken` is told of the
    /// others.
    pub(super) fn pictures(
        &self,
        what: &str,
        files: &[PathBuf],
        broken: &mut Broken<'_>,
    ) -> Result<(Embeddings, Vec<Seen>)> {
        let bar = self.bar(files.len(), what);
        let mut values = Vec::new();
        let mut push = pushing(&mut values);
        let encoder = Encoder::new(&self.avse, &bar, &self.limits);
        let seen = encoder.pictures(files, &mut push, broken)?;
        drop(push);
        bar.finish_and_clear();
        Ok((Embeddings::new(values, self.shape(GalleryKind::Images)), seen))
    }

    /// The embeddings of sentences, and how many were longer than the network has positions for.
    pub(super) fn sentences(&self, what: &str, texts: &[&str]) -> Result<(Embeddings, usize)> {
        let bar = self.bar(texts.len(), what);
        let mut values = Vec::new();
        let mut push = pushing(&mut values);
        let encoder = Encoder::new(&self.avse, &bar, &self.limits);
        let truncated = encoder.sentences(texts, &mut push)?;
        drop(push);
        bar.finish_and_clear();
        Ok((Embeddings::new(values, self.shape(GalleryKind::Captions)), truncated))
    }

    fn bar(&self, total: usize, what: &str) -> ProgressBar {
        if self.quiet { ProgressBar::hidden() } else { progress::bar(total as u64, what) }
    }
}

/// A sink that puts embeddings behind each other.
fn pushing(values: &mut Vec<f32>) -> impl FnMut(Blocks<'_>, &[ContentHash]) -> Result<()> + '_ {
    |blocks, _| {
        values.extend_from_slice(blocks.values());
        Ok(())
    }
}

/// The pictures of an export with their embeddings.
pub(super) struct Encoded {
    pub(super) rows: Vec<PictureRow>,
    /// As the network gives them, or as a kept gallery has them.
    pub(super) embeddings: Embeddings,
    /// Where each picture of the collection is now; unreadable ones are left out.
    pub(super) place: Vec<Option<usize>>,
}

impl Encoded {
    /// Encodes all pictures that can be read.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is none.
    pub(super) fn by(model: &Model, rows: &[PictureRow], skipped: &Skipped) -> Result<Self> {
        let files: Vec<PathBuf> = rows.iter().filter_map(|row| row.file.clone()).collect();
        let mut broken = |at: usize, reason: &str| skipped.add(&rows[at].item.key, reason);
        let (embeddings, seen) = model.pictures("pictures", &files, &mut broken)?;
        let (mut place, mut readable) = (Vec::new(), Vec::new());
        for (row, seen) in rows.iter().zip(seen) {
            match seen {
                Seen::Content(sha256) => {
                    place.push(Some(readable.len()));
                    let item = Item { sha256, ..row.item.clone() };
                    readable.push(PictureRow { item, file: row.file.clone() });
                }
                Seen::Unreadable(_) => place.push(None),
            }
        }
        let problems = skipped.problems();
        if let ([], Some(Problem { key, reason })) = (readable.as_slice(), problems.first()) {
            let count = problems.len();
            let message = format!("none of {count} pictures can be read; {key}: {reason}");
            return Err(Error::Usage(message));
        }
        Ok(Self { rows: readable, embeddings, place })
    }

    /// Takes the embeddings that a gallery has.
    pub(super) fn kept(gallery: &Gallery, rows: &[PictureRow]) -> Result<Self> {
        let place = (0..rows.len()).map(Some).collect();
        let embeddings = stored(gallery)?;
        Ok(Self { rows: rows.to_vec(), embeddings, place })
    }

    /// The captions whose picture is not left out.
    pub(super) fn captions(&self, rows: &[CaptionRow]) -> Vec<CaptionRow> {
        let row = |row: &CaptionRow| {
            let picture = match row.picture {
                Some(picture) => Some(self.place[picture]?),
                None => None,
            };
            Some(CaptionRow { item: row.item.clone(), picture })
        };
        rows.iter().filter_map(row).collect()
    }
}

/// The embeddings of a gallery as it has them.
///
/// # Errors
/// [`avse_core::Error::Shape`] for what no writer of galleries makes.
pub(super) fn stored(gallery: &Gallery) -> Result<Embeddings> {
    let values = gallery.embeddings(0..gallery.len())?;
    Ok(Embeddings::new(values, gallery.spec().shape))
}
