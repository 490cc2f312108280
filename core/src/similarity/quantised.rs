//! Blocks in 8 bits, and how far a score made of them can be from the exact one.
//!
//! # The bound
//!
//! A block `u` of width `W` is stored as integers `q`, at most 127 in magnitude, a scale `s`,
//! and a residual `rho >= |u - s q|` (Euclidean norm, rounded up). The other side's block `t`
//! is quantised to `sigma p` with residual `r >= |t - sigma p|`. Then, by the triangle and
//! the Cauchy-Schwarz inequality,
//!
//! ```text
//! |<u, t> - <s q, sigma p>| = |<u - s q, t> + <s q, t - sigma p>| <= rho |t| + |s q| r
//! ```
//!
//! and `|s q| <= nu`, where `nu` is either that norm rounded up or `128 sqrt(W) s`. The score
//! is a sum over caption blocks of maxima over image blocks; a maximum moves by no more than
//! the most moved of its arguments, so the real score moves by at most the sum over caption
//! blocks of the maximum over image blocks of that bound.
//!
//! Both scores are computed in f32 (unit roundoff `e = 2^-24`). A dot product of `W` terms
//! summed in any order errs by at most `W e (1 + O(We)) |u| |t|`, the integer one by three
//! roundings, the sums over the `C` caption blocks by `C e` each. With `|u| <= nu + rho` and
//! `|t| <= |sigma p| + r`, all of it is covered by
//!
//! ```text
//! delta (nu + rho) (tau + r),    delta = (W + 2C + 8) 2^-23
//! ```
//!
//! (`tau >= |t|`), twice what is needed, which also covers the roundings of the bound
//! itself. So for an item of the gallery with folded `rho` and `nu`, and a query with folded
//! `tau` and `r`,
//!
//! ```text
//! |exact - approximate| <= rho (tau + delta (tau + r)) + nu (r + delta (tau + r)) + tiny
//! ```
//!
//! where the image side folds its blocks by their maximum, the caption side by their sum,
//! and `tiny` covers underflow. Where numbers are so large that something could overflow,
//! the bound is infinite and the pair is scored exactly.

use super::{BlockShape, Blocks};
use crate::{Error, Result};

/// Greatest stored magnitude; -128 is not used, but allowed for in the bound.
const LEVEL: f32 = 127.0;

/// Owned embeddings in 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantisedBlocks {
    shape: BlockShape,
    values: Vec<i8>,
    scales: Vec<f32>,
    residuals: Vec<f32>,
}

impl QuantisedBlocks {
    /// Quantises every block by its own greatest magnitude.
    pub fn from_blocks(blocks: Blocks<'_>) -> Self {
        let shape = blocks.shape();
        let mut values = vec![0i8; blocks.values().len()];
        let count = blocks.rows() * shape.blocks;
        let (mut scales, mut residuals) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (block, values) in
            blocks.values().chunks_exact(shape.width).zip(values.chunks_exact_mut(shape.width))
        {
            let fit = Fit::of(block, LEVEL, values, |integer| integer as i8);
            scales.push(fit.scale);
            residuals.push(fit.residual);
        }
        Self { shape, values, scales, residuals }
    }

    /// Looks at all of them.
    pub fn view(&self) -> QuantisedView<'_> {
        QuantisedView {
            shape: self.shape,
            values: &self.values,
            scales: &self.scales,
            residuals: &self.residuals,
        }
    }
}

/// Borrowed embeddings in 8 bits, in memory or in a memory-mapped file.
#[derive(Clone, Copy, Debug)]
pub struct QuantisedView<'a> {
    shape: BlockShape,
    values: &'a [i8],
    scales: &'a [f32],
    residuals: &'a [f32],
}

impl<'a> QuantisedView<'a> {
    /// `values` are `[rows, blocks, width]`; `scales` and `residuals` `[rows, blocks]`: block
    /// times scale is nearest to the precise block, and the residual is at least the
    /// Euclidean norm of what is missing.
    ///
    /// # Errors
    /// [`Error::Shape`] when the lengths do not fit each other, or a scale or residual is
    /// negative or not finite (the row is named).
    pub fn new(
        shape: BlockShape,
        values: &'a [i8],
        scales: &'a [f32],
        residuals: &'a [f32],
    ) -> Result<Self> {
        shape.validate()?;
        let rows = values.len() / shape.size();
        let fits = |found: usize| found == rows * shape.blocks;
        if rows * shape.size() != values.len() || !fits(scales.len()) || !fits(residuals.len()) {
            return Err(Error::Shape(format!(
                "{} quantised numbers, {} scales and {} residuals for blocks of {} x {}",
                values.len(),
                scales.len(),
                residuals.len(),
                shape.blocks,
                shape.width
            )));
        }
        for (name, values) in [("scale", scales), ("residual", residuals)] {
            if let Some(at) = values.iter().position(|v| !(v.is_finite() && *v >= 0.0)) {
                let row = at / shape.blocks;
                let message = format!("quantised embedding {row}: a {name} is {}", values[at]);
                return Err(Error::Shape(message));
            }
        }
        Ok(Self { shape, values, scales, residuals })
    }

    /// How each embedding is cut.
    pub fn shape(&self) -> BlockShape {
        self.shape
    }

    /// Number of embeddings.
    pub fn rows(&self) -> usize {
        self.scales.len() / self.shape.blocks
    }

