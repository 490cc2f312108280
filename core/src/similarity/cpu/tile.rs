//! The one loop of all matrix kernels: a few blocks against a panel of blocks.
//!
//! A *panel* holds blocks side by side, number by number (`[steps, lanes]`), so that one
//! vector register holds the same number of many blocks. Rows are blocks as they lie in
//! memory; their numbers are broadcast. Every dot product is summed from its first number
//! to its last in one accumulator, so its bits depend neither on the tile nor on the place
//! in it, and swapping rows and panel changes nothing either.

/// Multiply and accumulate in vector registers; each instruction set has its own.
///
/// # Safety
/// For every method: the processor has the instructions, and pointers may be read, or
/// written, for the width of a register.
pub(super) trait Mac {
    /// One step along a block: one f32, or two i16.
    type Step: Copy;
    /// A register of steps.
    type Operand: Copy;
    /// A register of accumulators.
    type Sum: Copy;
    /// A register of results.
    type Float: Copy;
    /// Lanes of a register.
    const LANES: usize;
    /// Most rows of a tile.
    const ROWS: usize;

    unsafe fn zero() -> Self::Sum;
    unsafe fn load(from: *const Self::Step) -> Self::Operand;
    unsafe fn splat(from: *const Self::Step) -> Self::Operand;
    unsafe fn mac(sum: Self::Sum, a: Self::Operand, b: Self::Operand) -> Self::Sum;
    /// The sums as f32; integers are multiplied by `scale`.
    unsafe fn finish(sum: Self::Sum, scale: f32) -> Self::Float;
    unsafe fn lowest() -> Self::Float;
    unsafe fn store(to: *mut f32, value: Self::Float);
    /// `if new > old { new } else { old }`, so that what is not a number is left out.
    unsafe fn max(new: Self::Float, old: Self::Float) -> Self::Float;
}

/// Blocks whose numbers are broadcast, and the panel they meet.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a, S> {
    /// `[rows, steps]`.
    pub rows: &'a [S],
    /// A factor for each row; none at all for f32.
    pub scales: &'a [f32],
    /// Steps of a block.
    pub steps: usize,
    /// `[steps, lanes]`.
    pub panel: &'a [S],
    /// A multiple of the kernels' panel width.
    pub lanes: usize,
}

impl<S> Tile<'_, S> {
    /// All that the unsafe code below relies on. Returns the number of rows.
    fn check(&self, lanes: usize) -> usize {
        assert!(self.lanes.is_multiple_of(lanes) && self.steps > 0);
        assert_eq!(self.panel.len(), self.steps * self.lanes);
        let rows = self.rows.len() / self.steps;
        assert_eq!(self.rows.len(), rows * self.steps);
        assert!(self.scales.is_empty() || self.scales.len() == rows);
        rows
    }

    fn scale(&self, row: usize) -> f32 {
        self.scales.get(row).copied().unwrap_or(1.0)
    }
}

/// Dot products of `R` rows from `row` on with `V` registers of lanes from `lane` on.
#[inline(always)]
unsafe fn products<M: Mac, const R: usize, const V: usize>(
    tile: &Tile<'_, M::Step>,
    row: usize,
    lane: usize,
) -> [[M::Sum; V]; R] {
    // SAFETY: the caller has checked the tile.
    unsafe {
        let rows = tile.rows.as_ptr().add(row * tile.steps);
        let panel = tile.panel.as_ptr().add(lane);
        let mut sums = [[M::zero(); V]; R];
        for step in 0..tile.steps {
            let mut across = [M::load(panel.add(step * tile.lanes)); V];
            for (v, across) in across.iter_mut().enumerate().skip(1) {
                *across = M::load(panel.add(step * tile.lanes + v * M::LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let number = M::splat(rows.add(r * tile.steps + step));
                for (sum, across) in sums.iter_mut().zip(across) {
                    *sum = M::mac(*sum, number, across);
                }
            }
        }
        sums
    }
}

/// For every lane the best dot product with any row: `best[lane]`.
///
/// # Safety
/// The processor has the instructions of `M`.
#[inline(always)]
pub(super) unsafe fn best_of_rows<M: Mac, const V: usize>(
    tile: Tile<'_, M::Step>,
    best: &mut [f32],
) {
    let rows = tile.check(V * M::LANES);
    assert_eq!(best.len(), tile.lanes);
    for lane in (0..tile.lanes).step_by(V * M::LANES) {
        // SAFETY: `check` has compared the lengths.
        unsafe {
            let mut max = [M::lowest(); V];
            let mut row = 0;
            while M::ROWS >= 8 && rows - row >= 8 {
                raise::<M, 8, V>(&tile, row, lane, &mut max);
                row += 8;
            }
            while rows - row >= 4 {
                raise::<M, 4, V>(&tile, row, lane, &mut max);
                row += 4;
            }
            while rows - row > 0 {
                raise::<M, 1, V>(&tile, row, lane, &mut max);
                row += 1;
            }
            for (v, max) in max.iter().enumerate() {
                M::store(best.as_mut_ptr().add(lane + v * M::LANES), *max);
            }
        }
    }
}

#[inline(always)]
unsafe fn raise<M: Mac, const R: usize, const V: usize>(
    tile: &Tile<'_, M::Step>,
    row: usize,
    lane: usize,
    max: &mut [M::Float; V],
) {
    // SAFETY: as the caller's.
    unsafe {
        let sums = products::<M, R, V>(tile, row, lane);
        for (r, sums) in sums.iter().enumerate() {
            for (max, sum) in max.iter_mut().zip(sums) {
                *max = M::max(M::finish(*sum, tile.scale(row + r)), *max);
            }
        }
    }
}

/// All dot products: `dots[row * lanes + lane]`.
///
/// # Safety
/// The processor has the instructions of `M`.
#[inline(always)]
pub(super) unsafe fn all_products<M: Mac, const V: usize>(
    tile: Tile<'_, M::Step>,
    dots: &mut [f32],
) {
    let rows = tile.check(V * M::LANES);
    assert_eq!(dots.len(), rows * tile.lanes);
    for lane in (0..tile.lanes).step_by(V * M::LANES) {
        // SAFETY: `check` has compared the lengths.
        unsafe {
            let mut row = 0;
            while M::ROWS >= 8 && rows - row >= 8 {
                keep::<M, 8, V>(&tile, row, lane, dots);
                row += 8;
            }
            while rows - row >= 4 {
                keep::<M, 4, V>(&tile, row, lane, dots);
                row += 4;
            }
            while rows - row > 0 {
                keep::<M, 1, V>(&tile, row, lane, dots);
                row += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn keep<M: Mac, const R: usize, const V: usize>(
    tile: &Tile<'_, M::Step>,
    row: usize,
    lane: usize,
    dots: &mut [f32],
) {
    // SAFETY: as the caller's.
    unsafe {
        let sums = products::<M, R, V>(tile, row, lane);
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let to = (row + r) * tile.lanes + lane + v * M::LANES;
                M::store(dots.as_mut_ptr().add(to), M::finish(*sum, tile.scale(row + r)));
            }
        }
    }
}
