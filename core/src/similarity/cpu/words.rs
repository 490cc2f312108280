//! Both sides in 16 bits: the first pass where every image meets every caption.
//!
//! Arithmetic is the limit there, not memory, and integers of 16 bits cost the same as
//! those of 8 on most machines while their bound is hundreds of times tighter.

use std::ops::Range;

use super::kernels::{Kernels, TileKernel};
use super::panel::{Panels, Side};
use super::parallel;
use super::query::most;
use super::tile::Tile;
use crate::similarity::quantised::{Fit, QueryBound};
use crate::similarity::{BlockShape, Blocks};

/// Greatest integer whose products, summed over a block, stay within 32 bits.
fn level(width: usize) -> f32 {
    (f64::from(i32::MAX) / width as f64).sqrt().floor() as f32
}

/// Two neighbouring numbers of a block.
type Pair = [i16; 2];

/// Captions that an image is compared with in one go, at most.
const GROUP: usize = 128;

/// Captions in groups of panels.
pub(super) struct WordPanels {
    pub groups: Vec<WordGroup>,
}

/// Some consecutive captions.
pub(super) struct WordGroup {
    kernel: TileKernel<Pair>,
    lanes: Panels,
    /// The captions.
    pub captions: Range<usize>,
    /// `[panels, width / 2, lanes]`.
    pairs: Vec<Pair>,
    /// `[panels, lanes]`.
    scales: Vec<f32>,
    /// One a caption.
    bounds: Bounds,
}

/// The parts of [`QueryBound`]s, each in a row of its own.
#[derive(Default)]
struct Bounds {
    residual_factors: Vec<f32>,
    norm_factors: Vec<f32>,
    tinies: Vec<f32>,
}

/// Some images.
pub(super) struct WordRows {
    pairs: Vec<Pair>,
    scales: Vec<f32>,
    /// Greatest residual and norm of each image's blocks.
    folded: Vec<(f32, f32)>,
    shape: BlockShape,
}

impl WordPanels {
    /// `None` where integers are no faster than f32, or blocks so wide that too few bits
    /// would be left.
    pub fn new(lanes: &Panels, captions: Blocks<'_>) -> Option<Self> {
        debug_assert_eq!(lanes.side, Side::Captions);
        let kernel = lanes.kernels.best_of_word_rows?;
        if level(captions.shape().width) < 127.0 {
            return None;
        }
        let size = (GROUP / lanes.items).max(1) * lanes.items;
        let groups = parallel::map(captions.rows().div_ceil(size), |at| {
            let rows = at * size..captions.rows().min((at + 1) * size);
            WordGroup::new(kernel, lanes, captions, rows)
        });
        Some(Self { groups })
    }
}

impl WordGroup {
    fn new(
        kernel: TileKernel<Pair>,
        lanes: &Panels,
        captions: Blocks<'_>,
        rows: Range<usize>,
    ) -> Self {
        let BlockShape { blocks, width } = captions.shape();
        let (level, steps) = (level(width), width / 2);
        let panels = rows.len().div_ceil(lanes.items);
        let mut pairs = vec![Pair::default(); panels * steps * lanes.lanes];
        let mut scales = vec![0.0; panels * lanes.lanes];
        let mut bounds = Bounds::default();
        let mut words = vec![0i16; width];
        for (at, row) in rows.clone().enumerate() {
            let (panel, item) = (at / lanes.items, at % lanes.items);
            let panel_pairs = &mut pairs[panel * steps * lanes.lanes..];
            let (mut norm, mut residual) = (0.0, 0.0);
            for (block, numbers) in captions.row(row).chunks_exact(width).enumerate() {
                let lane = block * lanes.items + item;
                // SAFETY: this table is given out only where its instructions are.
                let fit = unsafe { (lanes.kernels.quantise)(numbers, level, &mut words) };
                for (step, pair) in words.as_chunks().0.iter().enumerate() {
                    panel_pairs[step * lanes.lanes + lane] = *pair;
                }
                scales[panel * lanes.lanes + lane] = fit.scale;
                norm += f64::from(fit.norm);
                residual += f64::from(fit.residual);
            }
            bounds.push(QueryBound::new(norm, residual, width, blocks));
        }
        Self { kernel, lanes: *lanes, captions: rows, pairs, scales, bounds }
    }

