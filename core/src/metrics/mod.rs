//! Retrieval quality: ranks, recall, rSum, in both directions.

mod positives;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

pub use positives::{PositiveMetrics, PositiveRecall};

/// Quality of retrieval in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Recall {
    /// Percentage of queries whose best right answer comes first.
    pub r1: f64,
    /// Percentage of queries with a right answer among the first 5.
    pub r5: f64,
    /// Percentage of queries with a right answer among the first 10.
    pub r10: f64,
    /// Median rank of the best right answer, rounded down; the first rank is 1.
    pub median_rank: f64,
    /// Mean rank of the best right answer; the first rank is 1.
    pub mean_rank: f64,
}

impl Recall {
    /// Recall from the 0-based rank of the best right answer of each query; all
    /// zero for no queries.
    pub fn from_ranks(ranks: &[usize]) -> Self {
        if ranks.is_empty() {
            return Self::default();
        }
        let count = ranks.len() as f64;
        let within =
            |k: usize| 100.0 * ranks.iter().filter(|&&rank| rank < k).count() as f64 / count;
        let mut sorted = ranks.to_vec();
        sorted.sort_unstable();
        let (lower, upper) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Self {
            r1: within(1),
            r5: within(5),
            r10: within(10),
            median_rank: ((lower + upper) / 2 + 1) as f64,
            mean_rank: ranks.iter().map(|&rank| rank as f64).sum::<f64>() / count + 1.0,
        }
    }

    fn mean(parts: &[Self]) -> Self {
        let mean = |field: fn(&Self) -> f64| {
            parts.iter().map(field).sum::<f64>() / parts.len().max(1) as f64
        };
        Self {
            r1: mean(|part| part.r1),
            r5: mean(|part| part.r5),
            r10: mean(|part| part.r10),
            median_rank: mean(|part| part.median_rank),
            mean_rank: mean(|part| part.mean_rank),
        }
    }
}

/// Quality of retrieval in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RetrievalMetrics {
    /// Captions retrieved by images.
    pub image_to_text: Recall,
    /// Images retrieved by captions.
    pub text_to_image: Recall,
    /// The sum of the six recalls, at most 600.
    pub rsum: f64,
}

impl RetrievalMetrics {
    /// Both directions and their rSum.
    pub fn new(image_to_text: Recall, text_to_image: Recall) -> Self {
        let sum = |recall: &Recall| recall.r1 + recall.r5 + recall.r10;
        let rsum = sum(&image_to_text) + sum(&text_to_image);
        Self { image_to_text, text_to_image, rsum }
    }

    /// The mean of several folds, field by field.
    pub fn mean(folds: &[Self]) -> Self {
        let direction =
            |field: fn(&Self) -> Recall| Recall::mean(&folds.iter().map(field).collect::<Vec<_>>());
        Self::new(direction(|fold| fold.image_to_text), direction(|fold| fold.text_to_image))
    }
}

/// Similarities of images and captions, and which belong together.
///
/// Where scores are equal, the lower index is ranked first, so that every figure
/// is a function of the scores alone.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreMatrix {
    scores: Vec<f32>,
    images: usize,
    image_of_caption: Vec<usize>,
}

impl ScoreMatrix {
    /// A matrix of `images` rows and `image_of_caption.len()` columns, row by row;
    /// caption `j` describes image `image_of_caption[j]`. An image may have any
    /// number of captions.
    ///
    /// # Errors
    /// [`Error::Shape`] when the sizes do not fit, an image has no caption, or a
    /// score is not a number.
    pub fn new(scores: Vec<f32>, images: usize, image_of_caption: Vec<usize>) -> Result<Self> {
        let captions = image_of_caption.len();
        if images.checked_mul(captions) != Some(scores.len()) {
            return Err(Error::Shape(format!(
                "{} scores do not make {images} images x {captions} captions",
                scores.len()
            )));
        }
        check_pairs(images, &image_of_caption)?;
        if let Some(index) = scores.iter().position(|score| score.is_nan()) {
            return Err(Error::Shape(format!(
                "the score of image {} and caption {} is not a number",
                index / captions,
                index % captions
            )));
        }
        Ok(Self { scores, images, image_of_caption })
    }

    /// The same where every image has `per_image` captions, image by image.
    ///
    /// # Errors
    /// As [`ScoreMatrix::new`].
    pub fn uniform(scores: Vec<f32>, images: usize, per_image: usize) -> Result<Self> {
        let of_caption =
            (0..images).flat_map(|image| std::iter::repeat_n(image, per_image)).collect();
        Self::new(scores, images, of_caption)
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Number of captions.
    pub fn captions(&self) -> usize {
        self.image_of_caption.len()
    }

    /// The scores, `images * captions` values, row by row.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.scores.chunks_exact(self.captions().max(1))
    }

