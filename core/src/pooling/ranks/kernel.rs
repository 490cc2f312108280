//! The kernel: a thread compares some values of a column with all of it.

use burn::backend::TensorMetadata;
use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::DType;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

/// Values that a thread finds the places of: each value it reads is compared with all of them.
const OWN: usize = 8;
/// Threads of a workgroup.
const THREADS: u32 = 128;

/// The places of `[N, T, D]` among the T.
pub(super) fn places(values: CubeTensor) -> CubeTensor {
    let values = into_contiguous(values);
    let shape = values.shape();
    let (client, device, dtype) = (values.client.clone(), values.device.clone(), values.dtype);
    let places = empty_device_contiguous_dtype(client.clone(), device, shape.clone(), DType::I32);
    let [rows, length, width] = shape.dims();
    let threads = rows * length.div_ceil(OWN) * width;
    if threads == 0 {
        return places;
    }
    let dim = CubeDim::new_1d(THREADS);
    places_kernel::launch(
        &client,
        calculate_cube_count_elemwise(&client, threads, dim),
        dim,
        values.required_address_type(),
        values.into_tensor_arg(),
        places.clone().into_tensor_arg(),
        OWN,
        dtype_to_storage_type(dtype),
    );
    places
}

/// Neighbouring threads have neighbouring columns, so that they read neighbouring values.
#[cube(launch, address_type = "dynamic")]
fn places_kernel<F: Float>(
    values: &Tensor<F>,
    places: &mut Tensor<i32>,
    #[comptime] own: usize,
    #[define(F)] _dtype: ElemType,
) {
    let length = values.shape(1);
    let width = values.shape(2);
    let groups = length.div_ceil(own);
    let column = ABSOLUTE_POS % width;
    let group = ABSOLUTE_POS / width % groups;
    let row = ABSOLUTE_POS / width / groups;
    if row >= values.shape(0) {
        terminate!();
    }
    let start = row * length * width + column;
    let first = group * own;

    let mut mine = Array::<F>::new(own);
    let mut greater = Array::<i32>::new(own);
    #[unroll]
    for k in 0..own {
        // Beyond the end the last value will do; its place is not kept.
        let mut at = first + k;
        if at >= length {
            at = length - 1;
        }
        mine[k] = values[start + at * width];
        greater[k] = 0;
    }
    for other in 0..length {
        let value = values[start + other * width];
        #[unroll]
        for k in 0..own {
            if value > mine[k] || (value == mine[k] && other < first + k) {
                greater[k] += 1;
            }
        }
    }
    #[unroll]
    for k in 0..own {
        if first + k < length {
            places[start + (first + k) * width] = greater[k];
        }
    }
}