    /// The best products of all images with every lane, `best[image][panel][lane]`, not yet
    /// scaled.
    pub fn multiply(&self, images: &WordRows, best: &mut Vec<f32>) {
        let BlockShape { blocks, width } = images.shape;
        let (steps, lanes) = (width / 2, self.lanes.lanes);
        let stride = self.scales.len();
        best.resize(images.folded.len() * stride, 0.0);
        // A panel stays in the cache while all images meet it.
        for (panel, pairs) in self.pairs.chunks_exact(steps * lanes).enumerate() {
            let rows = images.pairs.chunks_exact(blocks * steps);
            let rows = rows.zip(images.scales.chunks_exact(blocks));
            for ((rows, scales), best) in rows.zip(best.chunks_exact_mut(stride)) {
                let tile = Tile { rows, scales, steps, panel: pairs, lanes };
                // SAFETY: this table is given out only where its instructions are.
                unsafe { (self.kernel)(tile, &mut best[panel * lanes..][..lanes]) };
            }
        }
    }

    /// Estimates of image `row` with all captions of the group, from [`WordGroup::multiply`].
    pub fn estimate(
        &self,
        images: &WordRows,
        row: usize,
        best: &mut [f32],
        estimates: &mut Estimates,
    ) {
        let Estimates { scores, errors } = estimates;
        let best = &mut best[row * self.scales.len()..][..self.scales.len()];
        for (best, scale) in best.iter_mut().zip(&self.scales) {
            *best *= scale;
        }
        scores.resize(self.captions.len(), 0.0);
        let panels = best.chunks_exact(self.lanes.lanes);
        for (best, scores) in panels.zip(scores.chunks_mut(self.lanes.items)) {
            self.lanes.sum_of_blocks(best, scores);
        }
        let (residual, norm) = images.folded[row];
        errors.clear();
        errors.extend(self.bounds.iter().map(|bound| bound.error(residual, norm)));
    }
}

/// Scores of an image with the captions of a group, and how far each can be off: infinite
/// or no number where unknown.
#[derive(Default)]
pub(super) struct Estimates {
    pub scores: Vec<f32>,
    pub errors: Vec<f32>,
}

impl Bounds {
    fn push(&mut self, bound: QueryBound) {
        self.residual_factors.push(bound.residual_factor);
        self.norm_factors.push(bound.norm_factor);
        self.tinies.push(bound.tiny);
    }

    fn iter(&self) -> impl Iterator<Item = QueryBound> {
        let factors = self.residual_factors.iter().zip(&self.norm_factors);
        factors.zip(&self.tinies).map(|((&residual_factor, &norm_factor), &tiny)| QueryBound {
            residual_factor,
            norm_factor,
            tiny,
        })
    }
}

impl WordRows {
    pub fn new(kernels: &Kernels, images: Blocks<'_>) -> Self {
        let shape = images.shape();
        let level = level(shape.width);
        let mut pairs = vec![Pair::default(); images.values().len() / 2];
        let fits: Vec<Fit> = images
            .values()
            .chunks_exact(shape.width)
            .zip(pairs.chunks_exact_mut(shape.width / 2))
            .map(|(block, pairs)| {
                // SAFETY: this table is given out only where its instructions are.
                unsafe { (kernels.quantise)(block, level, pairs.as_flattened_mut()) }
            })
            .collect();
        let fold = |fits: &[Fit]| {
            let residual = most(fits.iter().map(|fit| fit.residual)) as f32;
            // Of the quantised block: at most its own norm and what it lost.
            let norm = most(fits.iter().map(|fit| (fit.norm + fit.residual).next_up())) as f32;
            (residual, norm)
        };
        let folded = fits.chunks_exact(shape.blocks).map(fold).collect();
        Self { pairs, scales: fits.iter().map(|fit| fit.scale).collect(), folded, shape }
    }
}
