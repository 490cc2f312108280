//! Whole embeddings side by side in the lanes of a panel, and the exact score.
//!
//! The exact score of a pair is defined here, once: dot products summed in order (see
//! [`tile`](super::tile)), the best over the image's blocks, and these summed in order of
//! the caption's blocks, all in f32. Whichever side lies in the lanes, the bits are the same.

use super::kernels::Kernels;
use super::tile::Tile;
use crate::similarity::BlockShape;

/// Which embeddings lie in the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Images,
    Captions,
}

/// How embeddings of one shape share a panel.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub kernels: &'static Kernels,
    pub side: Side,
    pub shape: BlockShape,
    /// Embeddings of a panel.
    pub items: usize,
    /// Lanes of a panel: `items * blocks`, rounded up; a multiple of 8.
    pub lanes: usize,
}

impl Panels {
    pub fn new(kernels: &'static Kernels, side: Side, shape: BlockShape) -> Self {
        let items = (kernels.panel / shape.blocks).max(1);
        let lanes = (items * shape.blocks).next_multiple_of(kernels.panel);
        Self { kernels, side, shape, items, lanes }
    }

    /// Numbers of a panel.
    pub fn size(&self) -> usize {
        self.lanes * self.shape.width
    }

    /// Lays at most [`Panels::items`] embeddings side by side; lanes that are left over hold
    /// anything finite.
    pub fn pack<'r>(&self, items: impl IntoIterator<Item = &'r [f32]>, panel: &mut [f32]) {
        let mut blocks = items.into_iter().flat_map(|item| item.chunks_exact(self.shape.width));
        let mut lane = 0;
        while let Some(block) = blocks.next() {
            let mut eight = [block; 8];
            for (to, block) in eight[1..].iter_mut().zip(&mut blocks) {
                *to = block;
            }
            self.pack_blocks(&eight, lane, panel);
            lane += 8;
        }
    }

    fn pack_blocks(&self, blocks: &[&[f32]; 8], lane: usize, panel: &mut [f32]) {
        let mut done = 0;
        if let Some(transpose) = self.kernels.transpose {
            // SAFETY: this table is given out only where its instructions are.
            done = unsafe { transpose(blocks, &mut panel[lane..], self.lanes) };
        }
        for number in done..self.shape.width {
            let row = &mut panel[number * self.lanes + lane..][..8];
            for (to, block) in row.iter_mut().zip(blocks) {
                *to = block[number];
            }
        }
    }

    /// Exact scores of `row`, an embedding of the other side, with the first embeddings of
    /// a panel, as many as `scores` asks for.
    pub fn scores(&self, row: &[f32], panel: &[f32], dots: &mut Vec<f32>, scores: &mut [f32]) {
        let steps = self.shape.width;
        let tile = Tile { rows: row, scales: &[], steps, panel, lanes: self.lanes };
        let (kernel, rows) = match self.side {
            Side::Captions => (self.kernels.best_of_rows, 1),
            Side::Images => (self.kernels.all_products, row.len() / steps),
        };
        dots.resize(rows * self.lanes, 0.0);
        // SAFETY: this table is given out only where its instructions are.
        unsafe { kernel(tile, dots) };
        match self.side {
            Side::Captions => sum_of_blocks(dots, self.shape.blocks, scores),
            Side::Images => self.best_then_sum(dots, scores),
        }
    }

    /// `dots[caption block * lanes + image block]` to scores.
    fn best_then_sum(&self, dots: &[f32], scores: &mut [f32]) {
        scores.fill(0.0);
        for dots in dots.chunks_exact(self.lanes) {
            for (score, dots) in scores.iter_mut().zip(dots.chunks_exact(self.shape.blocks)) {
                let best = |best, &dot| if dot > best { dot } else { best };
                *score += dots.iter().fold(f32::NEG_INFINITY, best);
            }
        }
    }
}

/// Sums each embedding's blocks, in order.
pub(super) fn sum_of_blocks(best: &[f32], blocks: usize, scores: &mut [f32]) {
    for (score, best) in scores.iter_mut().zip(best.chunks_exact(blocks)) {
        *score = best.iter().fold(0.0, |sum, best| sum + best);
    }
}
