//! The one loop of the int8 first pass: blocks of a gallery as they lie in memory against
//! the blocks of a query, bound by how fast the gallery can be read.

/// Integer multiply and accumulate along a block.
///
/// # Safety
/// As [`Mac`](super::tile::Mac).
pub(super) trait Bytes {
    /// A register of i16.
    type Words: Copy;
    /// A register of i32.
    type Sum: Copy;
    /// Numbers of a step.
    const STEP: usize;

    unsafe fn zero() -> Self::Sum;
    /// [`Bytes::STEP`] i8 as i16.
    unsafe fn widen(from: *const i8) -> Self::Words;
    unsafe fn load(from: *const i16) -> Self::Words;
    unsafe fn mac(sum: Self::Sum, a: Self::Words, b: Self::Words) -> Self::Sum;
    /// The sums over all lanes.
    unsafe fn totals(sums: [Self::Sum; QUERY_ROWS]) -> [i32; QUERY_ROWS];
}

/// Query blocks that meet a gallery block together.
pub(super) const QUERY_ROWS: usize = 4;

/// Query blocks of a query are padded with zeros to a multiple of this many numbers.
pub(super) const QUERY_PADDING: usize = 32;

/// A gallery item and a query.
#[derive(Clone, Copy)]
pub(super) struct ByteTile<'a> {
    /// `[blocks, width]`.
    pub item: &'a [i8],
    /// Numbers of a block.
    pub width: usize,
    /// `[rows, width rounded up]`, rows a multiple of [`QUERY_ROWS`].
    pub query: &'a [i16],
}

impl ByteTile<'_> {
    /// Numbers of a query row.
    pub fn stride(&self) -> usize {
        self.width.next_multiple_of(QUERY_PADDING)
    }
}

/// All dot products: `dots[block * rows + row]`.
///
/// # Safety
/// The processor has the instructions of `B`.
#[inline(always)]
pub(super) unsafe fn byte_products<B: Bytes>(tile: ByteTile<'_>, dots: &mut [i32]) {
    let (width, stride) = (tile.width, tile.stride());
    let rows = tile.query.len() / stride;
    assert_eq!(tile.query.len(), rows * stride);
    assert!(rows.is_multiple_of(QUERY_ROWS) && QUERY_PADDING.is_multiple_of(B::STEP));
    assert_eq!(tile.item.len() / width * rows, dots.len());
    let whole = width / B::STEP * B::STEP;
    for (block, dots) in tile.item.chunks_exact(width).zip(dots.chunks_exact_mut(rows)) {
        // The last numbers of a block, where a whole register would reach past it.
        let mut tail = [0i8; QUERY_PADDING];
        tail[..width - whole].copy_from_slice(&block[whole..]);
        for (query, dots) in
            tile.query.chunks_exact(QUERY_ROWS * stride).zip(dots.as_chunks_mut::<QUERY_ROWS>().0)
        {
            let query = query.as_ptr();
            // SAFETY: reads end at `whole` in the block, at QUERY_PADDING in the tail, and at
            // `stride` in each query row.
            unsafe {
                let mut sums = [B::zero(); QUERY_ROWS];
                for at in (0..whole).step_by(B::STEP) {
                    let numbers = B::widen(block.as_ptr().add(at));
                    for (row, sum) in sums.iter_mut().enumerate() {
                        *sum = B::mac(*sum, numbers, B::load(query.add(row * stride + at)));
                    }
                }
                if whole < width {
                    let numbers = B::widen(tail.as_ptr());
                    for (row, sum) in sums.iter_mut().enumerate() {
                        *sum = B::mac(*sum, numbers, B::load(query.add(row * stride + whole)));
                    }
                }
                *dots = B::totals(sums);
            }
        }
    }
}
