//! Scores of a split's pairs by one model, or averaged over several.
//!
//! Scores are made in blocks of whole rows and forgotten again, so that memory grows with images
//! plus captions, however many models there are. Everything here is a function of the mean scores
//! alone, with ties in order of the index, as in [`avse_core::metrics::ScoreMatrix`].

use std::ops::Range;

use avse_core::metrics::RetrievalMetrics;
use avse_core::similarity::Blocks;
use avse_core::similarity::cpu::{self, Ranks};
use rayon::prelude::*;

use super::EncodedSplit;
use crate::{Error, Result};

/// Scores in memory at a time: 64 MiB.
const BLOCK: usize = 1 << 24;

/// What every member of an ensemble made of the same images and captions.
pub struct Pairs<'a> {
    members: Vec<Member<'a>>,
    image_of_caption: &'a [usize],
    block: usize,
}

/// One model's embeddings; members may differ in the number and width of their blocks.
struct Member<'a> {
    encoded: &'a EncodedSplit,
    images: Blocks<'a>,
    captions: Blocks<'a>,
}

impl<'a> Pairs<'a> {
    /// Of at least one model.
    ///
    /// # Errors
    /// [`Error::Usage`] for none, or when they have encoded other images or captions;
    /// [`avse_core::Error::Shape`] when an embedding is not a number.
    pub fn new(members: &'a [EncodedSplit]) -> Result<Self> {
        let first = members.first().ok_or_else(|| Error::Usage("no model to measure".into()))?;
        let image_of_caption = first.image_of_caption.as_slice();
        let blocks = |encoded: &'a EncodedSplit| {
            let (images, captions) = (encoded.images.blocks()?, encoded.captions.blocks()?);
            Ok(Member { encoded, images, captions })
        };
        let members: Vec<Member<'a>> = members.iter().map(blocks).collect::<Result<_>>()?;
        let images = members[0].images.rows();
        let same = |member: &Member<'_>| {
            member.images.rows() == images && member.encoded.image_of_caption == image_of_caption
        };
        if !members.iter().all(same) {
            return Err(Error::Usage("the models have encoded different splits".into()));
        }
        Ok(Self { members, image_of_caption, block: BLOCK })
    }

    /// With at most that many scores in memory, but for a whole row.
    #[cfg(test)]
    pub(crate) fn in_blocks_of(self, block: usize) -> Self {
        Self { block, ..self }
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.members[0].images.rows()
    }

    /// Number of captions.
    pub fn captions(&self) -> usize {
        self.image_of_caption.len()
    }

    /// For every caption the index of its image.
    pub fn image_of_caption(&self) -> &'a [usize] {
        self.image_of_caption
    }

    /// For every image the indices of its captions.
    pub fn captions_of_images(&self) -> Vec<Vec<usize>> {
        let mut captions = vec![Vec::new(); self.images()];
        for (caption, &image) in self.image_of_caption.iter().enumerate() {
            captions[image].push(caption);
        }
        captions
    }

    /// The mean scores of some images with some captions, row by row.
    ///
    /// # Errors
    /// [`avse_core::Error::Shape`] naming a pair whose score is not a number.
    pub fn block(&self, images: Range<usize>, captions: Range<usize>) -> Result<Vec<f32>> {
        let of_member = |member: &Member<'_>, scores: &mut [f32]| {
            let images = member.images.slice(images.clone());
            cpu::score_matrix(images, member.captions.slice(captions.clone()), scores)
        };
        let scores = self.mean(images.len() * captions.len(), of_member)?;
        if let Some(at) = scores.iter().position(|score| score.is_nan()) {
            let (image, caption) = (at / captions.len(), at % captions.len());
            let (image, caption) = (images.start + image, captions.start + caption);
            let message =
                format!("the score of image {image} and caption {caption} is not a number");
            return Err(avse_core::Error::Shape(message).into());
        }
        Ok(scores)
    }

    /// The mean over the members of `count` scores each.
    fn mean(
        &self,
        count: usize,
        of_member: impl Fn(&Member<'_>, &mut [f32]) -> avse_core::Result<()>,
    ) -> Result<Vec<f32>> {
        let mut sums = vec![0.0; count];
        let Some((first, others)) = self.members.split_first() else { return Ok(sums) };
        of_member(first, &mut sums)?;
        if others.is_empty() {
            return Ok(sums);
        }
        let mut scores = vec![0.0; count];
        for member in others {
            of_member(member, &mut scores)?;
            sums.par_iter_mut().zip(&scores).for_each(|(sum, score)| *sum += score);
        }
        let members = self.members.len() as f32;
        sums.par_iter_mut().for_each(|sum| *sum /= members);
        Ok(sums)
    }

    /// Shows all scores, some whole rows at a time: the images and their scores with all captions.
    ///
    /// # Errors
    /// As [`Pairs::block`], and those of `visit`.
    pub fn for_rows(
        &self,
        mut visit: impl FnMut(Range<usize>, &[f32]) -> Result<()>,
    ) -> Result<()> {
        let (images, captions) = (self.images(), self.captions());
        let step = (self.block / captions.max(1)).max(1);
        for first in (0..images).step_by(step) {
            let rows = first..images.min(first + step);
            visit(rows.clone(), &self.block(rows, 0..captions)?)?;
        }
        Ok(())
    }

    /// The ranks of the right answers in both directions.
    ///
    /// # Errors
    /// As [`Pairs::block`], and [`avse_core::Error::Shape`] when an image has no caption.
    pub fn ranks(&self) -> Result<Ranks> {
        if let [Member { images, captions, .. }] = self.members.as_slice() {
            return Ok(cpu::ranks_exact(*images, *captions, self.image_of_caption)?);
        }
        let captions_of = self.captions_of_images();
        if let Some(image) = captions_of.iter().position(Vec::is_empty) {
            let message = format!("image {image} has no caption");
            return Err(avse_core::Error::Shape(message).into());
        }
        let own = self.own_scores(&captions_of)?;
        let captions = self.captions();
        let mut image_to_text = Vec::with_capacity(self.images());
        let mut text_to_image = vec![0; captions];
        self.for_rows(|images, scores| {
            let rows = scores.par_chunks_exact(captions).zip(&captions_of[images.clone()]);
            image_to_text.par_extend(rows.map(|(row, own)| best_rank(row, own)));
            for (image, row) in images.zip(scores.chunks_exact(captions)) {
                let pairs = row.iter().zip(&own).zip(self.image_of_caption);
                for (rank, ((&score, &own), &of)) in text_to_image.iter_mut().zip(pairs) {
                    *rank += usize::from(score > own || (score == own && image < of));
                }
            }
            Ok(())
        })?;
        Ok(Ranks { image_to_text, text_to_image })
    }

    /// Every caption's score with its own image. A pair has the same bits wherever it is scored.
    fn own_scores(&self, captions_of: &[Vec<usize>]) -> Result<Vec<f32>> {
        let of_image = |(image, own): (usize, &Vec<usize>)| {
            self.mean(own.len(), |member, scores| {
                let gathered: Vec<f32> =
                    own.iter().flat_map(|caption| member.captions.row(*caption)).copied().collect();
                let gathered = Blocks::new(&gathered, member.captions.shape())?;
                cpu::score_matrix(member.images.slice(image..image + 1), gathered, scores)
            })
        };
        let scored: Vec<Vec<f32>> =
            captions_of.par_iter().enumerate().map(of_image).collect::<Result<_>>()?;
        let mut scores = vec![0.0; self.captions()];
        for (own, of_image) in captions_of.iter().zip(scored) {
            own.iter().zip(of_image).for_each(|(caption, score)| scores[*caption] = score);
        }
        Ok(scores)
    }

    /// Recalls of all images against all captions.
    ///
    /// # Errors
    /// As [`Pairs::ranks`].
    pub fn measure(&self) -> Result<RetrievalMetrics> {
        Ok(self.ranks()?.evaluate())
    }

    /// Measures `count` consecutive folds of equally many images, each against its own captions
    /// only, and averages them; with 5 folds of 5,000 images this is the COCO 1K protocol.
    ///
    /// # Errors
    /// As [`Pairs::ranks`], and [`avse_core::Error::Shape`] when the images cannot be divided so.
    pub fn measure_folds(&self, count: usize) -> Result<RetrievalMetrics> {
        let images = self.images();
        if count == 0 || images == 0 || !images.is_multiple_of(count) {
            let message = format!("{images} images in {count} folds");
            return Err(avse_core::Error::Shape(message).into());
        }
        let size = images / count;
        let measure = |fold: usize| {
            let images = fold * size..(fold + 1) * size;
            let members: Vec<EncodedSplit> =
                self.members.iter().map(|member| member.encoded.fold(images.clone())).collect();
            Pairs::new(&members)?.measure()
        };
        let folds: Vec<RetrievalMetrics> = (0..count).map(measure).collect::<Result<_>>()?;
        Ok(RetrievalMetrics::mean(&folds))
    }
}

