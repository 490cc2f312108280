//! The full score matrix.

use super::Engine;
use super::panel::{Panels, Side};
use super::parallel;
use crate::similarity::Blocks;
use crate::{Error, Result};

/// Packed numbers held at a time: 64 MiB.
const PACKED: usize = 1 << 24;
/// Embeddings of the row side that a thread takes at a time.
const ROWS: usize = 8;

impl Engine {
    /// Scores of all pairs, `scores[image * captions + caption]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the widths differ or `scores` has another size.
    pub fn score_matrix(
        &self,
        images: Blocks<'_>,
        captions: Blocks<'_>,
        scores: &mut [f32],
    ) -> Result<()> {
        same_width(images, captions)?;
        if images.rows().checked_mul(captions.rows()) != Some(scores.len()) {
            return Err(Error::Shape(format!(
                "{} scores for {} images x {} captions",
                scores.len(),
                images.rows(),
                captions.rows()
            )));
        }
        if scores.is_empty() {
            return Ok(());
        }
        let lanes = Panels::new(self.kernels, Side::Captions, captions.shape());
        // Few captions would leave most lanes empty.
        if captions.rows() < lanes.items / 2 && images.rows() > captions.rows() {
            self.images_in_lanes(images, captions, scores);
        } else {
            self.captions_in_lanes(&lanes, images, captions, scores);
        }
        Ok(())
    }

    fn captions_in_lanes(
        &self,
        lanes: &Panels,
        images: Blocks<'_>,
        captions: Blocks<'_>,
        scores: &mut [f32],
    ) {
        let columns = captions.rows();
        let part = (PACKED / lanes.size()).max(1) * lanes.items;
        for first in (0..columns).step_by(part) {
            let captions = captions.slice(first..columns.min(first + part));
            let packed = pack_all(lanes, captions);
            parallel::for_each_chunk(scores, ROWS * columns, |chunk, scores| {
                let mut dots = Vec::new();
                // A panel stays in the cache while all rows of the chunk meet it.
                for (at, panel) in packed.chunks_exact(lanes.size()).enumerate() {
                    let start = at * lanes.items;
                    let count = lanes.items.min(captions.rows() - start);
                    for (row, scores) in scores.chunks_exact_mut(columns).enumerate() {
                        let scores = &mut scores[first + start..][..count];
                        lanes.scores(images.row(chunk * ROWS + row), panel, &mut dots, scores);
                    }
                }
            });
        }
    }

    fn images_in_lanes(&self, images: Blocks<'_>, captions: Blocks<'_>, scores: &mut [f32]) {
        let lanes = Panels::new(self.kernels, Side::Images, images.shape());
        let columns = captions.rows();
        parallel::for_each_chunk(scores, lanes.items * 16 * columns, |chunk, scores| {
            let mut panel = vec![0.0; lanes.size()];
            let mut dots = Vec::new();
            let mut column = vec![0.0; lanes.items];
            let first = chunk * lanes.items * 16;
            for (at, scores) in scores.chunks_mut(lanes.items * columns).enumerate() {
                let start = first + at * lanes.items;
                let count = scores.len() / columns;
                lanes.pack(count, |item| images.row(start + item), &mut panel);
                for caption in 0..columns {
                    let column = &mut column[..count];
                    lanes.scores(captions.row(caption), &panel, &mut dots, column);
                    for (row, &score) in scores.chunks_exact_mut(columns).zip(column.iter()) {
                        row[caption] = score;
                    }
                }
            }
        });
    }
}

/// All embeddings in panels, one after another.
pub(super) fn pack_all(lanes: &Panels, items: Blocks<'_>) -> Vec<f32> {
    let mut packed = vec![0.0; items.rows().div_ceil(lanes.items) * lanes.size()];
    parallel::for_each_chunk(&mut packed, lanes.size(), |at, panel| {
        let first = at * lanes.items;
        let count = lanes.items.min(items.rows() - first);
        lanes.pack(count, |item| items.row(first + item), panel);
    });
    packed
}

pub(super) fn same_width(images: Blocks<'_>, captions: Blocks<'_>) -> Result<()> {
    let (image, caption) = (images.shape().width, captions.shape().width);
    if image != caption {
        return Err(Error::Shape(format!(
            "image blocks of width {image}, caption blocks of width {caption}"
        )));
    }
    Ok(())
}