    /// For each image, the 0-based rank of the best placed of its captions.
    pub fn image_to_text_ranks(&self) -> Vec<usize> {
        let mut own: Vec<Vec<usize>> = vec![Vec::new(); self.images];
        for (caption, &image) in self.image_of_caption.iter().enumerate() {
            own[image].push(caption);
        }
        let rank = |(row, own): (&[f32], &Vec<usize>)| {
            // The best placed of the own captions is the one with the highest score.
            let best = own.iter().copied().reduce(|a, b| if row[b] > row[a] { b } else { a });
            best.map_or(0, |best| rank(row, best))
        };
        self.rows().zip(&own).map(rank).collect()
    }

    /// For each caption, the 0-based rank of its image.
    pub fn text_to_image_ranks(&self) -> Vec<usize> {
        let captions = self.captions();
        let own_score =
            |(caption, &image): (usize, &usize)| self.scores[image * captions + caption];
        let targets: Vec<f32> = self.image_of_caption.iter().enumerate().map(own_score).collect();
        let mut ranks = vec![0; captions];
        // Row by row, for the sake of the cache.
        for (image, row) in self.rows().enumerate() {
            let pairs = row.iter().zip(&targets).zip(&self.image_of_caption);
            for (rank, ((&score, &target), &own)) in ranks.iter_mut().zip(pairs) {
                *rank += usize::from(score > target || (score == target && image < own));
            }
        }
        ranks
    }

    /// For each image, the caption with the highest score.
    pub fn image_to_text_top1(&self) -> Vec<usize> {
        let top = |row: &[f32]| (1..row.len()).fold(0, |a, b| if row[b] > row[a] { b } else { a });
        self.rows().map(top).collect()
    }

    /// For each caption, the image with the highest score.
    pub fn text_to_image_top1(&self) -> Vec<usize> {
        let mut best = vec![(0, f32::NEG_INFINITY); self.captions()];
        for (image, row) in self.rows().enumerate() {
            for (best, &score) in best.iter_mut().zip(row) {
                if score > best.1 {
                    *best = (image, score);
                }
            }
        }
        best.into_iter().map(|(image, _)| image).collect()
    }

    /// Recall and ranks in both directions.
    pub fn evaluate(&self) -> RetrievalMetrics {
        RetrievalMetrics::new(
            Recall::from_ranks(&self.image_to_text_ranks()),
            Recall::from_ranks(&self.text_to_image_ranks()),
        )
    }

    /// The matrix of some images, renumbered from 0, and their captions.
    ///
    /// # Errors
    /// [`Error::Shape`] when the range is not within the images.
    pub fn fold(&self, images: Range<usize>) -> Result<Self> {
        if images.start > images.end || images.end > self.images {
            return Err(Error::Shape(format!("images {images:?} of {}", self.images)));
        }
        let captions: Vec<usize> = (0..self.captions())
            .filter(|&caption| images.contains(&self.image_of_caption[caption]))
            .collect();
        let rows = self.rows().skip(images.start).take(images.len());
        let scores = rows.flat_map(|row| captions.iter().map(|&caption| row[caption])).collect();
        let of_caption =
            captions.iter().map(|&caption| self.image_of_caption[caption] - images.start).collect();
        Self::new(scores, images.len(), of_caption)
    }

    /// Evaluates `count` consecutive folds of equally many images, each against
    /// its own captions only; with 5 folds of the 5,000 test images this is the
    /// COCO 1K protocol. [`RetrievalMetrics::mean`] gives its figure.
    ///
    /// # Errors
    /// [`Error::Shape`] when the images cannot be divided so.
    pub fn folds(&self, count: usize) -> Result<Vec<RetrievalMetrics>> {
        if count == 0 || self.images == 0 || !self.images.is_multiple_of(count) {
            return Err(Error::Shape(format!("{} images in {count} folds", self.images)));
        }
        let size = self.images / count;
        let fold = |index| Ok(self.fold(index * size..(index + 1) * size)?.evaluate());
        (0..count).map(fold).collect()
    }

    /// The mean of 5 folds (COCO 1K); see [`ScoreMatrix::folds`].
    ///
    /// # Errors
    /// As [`ScoreMatrix::folds`].
    pub fn five_fold(&self) -> Result<RetrievalMetrics> {
        Ok(RetrievalMetrics::mean(&self.folds(5)?))
    }
}

/// Checks that every caption has one of `images` images, and every image a caption.
///
/// # Errors
/// [`Error::Shape`] naming the first that has none.
pub(crate) fn check_pairs(images: usize, image_of_caption: &[usize]) -> Result<()> {
    let mut described = vec![false; images];
    for (caption, &image) in image_of_caption.iter().enumerate() {
        *described.get_mut(image).ok_or_else(|| {
            Error::Shape(format!("caption {caption} is of image {image}, of {images}"))
        })? = true;
    }
    if let Some(image) = described.iter().position(|&described| !described) {
        return Err(Error::Shape(format!("image {image} has no caption")));
    }
    Ok(())
}

/// 0-based rank of one entry of a row, ties in order of the index.
fn rank(row: &[f32], entry: usize) -> usize {
    let target = row[entry];
    let ahead = row[..entry].iter().filter(|&&score| score >= target).count();
    ahead + row[entry + 1..].iter().filter(|&&score| score > target).count()
}

#[cfg(test)]
mod tests;