/// 0-based rank of the best placed of some entries of a row.
fn best_rank(row: &[f32], own: &[usize]) -> usize {
    let best = own.iter().copied().reduce(|a, b| if row[b] > row[a] { b } else { a });
    best.map_or(0, |best| {
        let target = row[best];
        let before = row[..best].iter().filter(|score| **score >= target).count();
        before + row[best + 1..].iter().filter(|score| **score > target).count()
    })
}

#[cfg(test)]
mod tests {
    use super::super::score_split;
    use super::super::tests::random;
    use super::*;
    use avse_core::metrics::ScoreMatrix;
    use avse_core::similarity::BlockShape;
    use rand::SeedableRng;

    /// Two models of other sizes, and the plain mean of their matrices.
    fn two() -> (Vec<EncodedSplit>, ScoreMatrix) {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(11);
        // Captions of an image do not stand together.
        let image_of_caption: Vec<usize> = (0..70).map(|at| at * 7 % 20).collect();
        let members = [(8, 4, 16), (4, 2, 24)].map(|(image_blocks, caption_blocks, width)| {
            let mut images = random(&mut rng, 20, BlockShape { blocks: image_blocks, width });
            let captions = random(&mut rng, 70, BlockShape { blocks: caption_blocks, width });
            // The same picture twice: ties.
            let twin = images.row(3).to_vec();
            let size = twin.len();
            images.values[9 * size..10 * size].copy_from_slice(&twin);
            let image_of_caption = image_of_caption.clone();
            EncodedSplit { images, captions, image_of_caption, truncated: 0 }
        });
        let [a, b] = members.each_ref().map(|member| score_split(member).unwrap());
        let mean = a.scores().iter().zip(b.scores()).map(|(a, b)| (a + b) / 2.0).collect();
        (members.into(), ScoreMatrix::new(mean, 20, image_of_caption).unwrap())
    }

