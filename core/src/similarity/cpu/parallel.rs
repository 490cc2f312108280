//! Loops that use threads where the crate is built with them.

/// `work(index, chunk)` for every chunk of `size` values.
#[cfg(feature = "parallel")]
pub(super) fn for_each_chunk<T: Send>(
    values: &mut [T],
    size: usize,
    work: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    use rayon::prelude::*;
    values.par_chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
}

/// `work(index, chunk)` for every chunk of `size` values.
#[cfg(not(feature = "parallel"))]
pub(super) fn for_each_chunk<T: Send>(
    values: &mut [T],
    size: usize,
    work: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    values.chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
}

/// `work(index)` for all indices below `count`, in order.
#[cfg(feature = "parallel")]
pub(super) fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    use rayon::prelude::*;
    (0..count).into_par_iter().map(work).collect()
}

/// `work(index)` for all indices below `count`, in order.
#[cfg(not(feature = "parallel"))]
pub(super) fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    (0..count).map(work).collect()
}
