//! The queries whose right answer came last, with pictures.

use avse_core::image::pixels::DecodeLimits;
use avse_core::similarity::cpu::Ranks;
use avse_core::similarity::{Hit, TopK};
use rayon::prelude::*;

use super::Pairs;
use crate::Result;
use crate::data::Split;
use crate::gallery::thumbnail;
use crate::report::html::{
    CaptionHit, ImageQuery, MissesPage, PictureHit, PictureMiss, Target, TextQuery, WantedCaption,
};

/// Answers a query shows.
const HITS: usize = 5;

/// The `count` worst misses of each direction; title, facts and headline are left to the caller.
///
/// # Errors
/// As [`Pairs::block`].
pub fn misses_page(
    pairs: &Pairs<'_>,
    split: &Split,
    ranks: &Ranks,
    count: usize,
    limits: &DecodeLimits,
) -> Result<MissesPage> {
    let gallery = Gallery { pairs, split, captions_of: pairs.captions_of_images(), limits };
    let sentences = worst(&ranks.text_to_image, count)
        .into_par_iter()
        .map(|caption| gallery.sentence(caption, ranks.text_to_image[caption]))
        .collect::<Result<_>>()?;
    let pictures = worst(&ranks.image_to_text, count)
        .into_par_iter()
        .map(|image| gallery.picture(image, ranks.image_to_text[image]))
        .collect::<Result<_>>()?;
    Ok(MissesPage { sentences, pictures, ..MissesPage::default() })
}

/// Queries by rank, the worst first, of equal ones the first; none whose answer came first.
fn worst(ranks: &[usize], count: usize) -> Vec<usize> {
    let mut missed: Vec<usize> = (0..ranks.len()).filter(|query| ranks[*query] > 0).collect();
    missed.sort_by_key(|query| std::cmp::Reverse(ranks[*query]));
    missed.truncate(count);
    missed
}

struct Gallery<'a> {
    pairs: &'a Pairs<'a>,
    split: &'a Split,
    captions_of: Vec<Vec<usize>>,
    limits: &'a DecodeLimits,
}

impl Gallery<'_> {
    fn sentence(&self, caption: usize, rank: usize) -> Result<TextQuery> {
        let scores = self.pairs.block(0..self.pairs.images(), caption..caption + 1)?;
        let own = self.split.image_of_caption[caption];
        let hit = |Hit { index, score }| PictureHit {
            png: self.thumbnail(index),
            caption: self.words(index),
            score,
            correct: index == own,
        };
        Ok(TextQuery {
            sentence: self.split.captions[caption].clone(),
            hits: best(&scores).into_iter().map(hit).collect(),
            target: (rank >= HITS).then(|| Target {
                png: self.thumbnail(own),
                caption: format!("{} ({:.3})", self.words(own), scores[own]),
                rank: rank + 1,
            }),
        })
    }

    fn picture(&self, image: usize, rank: usize) -> Result<PictureMiss> {
        let scores = self.pairs.block(image..image + 1, 0..self.pairs.captions())?;
        let hit = |Hit { index, score }| CaptionHit {
            caption: self.split.captions[index].clone(),
            score,
            correct: self.split.image_of_caption[index] == image,
        };
        let own = self.captions_of[image].iter().copied();
        let wanted = own.reduce(|a, b| if scores[b] > scores[a] { b } else { a });
        let wanted = wanted.filter(|_| rank >= HITS).map(|caption| WantedCaption {
            caption: self.split.captions[caption].clone(),
            score: scores[caption],
            rank: rank + 1,
        });
        let query = ImageQuery {
            png: self.thumbnail(image),
            title: self.words(image),
            hits: best(&scores).into_iter().map(hit).collect(),
        };
        Ok(PictureMiss { query, wanted })
    }

    /// A picture that is gone by now leaves its place empty.
    fn thumbnail(&self, image: usize) -> Vec<u8> {
        thumbnail(&self.split.images[image].path, self.limits).unwrap_or_default()
    }

    /// The id of an image and its first caption.
    fn words(&self, image: usize) -> String {
        let id = &self.split.images[image].id;
        match self.captions_of[image].first() {
            Some(caption) => format!("{id}: {}", self.split.captions[*caption]),
            None => id.clone(),
        }
    }
}

fn best(scores: &[f32]) -> Vec<Hit> {
    let mut top = TopK::new(HITS);
    scores.iter().enumerate().for_each(|(index, &score)| top.push(Hit { index, score }));
    top.into_hits()
}

#[cfg(test)]
mod tests {
    use super::worst;

    #[test]
    fn the_worst_come_first_and_hits_not_at_all() {
        assert_eq!(worst(&[0, 3, 9, 0, 9, 1], 10), [2, 4, 1, 5]);
        assert_eq!(worst(&[0, 3, 9, 0, 9, 1], 2), [2, 4]);
        assert!(worst(&[0, 0], 2).is_empty());
    }
}
