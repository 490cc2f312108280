//! Every family of kernels against plain loops, on random and on adversarial embeddings.

mod kernels;
mod matrix;
mod quantised;
mod ranks;
mod search;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tile::Tile;
use super::{Engine, Kernel};
use crate::similarity::{BlockShape, Blocks};

/// One engine for each family that this machine has.
fn engines() -> impl Iterator<Item = Engine> {
    Kernel::ALL.into_iter().filter_map(|kernel| Engine::with(kernel).ok())
}

/// Embeddings that are hard on bounds and ties.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Unit blocks in random directions.
    Random,
    /// Three embeddings over and over.
    Duplicates,
    /// One embedding, each number moved by at most two units in the last place.
    NearTies,
    /// Half of the blocks zero.
    ZeroBlocks,
    /// Norms from 1e-18 to 1e9, which no common scale fits.
    Norms,
    /// One number of a block far greater than the others: the worst for quantisation.
    Spikes,
    /// Too large or too small for any bound: products overflow or vanish.
    Extreme,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Random,
        Self::Duplicates,
        Self::NearTies,
        Self::ZeroBlocks,
        Self::Norms,
        Self::Spikes,
        Self::Extreme,
    ];

    fn embeddings(self, rng: &mut ChaCha8Rng, rows: usize, shape: BlockShape) -> Vec<f32> {
        let mut values = Vec::with_capacity(rows * shape.size());
        let distinct: Vec<Vec<f32>> = (0..3).map(|_| unit_blocks(rng, shape)).collect();
        for _ in 0..rows {
            let mut row = match self {
                Self::Duplicates => distinct[rng.random_range(0..3)].clone(),
                Self::NearTies => distinct[0].clone(),
                _ => unit_blocks(rng, shape),
            };
            for block in row.chunks_exact_mut(shape.width) {
                self.spoil(rng, block);
            }
            values.extend(row);
        }
        values
    }

    fn spoil(self, rng: &mut ChaCha8Rng, block: &mut [f32]) {
        match self {
            Self::Random | Self::Duplicates => {}
            Self::NearTies => {
                for value in block {
                    let moved = value.to_bits().saturating_add_signed(rng.random_range(-2..=2));
                    *value = f32::from_bits(moved);
                }
            }
            Self::ZeroBlocks => {
                if rng.random_bool(0.5) {
                    block.fill(0.0);
                }
            }
            Self::Norms => scale(block, 10f32.powi(rng.random_range(-18..=9))),
            Self::Spikes => block[rng.random_range(0..block.len())] = 50.0,
            Self::Extreme => {
                let powers = [-38, -30, -20, 0, 14, 17, 19, 25];
                scale(block, 10f32.powi(powers[rng.random_range(0..powers.len())]));
            }
        }
    }
}

fn scale(block: &mut [f32], by: f32) {
    block.iter_mut().for_each(|value| *value *= by);
}

fn unit_blocks(rng: &mut ChaCha8Rng, shape: BlockShape) -> Vec<f32> {
    let mut values: Vec<f32> = (0..shape.size()).map(|_| rng.random_range(-1.0..1.0f32)).collect();
    crate::similarity::normalise(&mut values, shape).unwrap();
    values
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A random pair of shapes: 1 to 16 blocks, widths that fill no register and several.
fn shapes(rng: &mut ChaCha8Rng) -> (BlockShape, BlockShape) {
    let width = 4 * rng.random_range(1..=17);
    let mut shape = || BlockShape { blocks: rng.random_range(1..=16), width };
    (shape(), shape())
}

/// Whether a family adds a product without rounding it first, told by one that rounding takes away. All fused
/// families give the same bits, and so do all others.
fn fused(engine: &Engine) -> bool {
    let lanes = engine.kernels.panel;
    // Its square is 1 + 2^-11 + 2^-24, of which an f32 keeps all but the last.
    let number = 1.0 + 2f32.powi(-12);
    let panel = [vec![-1.0 - 2f32.powi(-11); lanes], vec![number; lanes]].concat();
    let tile = Tile { rows: &[1.0, number], scales: &[], steps: 2, panel: &panel, lanes };
    let mut dots = vec![f32::NAN; lanes];
    // SAFETY: an engine has the kernels of this machine.
    unsafe { (engine.kernels.all_products)(tile, &mut dots) };
    assert!(dots.iter().all(|dot| [0.0, 2f32.powi(-24)].contains(dot)), "{engine:?} {dots:?}");
    dots[0] != 0.0
}

/// The definition of the score, as plain loops; fused or not as the engine's kernels are.
fn plain_score(engine: &Engine, image: &[f32], caption: &[f32], width: usize) -> f32 {
    let fused = fused(engine);
    let mut score = 0.0;
    for caption in caption.chunks_exact(width) {
        let mut best = f32::NEG_INFINITY;
        for image in image.chunks_exact(width) {
            let mut dot = 0f32;
            for (a, b) in image.iter().zip(caption) {
                dot = if fused { a.mul_add(*b, dot) } else { dot + a * b };
            }
            best = if dot > best { dot } else { best };
        }
        score += best;
    }
    score
}

fn plain_matrix(engine: &Engine, images: Blocks<'_>, captions: Blocks<'_>) -> Vec<f32> {
    let width = images.shape().width;
    let row = |image| {
        (0..captions.rows()).map(move |caption| {
            plain_score(engine, images.row(image), captions.row(caption), width)
        })
    };
    (0..images.rows()).flat_map(row).collect()
}

/// Equal as scores: the same number, or neither is one.
fn same(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}
