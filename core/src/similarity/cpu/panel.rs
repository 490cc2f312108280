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

/// How embeddings of one shape share a panel. Block `b` of its item `i` lies in lane `b *
/// items + i`, so that what comes after the products, too, is done item by item side by side.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub kernels: &'static Kernels,
    pub side: Side,
    pub shape: BlockShape,
    /// Embeddings of a panel, at most [`MOST_ITEMS`].
    pub items: usize,
    /// Lanes of a panel: `items * blocks`, rounded up; a multiple of 8.
    pub lanes: usize,
}

/// No kernels have wider panels.
const MOST_ITEMS: usize = 64;

impl Panels {
    pub fn new(kernels: &'static Kernels, side: Side, shape: BlockShape) -> Self {
        let items = (kernels.panel.min(MOST_ITEMS) / shape.blocks).max(1);
        let lanes = (items * shape.blocks).next_multiple_of(kernels.panel);
        Self { kernels, side, shape, items, lanes }
    }

    /// Numbers of a panel.
    pub fn size(&self) -> usize {
        self.lanes * self.shape.width
    }

    /// Lays `count` embeddings side by side, from 1 to [`Panels::items`]; lanes that are left
    /// over repeat the last one.
    pub fn pack<'r>(&self, count: usize, item: impl Fn(usize) -> &'r [f32], panel: &mut [f32]) {
        self.pack_ahead(count, item, panel, &[]);
    }

    /// As [`Panels::pack`], and asks for the memory of `ahead`, which is packed next: blocks are read
    /// side by side in pieces too short for the processor to see where they lead.
    pub fn pack_ahead<'r>(
        &self,
        count: usize,
        item: impl Fn(usize) -> &'r [f32],
        panel: &mut [f32],
        ahead: &[u8],
    ) {
        let BlockShape { blocks, width } = self.shape;
        let share = ahead.len().div_ceil(self.lanes / 8).max(1);
        let mut shares = ahead.chunks(share);
        for first in (0..self.lanes).step_by(8) {
            prefetch(shares.next().unwrap_or_default());
            let mut eight = [&[] as &[f32]; 8];
            for (at, to) in eight.iter_mut().enumerate() {
                let lane = first + at;
                let block = (lane / self.items).min(blocks - 1);
                *to = &item((lane % self.items).min(count - 1))[block * width..][..width];
            }
            self.pack_blocks(&eight, first, panel);
        }
    }

    fn pack_blocks(&self, blocks: &[&[f32]; 8], lane: usize, panel: &mut [f32]) {
        let mut done = 0;
        if let Some(transpose) = self.kernels.transpose {
            // SAFETY: this table is given out only where its instructions are.
            done = unsafe { transpose(blocks, &mut panel[lane..], self.lanes) };
        }
        // Four numbers at a time, which compilers turn into shuffles of registers.
        for first in (done..self.shape.width).step_by(4) {
            let numbers: [&[f32]; 8] = blocks.map(|block| &block[first..first + 4]);
            for number in 0..4 {
                let to = &mut panel[(first + number) * self.lanes + lane..][..8];
                for (to, numbers) in to.iter_mut().zip(numbers) {
                    *to = numbers[number];
                }
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
            Side::Captions => self.sum_of_blocks(dots, scores),
            Side::Images => self.sum_of_best(dots, scores),
        }
    }

    /// `best[lane]` of captions to scores.
    pub fn sum_of_blocks(&self, best: &[f32], scores: &mut [f32]) {
        scores.fill(0.0);
        for best in best.chunks_exact(self.items).take(self.shape.blocks) {
            for (score, best) in scores.iter_mut().zip(best) {
                *score += best;
            }
        }
    }

    /// `dots[caption block][lane]` of images to scores.
    fn sum_of_best(&self, dots: &[f32], scores: &mut [f32]) {
        scores.fill(0.0);
        for dots in dots.chunks_exact(self.lanes) {
            let mut best = [f32::NEG_INFINITY; MOST_ITEMS];
            for dots in dots.chunks_exact(self.items).take(self.shape.blocks) {
                for (best, &dot) in best.iter_mut().zip(dots) {
                    *best = if dot > *best { dot } else { *best };
                }
            }
            for (score, best) in scores.iter_mut().zip(best) {
                *score += best;
            }
        }
    }
}

/// Has memory brought into the cache while other work goes on, where there is an instruction for that.
fn prefetch(memory: &[u8]) {
    const LINE: usize = 64;
    #[cfg(target_arch = "x86_64")]
    for line in memory.chunks(LINE) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint; every x86-64 processor has it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (memory, LINE);
}
