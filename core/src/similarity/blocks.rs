//! What every engine works on: embeddings cut into unit blocks, in host memory.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How an embedding is cut: `blocks` blocks of `width` numbers each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockShape {
    /// Blocks of an embedding.
    pub blocks: usize,
    /// Numbers of a block; a multiple of 4, so that devices can read whole vectors.
    pub width: usize,
}

impl BlockShape {
    /// Numbers of a whole embedding.
    pub fn size(self) -> usize {
        self.blocks * self.width
    }

    /// Checks that engines can work with this shape.
    ///
    /// # Errors
    /// [`Error::Shape`] for no blocks, a width that is not a positive multiple of 4, or more than 2^24
    /// numbers in all.
    pub fn validate(self) -> Result<()> {
        if self.blocks == 0 {
            return Err(Error::Shape("an embedding of 0 blocks".into()));
        }
        if self.width == 0 || !self.width.is_multiple_of(4) {
            return Err(Error::Shape(format!(
                "blocks of width {}: must be a positive multiple of 4",
                self.width
            )));
        }
        // Far beyond any model, and small enough for all that is counted in bytes.
        if self.blocks.checked_mul(self.width).is_none_or(|size| size > 1 << 24) {
            return Err(Error::Shape(format!(
                "an embedding of {} blocks of width {}: more than 2^24 numbers",
                self.blocks, self.width
            )));
        }
        Ok(())
    }
}

/// Borrowed embeddings, `[rows, blocks, width]` row by row, every number finite.
///
/// Scores are cosines only when each block has length 1 (see [`normalise`]); the
/// engines are exact for any finite blocks.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    values: &'a [f32],
    rows: usize,
    shape: BlockShape,
}

impl<'a> Blocks<'a> {
    /// Looks at `values` as rows of `shape`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the shape is impossible, `values` is no whole number of
    /// rows, or a number is not finite (the row is named).
    pub fn new(values: &'a [f32], shape: BlockShape) -> Result<Self> {
        shape.validate()?;
        if !values.len().is_multiple_of(shape.size()) {
            return Err(Error::Shape(format!(
                "{} numbers are no whole number of embeddings of {} x {}",
                values.len(),
                shape.blocks,
                shape.width
            )));
        }
        if !all_finite(values)
            && let Some(at) = values.iter().position(|value| !value.is_finite())
        {
            return Err(Error::Shape(format!(
                "embedding {}: a number is {}",
                at / shape.size(),
                values[at]
            )));
        }
        Ok(Self { values, rows: values.len() / shape.size(), shape })
    }

    /// Number of embeddings.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How each is cut.
    pub fn shape(&self) -> BlockShape {
        self.shape
    }

    /// All numbers, `rows * blocks * width`.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// One embedding, `blocks * width` numbers. Panics when there is no such row, as a
    /// slice does.
    pub fn row(&self, row: usize) -> &'a [f32] {
        let size = self.shape.size();
        &self.values[row * size..(row + 1) * size]
    }

    /// Some consecutive embeddings. Panics when the range is not within the rows, as a
    /// slice does.
    pub fn slice(&self, rows: Range<usize>) -> Blocks<'a> {
        let size = self.shape.size();
        let values = &self.values[rows.start * size..rows.end * size];
        Self { values, rows: rows.len(), shape: self.shape }
    }
}

/// Whether no number is infinite or NaN; at the speed of memory.
pub(super) fn all_finite(values: &[f32]) -> bool {
    let (whole, rest) = values.as_chunks::<16>();
    // Finite numbers times 0 are 0, all others are not.
    let mut sums = [0f32; 16];
    for numbers in whole {
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += number * 0.0;
        }
    }
    sums.iter().all(|sum| *sum == 0.0) && rest.iter().all(|value| value.is_finite())
}

/// Added to a norm before dividing by it (official code).
const NORM_EPSILON: f32 = 1e-8;

/// Normalises embeddings in place, each as a whole and then each of its blocks, as
/// [`reference::unit_blocks`](super::reference::unit_blocks) does; a zero block stays zero.
///
/// # Errors
/// [`Error::Shape`] as [`Blocks::new`].
pub fn normalise(embeddings: &mut [f32], shape: BlockShape) -> Result<()> {
    Blocks::new(embeddings, shape)?;
    for embedding in embeddings.chunks_exact_mut(shape.size()) {
        divide_by_norm(embedding);
        embedding.chunks_exact_mut(shape.width).for_each(divide_by_norm);
    }
    Ok(())
}

fn divide_by_norm(values: &mut [f32]) {
    // In f64, so that large finite numbers do not overflow when squared.
    let squares: f64 = values.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    let norm = squares.sqrt() + f64::from(NORM_EPSILON);
    for value in values {
        *value = (f64::from(*value) / norm) as f32;
    }
}

/// Which side a query is on. The score of a pair is the same either way: the sum over
/// the *caption's* blocks of the best image block for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Queries are captions, the gallery holds images.
    ImagesForCaption,
    /// Queries are images, the gallery holds captions.
    CaptionsForImage,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: BlockShape = BlockShape { blocks: 2, width: 4 };

    #[test]
    fn impossible_blocks_are_refused() {
        let refused = |values: &[f32], shape| Blocks::new(values, shape).unwrap_err().to_string();
        assert!(refused(&[0.0; 9], SHAPE).contains("9 numbers"));
        assert!(refused(&[], BlockShape { blocks: 1, width: 6 }).contains("multiple of 4"));
        let mut values = [0.5; 16];
        values[9] = f32::NAN;
        assert!(refused(&values, SHAPE).contains("embedding 1"));
        assert_eq!(Blocks::new(&[], SHAPE).unwrap().rows(), 0);
    }
}
