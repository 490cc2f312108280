//! A query in 16 bits, for the int8 first pass.

use super::byte_dots::{ByteTile, QUERY_PADDING, QUERY_ROWS};
use super::kernels::Kernels;
use crate::similarity::quantised::{Fit, QueryBound};
use crate::similarity::{BlockShape, Direction, QuantisedView};

/// What an int8 item is worth to a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// Approximate score.
    pub score: f32,
    /// At least its distance from the exact one; infinite or no number where unknown.
    pub error: f32,
}

/// A query's blocks as i16, far finer than the gallery's int8, so that nearly all of the
/// bound is the gallery's residual.
pub(super) struct ByteQuery {
    kernels: &'static Kernels,
    direction: Direction,
    /// `[rows, stride]`, rows and stride padded with zeros.
    words: Vec<i16>,
    rows: usize,
    scales: Vec<f32>,
    bound: QueryBound,
    /// Norm of a gallery block of scale 1 at most.
    norm_of_scale: f32,
}

impl ByteQuery {
    /// `query` has blocks of `gallery.width`; `None` where these are so wide that sums of
    /// products would leave 32 bits.
    pub fn new(
        kernels: &'static Kernels,
        query: &[f32],
        gallery: BlockShape,
        direction: Direction,
    ) -> Option<Self> {
        let width = gallery.width;
        let level = ((f64::from(i32::MAX) / 128.0 / width as f64).floor() as f32).min(32767.0);
        if level < 127.0 {
            return None;
        }
        let stride = width.next_multiple_of(QUERY_PADDING);
        let blocks = query.len() / width;
        let rows = blocks.next_multiple_of(QUERY_ROWS);
        let mut words = vec![0i16; rows * stride];
        let fits: Vec<Fit> = query
            .chunks_exact(width)
            .zip(words.chunks_exact_mut(stride))
            .map(|(block, words)| {
                // SAFETY: this table is given out only where its instructions are.
                unsafe { (kernels.quantise)(block, level, words) }
            })
            .collect();
        let (norms, residuals) = (fits.iter().map(|fit| fit.norm), fits.iter().map(|f| f.residual));
        let (norm, residual, captions) = match direction {
            Direction::ImagesForCaption => (sum(norms), sum(residuals), blocks),
            Direction::CaptionsForImage => (most(norms), most(residuals), gallery.blocks),
        };
        Some(Self {
            kernels,
            direction,
            words,
            rows,
            scales: fits.iter().map(|fit| fit.scale).collect(),
            bound: QueryBound::new(norm, residual, width, captions),
            norm_of_scale: (128.0 * (width as f32).sqrt()).next_up(),
        })
    }

    /// Estimates of items `first..first + estimates.len()`.
    pub fn estimate(
        &self,
        gallery: QuantisedView<'_>,
        first: usize,
        dots: &mut Vec<i32>,
        estimates: &mut [Estimate],
    ) {
        let BlockShape { blocks, width } = gallery.shape();
        let size = blocks * width;
        dots.resize(self.rows * blocks, 0);
        for (at, estimate) in estimates.iter_mut().enumerate() {
            let row = first + at;
            let item = &gallery.values()[row * size..(row + 1) * size];
            let scales = &gallery.scales()[row * blocks..(row + 1) * blocks];
            let residuals = &gallery.residuals()[row * blocks..(row + 1) * blocks];
            // SAFETY: this table is given out only where its instructions are.
            unsafe {
                (self.kernels.byte_products)(ByteTile { item, width, query: &self.words }, dots);
            }
            *estimate = match self.direction {
                Direction::ImagesForCaption => self.image(dots, scales, residuals),
                Direction::CaptionsForImage => self.caption(dots, scales, residuals),
            };
        }
    }

    /// The item is an image: `dots[image block * rows + caption block]`.
    fn image(&self, dots: &[i32], scales: &[f32], residuals: &[f32]) -> Estimate {
        let mut score = 0.0;
        for (rows, query) in self.scales.chunks(QUERY_ROWS).enumerate() {
            let mut best = [f32::NEG_INFINITY; QUERY_ROWS];
            for (dots, &scale) in dots.chunks_exact(self.rows).zip(scales) {
                let dots = &dots[rows * QUERY_ROWS..][..QUERY_ROWS];
                for (best, &dot) in best.iter_mut().zip(dots) {
                    *best = best.max(dot as f32 * scale);
                }
            }
            for (best, scale) in best.iter().zip(query) {
                score += best * scale;
            }
        }
        let most = |values: &[f32]| values.iter().fold(0f32, |most, &value| most.max(value));
        self.with_error(score, most(residuals), most(scales))
    }

    /// The item is a caption: `dots[caption block * rows + image block]`.
    fn caption(&self, dots: &[i32], scales: &[f32], residuals: &[f32]) -> Estimate {
        let mut score = 0.0;
        for (dots, &scale) in dots.chunks_exact(self.rows).zip(scales) {
            let products = dots.iter().zip(&self.scales).map(|(&dot, &query)| dot as f32 * query);
            score += products.fold(f32::NEG_INFINITY, f32::max) * scale;
        }
        self.with_error(score, residuals.iter().sum(), scales.iter().sum())
    }

    fn with_error(&self, score: f32, residual: f32, scale: f32) -> Estimate {
        Estimate { score, error: self.bound.error(residual, scale * self.norm_of_scale) }
    }
}

pub(super) fn sum(values: impl Iterator<Item = f32>) -> f64 {
    values.map(f64::from).sum()
}

pub(super) fn most(values: impl Iterator<Item = f32>) -> f64 {
    values.map(f64::from).fold(0.0, f64::max)
}
