//! Both sides in 16 bits: the first pass where every image meets every caption.
//!
//! Arithmetic is the limit there, not memory, and integers of 16 bits cost the same as
//! those of 8 on most machines while their bound is hundreds of times tighter.

use super::kernels::TileKernel;
use super::panel::{Panels, Side};
use super::parallel;
use super::query::{most, sum};
use super::tile::Tile;
use crate::similarity::quantised::{Fit, QueryBound};
use crate::similarity::{BlockShape, Blocks};

/// Greatest integer whose products, summed over a block, stay within 32 bits.
fn level(width: usize) -> f32 {
    (f64::from(i32::MAX) / width as f64).sqrt().floor() as f32
}

/// Two neighbouring numbers of a block.
type Pair = [i16; 2];

/// All captions in panels.
pub(super) struct WordPanels {
    kernel: TileKernel<Pair>,
    lanes: Panels,
    panels: Vec<WordPanel>,
}

/// Captions side by side.
struct WordPanel {
    /// `[width / 2, lanes]`.
    pairs: Vec<Pair>,
    /// One a lane.
    scales: Vec<f32>,
    /// One a caption.
    bounds: Vec<QueryBound>,
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
        let panels = parallel::map(captions.rows().div_ceil(lanes.items), |at| {
            let first = at * lanes.items;
            let rows = first..captions.rows().min(first + lanes.items);
            WordPanel::new(lanes, captions.slice(rows))
        });
        Some(Self { kernel, lanes: *lanes, panels })
    }

    /// Approximate scores of image `row` with the captions of panel `at`, and how far they
    /// can be off (infinite or no number: unknown). `best` is scratch, one a lane.
    pub fn estimate(
        &self,
        images: &WordRows,
        row: usize,
        at: usize,
        best: &mut [f32],
        scores: &mut [f32],
        errors: &mut [f32],
    ) {
        let panel = &self.panels[at];
        let BlockShape { blocks, width } = images.shape;
        let steps = width / 2;
        let tile = Tile {
            rows: &images.pairs[row * blocks * steps..(row + 1) * blocks * steps],
            scales: &images.scales[row * blocks..(row + 1) * blocks],
            steps,
            panel: &panel.pairs,
            lanes: self.lanes.lanes,
        };
        // SAFETY: this table is given out only where its instructions are.
        unsafe { (self.kernel)(tile, best) };
        for (best, scale) in best.iter_mut().zip(&panel.scales) {
            *best *= scale;
        }
        super::panel::sum_of_blocks(best, self.lanes.shape.blocks, scores);
        let (residual, norm) = images.folded[row];
        for (error, bound) in errors.iter_mut().zip(&panel.bounds) {
            *error = bound.error(residual, norm);
        }
    }
}

impl WordPanel {
    fn new(lanes: &Panels, captions: Blocks<'_>) -> Self {
        let BlockShape { blocks, width } = captions.shape();
        let level = level(width);
        let mut pairs = vec![Pair::default(); width / 2 * lanes.lanes];
        let mut scales = vec![0.0; lanes.lanes];
        let mut bounds = Vec::with_capacity(captions.rows());
        let mut words = vec![0i16; width];
        for row in 0..captions.rows() {
            let blocks_of_row = captions.row(row).chunks_exact(width).enumerate();
            let fits: Vec<Fit> = blocks_of_row
                .map(|(block, numbers)| {
                    let lane = row * blocks + block;
                    let fit = Fit::of(numbers, level, &mut words, |integer| integer as i16);
                    for (step, pair) in words.as_chunks().0.iter().enumerate() {
                        pairs[step * lanes.lanes + lane] = *pair;
                    }
                    scales[lane] = fit.scale;
                    fit
                })
                .collect();
            let norm = sum(fits.iter().map(|fit| fit.norm));
            let residual = sum(fits.iter().map(|fit| fit.residual));
            bounds.push(QueryBound::new(norm, residual, width, blocks));
        }
        Self { pairs, scales, bounds }
    }
}

impl WordRows {
    pub fn new(images: Blocks<'_>) -> Self {
        let shape = images.shape();
        let level = level(shape.width);
        let mut pairs = vec![Pair::default(); images.values().len() / 2];
        let fits: Vec<Fit> = images
            .values()
            .chunks_exact(shape.width)
            .zip(pairs.chunks_exact_mut(shape.width / 2))
            .map(|(block, pairs)| {
                let words = pairs.as_flattened_mut();
                Fit::of(block, level, words, |integer| integer as i16)
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
