//! Which pictures and sentences the loss of an export is measured on.

use std::path::PathBuf;

use super::encode::{Encoded, Model};
use super::loss::{self, Loss, Side};
use super::rows::{CaptionRow, Collection, texts};
use crate::demo::SENTENCES;
use crate::evaluate::Embeddings;
use crate::{Error, Result};

/// Where there is no dataset, so many sentences and pictures are looked at.
const SAMPLED_SENTENCES: usize = 200;
const SAMPLED_PICTURES: usize = 1000;

/// The source bundle beside the exported one.
pub(super) struct Compared<'a> {
    pub(super) before: &'a Model,
    pub(super) after: &'a Model,
    /// The pictures as they were exported.
    pub(super) pictures: &'a Encoded,
    /// Whether it was the exported bundle that encoded them.
    pub(super) anew: bool,
}

impl Compared<'_> {
    /// Measures the loss; `stored` are the embeddings of the written gallery. In a dataset it is the
    /// recall of all its captions; elsewhere how far both models agree on some of the sentences that
    /// there are.
    ///
    /// # Errors
    /// [`Error::Format`] naming a picture that has become unreadable.
    pub(super) fn loss(
        &self,
        collection: &Collection,
        captions: Option<&[CaptionRow]>,
        stored: &Embeddings,
    ) -> Result<Loss> {
        let count = self.pictures.rows.len();
        if let Some(dataset) = &collection.dataset {
            let captions = self.pictures.captions(&dataset.rows);
            let picture_of_caption: Vec<usize> =
                captions.iter().filter_map(|caption| caption.picture).collect();
            let rows: Vec<usize> = (0..count).collect();
            return self.sides(&rows, stored, &texts(&captions), |before, after| {
                loss::recall(before, after, &picture_of_caption)
            });
        }
        let of_pictures = self.pictures.rows.iter().filter_map(|row| row.item.caption.as_deref());
        let of_pictures: Vec<&str> = of_pictures.collect();
        let sentences = match captions {
            Some(captions) => texts(captions),
            None if of_pictures.is_empty() => SENTENCES.to_vec(),
            None => of_pictures,
        };
        let sampled = sample(sentences.len(), SAMPLED_SENTENCES);
        let sentences: Vec<&str> = sampled.into_iter().map(|at| sentences[at]).collect();
        let rows = sample(count, SAMPLED_PICTURES);
        self.sides(&rows, &pick(stored, &rows)?, &sentences, loss::agreement)
    }

    fn sides(
        &self,
        rows: &[usize],
        stored: &Embeddings,
        sentences: &[&str],
        measure: impl FnOnce(&Side<'_>, &Side<'_>) -> Result<Loss>,
    ) -> Result<Loss> {
        let pictures = self.pictures_before(rows)?;
        let (before, _) = self.before.sentences("source", sentences)?;
        let (after, _) = self.after.sentences("measure", sentences)?;
        measure(
            &Side { pictures: &pictures, sentences: &before },
            &Side { pictures: stored, sentences: &after },
        )
    }

    /// The pictures of some rows as the source bundle has them.
    fn pictures_before(&self, rows: &[usize]) -> Result<Embeddings> {
        if !self.anew {
            return pick(&self.pictures.embeddings, rows);
        }
        let file = |row: &usize| self.pictures.rows[*row].file.clone().unwrap_or_default();
        let files: Vec<PathBuf> = rows.iter().map(file).collect();
        let mut broken = |at: usize, reason: &str| {
            Err(Error::format(&files[at], format!("changed meanwhile: {reason}")))
        };
        Ok(self.before.pictures("source", &files, &mut broken)?.0)
    }
}

/// Some rows of embeddings.
fn pick(embeddings: &Embeddings, rows: &[usize]) -> Result<Embeddings> {
    let values = rows.iter().flat_map(|row| embeddings.row(*row)).copied().collect();
    Ok(Embeddings::new(values, embeddings.blocks()?.shape()))
}

/// At most `most` of `count` rows, evenly spread.
fn sample(count: usize, most: usize) -> Vec<usize> {
    let taken = count.min(most);
    (0..taken).map(|at| at * count / taken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread() {
        assert_eq!(sample(10, 4), [0, 2, 5, 7]);
        assert_eq!((sample(3, 9), sample(0, 9)), (vec![0, 1, 2], vec![]));
    }
}
