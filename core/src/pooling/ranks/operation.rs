//! The places as one operation of Burn's GPU backends, for training and large batches.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Int, Tensor};
use burn_cubecl::CubeBackend;

use super::kernel;

/// `[N, T, D] -> [N, T, D]`, as [`super::descending`].
pub(super) fn descending(values: Tensor<3>) -> Tensor<3, Int> {
    Tensor::from_dispatch(Dispatch::places(values.into_dispatch()))
}

/// What the GPU backends can do besides Burn's own operations.
#[backend_extension(Cube, Fusion: cfg(feature = "gpu-runtime"))]
pub(super) trait Ranking: Backend {
    /// The places of `[N, T, D]` among the T, without a gradient.
    #[fusion(dtype = burn::tensor::DType::I32, shape = values)]
    fn places(values: FloatTensor<Self>) -> IntTensor<Self>;
}

impl Ranking for CubeBackend {
    fn places(values: FloatTensor<Self>) -> IntTensor<Self> {
        kernel::places(values)
    }
}
