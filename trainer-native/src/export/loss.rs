//! What an export costs in quality: the source bundle and the exported one side by side.

use std::collections::HashSet;

use avse_core::metrics::RetrievalMetrics;
use avse_core::similarity::{Blocks, Direction, GalleryView, Stored, cpu};
use serde::Serialize;

use crate::Result;
use crate::evaluate::Embeddings;

/// Hits that are compared.
const HITS: usize = 10;

/// How well the exported model searches, beside the bundle it was made from.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Recalls, where the pictures of the captions are known.
    Recall {
        /// Of the source bundle.
        before: RetrievalMetrics,
        /// Of the exported weights on the pictures' embeddings as they are stored.
        after: RetrievalMetrics,
    },
    /// How many of the best pictures are the same, where they are not.
    Agreement {
        /// The mean over all sentences, 0 to 1.
        share: f64,
        /// Sentences asked.
        sentences: usize,
        /// Pictures searched.
        pictures: usize,
        /// Best pictures compared.
        hits: usize,
    },
}

/// Pictures and sentences as one model has them.
pub(super) struct Side<'a> {
    pub(super) pictures: &'a Embeddings,
    pub(super) sentences: &'a Embeddings,
}

impl Side<'_> {
    fn recall(&self, picture_of_sentence: &[usize]) -> Result<RetrievalMetrics> {
        let (pictures, sentences) = (self.pictures.blocks()?, self.sentences.blocks()?);
        Ok(cpu::ranks_exact(pictures, sentences, picture_of_sentence)?.evaluate())
    }

    /// The best pictures of every sentence.
    fn best(&self, hits: usize) -> Result<Vec<HashSet<usize>>> {
        let pictures: Blocks<'_> = self.pictures.blocks()?;
        let view = GalleryView {
            shape: pictures.shape(),
            rows: pictures.rows(),
            precise: Some(Stored::F32(pictures.values())),
            quantised: None,
        };
        let (sentences, direction) = (self.sentences.blocks()?, Direction::ImagesForCaption);
        let found = cpu::search(sentences, &view, direction, hits)?;
        Ok(found.into_iter().map(|hits| hits.iter().map(|hit| hit.index).collect()).collect())
    }
}

/// Recalls of both, for sentences whose pictures are known.
pub(super) fn recall(
    before: &Side<'_>,
    after: &Side<'_>,
    picture_of_sentence: &[usize],
) -> Result<Loss> {
    let (before, after) = (before.recall(picture_of_sentence)?, after.recall(picture_of_sentence)?);
    Ok(Loss::Recall { before, after })
}

/// How many of the best pictures both find.
pub(super) fn agreement(before: &Side<'_>, after: &Side<'_>) -> Result<Loss> {
    let pictures = after.pictures.blocks()?.rows();
    let hits = HITS.min(pictures);
    let (before, after) = (before.best(hits)?, after.best(hits)?);
    let sentences = before.len();
    let same: usize = before.iter().zip(&after).map(|(a, b)| a.intersection(b).count()).sum();
    let share = same as f64 / (sentences * hits).max(1) as f64;
    Ok(Loss::Agreement { share, sentences, pictures, hits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use avse_core::similarity::BlockShape;

    #[test]
    fn equal_sides_agree() {
        let shape = BlockShape { blocks: 1, width: 4 };
        let angle = |at: usize, count: usize| at as f32 / count as f32;
        let circle = |count: usize, shift: f32| {
            let values = (0..count).flat_map(|at| {
                let angle = angle(at, count) + shift;
                [angle.cos(), angle.sin(), 0.0, 0.0]
            });
            Embeddings::new(values.collect(), shape)
        };
        let (pictures, sentences, shifted) = (circle(40, 0.0), circle(8, 0.01), circle(8, 0.2));
        let before = Side { pictures: &pictures, sentences: &sentences };
        let Loss::Agreement { share, sentences: asked, pictures: searched, hits } =
            agreement(&before, &before).unwrap()
        else {
            panic!()
        };
        assert_eq!((share, asked, searched, hits), (1.0, 8, 40, 10));
        let after = Side { pictures: &pictures, sentences: &shifted };
        let Loss::Agreement { share, .. } = agreement(&before, &after).unwrap() else { panic!() };
        assert!(share > 0.1 && share < 0.9, "{share}");
    }
}