    /// The integers, `[rows, blocks, width]`.
    pub fn values(&self) -> &'a [i8] {
        self.values
    }

    /// What a block's integers are multiplied by, `[rows, blocks]`.
    pub fn scales(&self) -> &'a [f32] {
        self.scales
    }

    /// Upper bound of the norm of what a block lost, `[rows, blocks]`.
    pub fn residuals(&self) -> &'a [f32] {
        self.residuals
    }

    /// One embedding in f32, integers times scales. Panics when there is no such row, as a
    /// slice does.
    pub fn row(&self, row: usize) -> Vec<f32> {
        let BlockShape { blocks, width } = self.shape;
        let values = &self.values[row * self.shape.size()..(row + 1) * self.shape.size()];
        let scales = &self.scales[row * blocks..(row + 1) * blocks];
        let scaled = |(block, scale): (&[i8], &f32)| -> Vec<f32> {
            block.iter().map(|value| f32::from(*value) * scale).collect()
        };
        values.chunks_exact(width).zip(scales).flat_map(scaled).collect()
    }
}

/// A block's integers and what they are worth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fit {
    /// Integers times this are nearest to the block.
    pub scale: f32,
    /// At least the norm of what is missing.
    pub residual: f32,
    /// At least the norm of the block itself.
    pub norm: f32,
}

/// Added to a small number, leaves its nearest integer in the last bits.
const ROUND: f32 = 12_582_912.0;

/// Sums that the processor can work on side by side.
const SUMS: usize = 8;

impl Fit {
    /// Quantises a block to integers of at most `level` (below 2^22). They are written to the
    /// start of `integers` by `cast`.
    #[inline(always)]
    pub fn of<T: Copy>(
        block: &[f32],
        level: f32,
        integers: &mut [T],
        cast: impl Fn(i32) -> T,
    ) -> Self {
        let scale = greatest_magnitude(block) / level;
        // A scale that underflows would turn the quotients into infinities.
        let inverse = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
        let (mut missing, mut squares) = ([0f64; SUMS], [0f64; SUMS]);
        let mut one = |value: f32, to: &mut T, at: usize| {
            let rounded = (value * inverse).clamp(-level, level) + ROUND;
            *to = cast(rounded.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed());
            let rest = f64::from(value) - f64::from(scale) * f64::from(rounded - ROUND);
            missing[at] += rest * rest;
            squares[at] += f64::from(value) * f64::from(value);
        };
        let (whole, rest) = block.as_chunks::<SUMS>();
        let (whole_to, rest_to) = integers[..block.len()].as_chunks_mut::<SUMS>();
        for (values, to) in whole.iter().zip(whole_to) {
            for at in 0..SUMS {
                one(values[at], &mut to[at], at);
            }
        }
        for (at, (&value, to)) in rest.iter().zip(rest_to).enumerate() {
            one(value, to, at);
        }
        let above = |squares: [f64; SUMS]| norm_above(squares.iter().sum());
        Self { scale, residual: above(missing), norm: above(squares) }
    }
}

#[inline(always)]
fn greatest_magnitude(block: &[f32]) -> f32 {
    let (whole, rest) = block.as_chunks::<SUMS>();
    let mut most = [0f32; SUMS];
    for values in whole {
        for (most, value) in most.iter_mut().zip(values) {
            let value = value.abs();
            *most = if value > *most { value } else { *most };
        }
    }
    rest.iter().map(|value| value.abs()).chain(most).fold(0.0, f32::max)
}

/// The square root as an f32 that is surely not below it: sums of f64 squares are right to
/// far more digits than the millionth added here.
fn norm_above(squares: f64) -> f32 {
    ((squares.sqrt() * (1.0 + 1e-6)) as f32).next_up()
}

/// A query's part of the bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueryBound {
    pub residual_factor: f32,
    pub norm_factor: f32,
    pub tiny: f32,
}

/// Above this a product or a sum of products may overflow, see [`QueryBound::error`].
pub(super) const SAFE: f32 = 1e15;

impl QueryBound {
    /// For a query with folded norms `norm` and residuals `residual`, against items of
    /// blocks of `width`, with `captions` blocks on the caption side.
    pub fn new(norm: f64, residual: f64, width: usize, captions: usize) -> Self {
        let rounding = (width + 2 * captions + 8) as f64 * 2f64.powi(-23) * (norm + residual);
        // A sum that is no number is not safe either.
        if !(0.0..f64::from(SAFE)).contains(&(norm + residual)) {
            let all = f32::INFINITY;
            return Self { residual_factor: all, norm_factor: all, tiny: all };
        }
        let up = |value: f64| ((value * (1.0 + 1e-6)) as f32).next_up();
        Self {
            residual_factor: up(norm + rounding),
            norm_factor: up(residual + rounding),
            tiny: up(f64::from(f32::MIN_POSITIVE) * (1.0 + norm + residual)),
        }
    }

    /// What [`error`](Self::error) multiplies residual and norm by, and what it adds; `None` where
    /// nothing can be said.
    #[cfg(feature = "gpu")]
    pub fn factors(&self) -> Option<[f32; 3]> {
        let factors = [self.residual_factor, self.norm_factor, self.tiny];
        factors.iter().all(|factor| factor.is_finite()).then_some(factors)
    }

    /// At least `|exact - approximate|` for an item with folded `residual` and `norm`;
    /// infinite, or no number, where nothing can be said.
    #[inline(always)]
    pub fn error(&self, residual: f32, norm: f32) -> f32 {
        let error = residual * self.residual_factor + norm * self.norm_factor + self.tiny;
        if residual + norm < SAFE { error } else { f32::INFINITY }
    }
}
