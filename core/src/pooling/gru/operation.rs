//! A recurrent layer as one operation of Burn's GPU backends, with a gradient.
//!
//! The operation returns more than the states: a *record* `[steps, G, rows, 5H]` holds the state, the gates r, z and n, and
//! what n took from the last state. The backward pass reads it in place of computing it again.

#[cfg(feature = "training")]
mod gradient;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::{DType, Shape, Tensor};
use burn_cubecl::CubeBackend;

use super::kernels;
use crate::is_cpu;

/// The widest state whose weights a thread keeps in registers: 255 of 32 bits are the most on NVIDIA's GPUs.
const WIDEST: usize = 64;

/// Whether the kernels take these inputs and states of this width: f32 on a GPU, not too wide.
pub(super) fn fits(inputs: &Tensor<3>, hidden: usize) -> bool {
    !is_cpu(&inputs.device()) && inputs.dtype() == DType::F32 && hidden <= WIDEST
}

/// The states `[steps, G, rows, H]` of `G` layers, from their inputs `[steps, G, rows, 3H]` (multiplied by the weights
/// already), what multiplies the state `[G, H, 3H]`, and its bias `[G, 3H]`; all f32.
pub(super) fn states(from_inputs: Tensor<4>, recurrent: Tensor<3>, bias: Tensor<2>) -> Tensor<4> {
    let hidden = recurrent.dims()[1];
    let record =
        Dispatch::gru(from_inputs.into_dispatch(), recurrent.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(record).narrow(3, 0, hidden)
}

/// What the GPU backends can do besides Burn's own operations. All tensors are f32.
#[backend_extension(
    Cube,
    Fusion: cfg(feature = "gpu-runtime"),
    Autodiff: cfg(feature = "training"),
)]
pub(super) trait Recurrent: Backend {
    /// The record of all steps; shapes as in [`states`].
    #[fusion(dtype = inputs, shape = widened(inputs, 3, 5))]
    fn gru(
        inputs: FloatTensor<Self>,
        recurrent: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// From the weights `[G, H, 3H]`, a record, and the gradient of its states, of the record's shape, the gradients
    /// `[steps, G, rows, 4H]` of the gates' arguments r, z and n, and of what n took from the last state. It has no
    /// gradient of its own.
    #[fusion(dtype = record, shape = widened(record, 5, 4))]
    fn gru_gradients(
        recurrent: FloatTensor<Self>,
        record: FloatTensor<Self>,
        gradients: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// The shape with `to` numbers in the last dimension for every `from`.
fn widened(shape: &Shape, from: usize, to: usize) -> Shape {
    let mut shape = shape.clone();
    let last = shape.num_dims() - 1;
    shape[last] = shape[last] / from * to;
    shape
}

impl Recurrent for CubeBackend {
    fn gru(
        inputs: FloatTensor<Self>,
        recurrent: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let shape = widened(&inputs.shape(), 3, 5);
        kernels::forward(inputs, recurrent, bias, shape)
    }

    fn gru_gradients(
        recurrent: FloatTensor<Self>,
        record: FloatTensor<Self>,
        gradients: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let shape = widened(&record.shape(), 5, 4);
        kernels::backward(recurrent, record, gradients, shape)
    }
}