    #[test]
    fn an_ensemble_is_measured_as_the_mean_matrix() {
        let (members, oracle) = two();
        // All rows at once; three at a time; less than a row's worth of scores.
        for block in [1 << 20, 3 * 70, 1] {
            let pairs = Pairs::new(&members).unwrap().in_blocks_of(block);
            let ranks = pairs.ranks().unwrap();
            assert_eq!(ranks.image_to_text, oracle.image_to_text_ranks());
            assert_eq!(ranks.text_to_image, oracle.text_to_image_ranks());
            let mut all = Vec::new();
            let collect = |_: Range<usize>, scores: &[f32]| {
                all.extend_from_slice(scores);
                Ok(())
            };
            pairs.for_rows(collect).unwrap();
            assert_eq!(all, oracle.scores());
        }
        let pairs = Pairs::new(&members).unwrap();
        assert_eq!(pairs.measure().unwrap(), oracle.evaluate());
        assert_eq!(pairs.measure_folds(5).unwrap(), oracle.five_fold().unwrap());
        assert!(pairs.measure_folds(3).unwrap_err().to_string().contains("3 folds"));
        let alone = Pairs::new(&members[..1]).unwrap().measure().unwrap();
        assert_ne!(alone, oracle.evaluate(), "the second member changes nothing");
        assert_eq!(alone, score_split(&members[0]).unwrap().evaluate());
    }

    #[test]
    fn blocks_are_parts_of_the_matrix() {
        let (members, oracle) = two();
        let pairs = Pairs::new(&members).unwrap();
        let column = pairs.block(0..20, 41..42).unwrap();
        let expected: Vec<f32> = oracle.scores().iter().copied().skip(41).step_by(70).collect();
        assert_eq!(column, expected);
        assert_eq!(pairs.block(4..5, 0..70).unwrap(), &oracle.scores()[4 * 70..5 * 70]);
    }

    #[test]
    fn members_must_have_seen_the_same() {
        let (mut members, _) = two();
        members[1].image_of_caption.swap(0, 1);
        let error = Pairs::new(&members).err().unwrap().to_string();
        assert!(error.contains("different splits"), "{error}");
        assert!(Pairs::new(&[]).is_err());
    }
}
