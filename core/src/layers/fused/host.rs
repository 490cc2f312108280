//! The numbers of CPU tensors, and work on them by threads.

use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};

/// Cuts pieces off the front of a slice.
pub struct Cutter<'a>(pub &'a mut [f32]);

impl<'a> Cutter<'a> {
    /// The next `length` numbers.
    pub fn cut(&mut self, length: usize) -> &'a mut [f32] {
        let (piece, rest) = std::mem::take(&mut self.0).split_at_mut(length);
        self.0 = rest;
        piece
    }
}

/// The same tensor, its numbers in order.
pub fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

/// All numbers of a contiguous tensor.
pub fn numbers(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_default()
}

/// A tensor of new numbers.
pub fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), DType::F32)
}

/// Works on all items, on all threads where there are some.
#[cfg(feature = "parallel")]
pub fn for_each<T: Send>(items: Vec<T>, work: impl Fn(T) + Sync + Send) {
    use rayon::prelude::*;
    items.into_par_iter().for_each(work);
}

/// Works on all items.
#[cfg(not(feature = "parallel"))]
pub fn for_each<T>(items: Vec<T>, work: impl Fn(T)) {
    items.into_iter().for_each(work);
}

/// Threads that [`for_each`] works with.
#[cfg(feature = "parallel")]
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Threads that [`for_each`] works with.
#[cfg(not(feature = "parallel"))]
pub fn threads() -> usize {
    1
}
