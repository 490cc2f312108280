//! The kernels: a workgroup for each row of each layer, a thread for each number of the state.
//!
//! A step needs the whole last state, which lies in workgroup memory in two copies, so that one barrier a step is
//! enough. The weights stay in registers, whose loops are unrolled for that.

use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// The record, of `shape`, of all steps.
pub(super) fn forward(
    inputs: CubeTensor,
    recurrent: CubeTensor,
    bias: CubeTensor,
    shape: Shape,
) -> CubeTensor {
    let record = empty(&inputs, shape.clone());
    let sizes = Sizes::of(&shape, 5);
    gru_forward_kernel::launch(
        &inputs.client.clone(),
        sizes.count(),
        sizes.threads(),
        into_contiguous(inputs).into_tensor_arg(),
        into_contiguous(recurrent).into_tensor_arg(),
        into_contiguous(bias).into_tensor_arg(),
        record.clone().into_tensor_arg(),
        sizes.rows as u32,
        sizes.hidden,
    );
    record
}

/// The gradients, of `shape`, of the gates' arguments.
pub(super) fn backward(
    recurrent: CubeTensor,
    record: CubeTensor,
    gradients: CubeTensor,
    shape: Shape,
) -> CubeTensor {
    let of_gates = empty(&record, shape.clone());
    let sizes = Sizes::of(&shape, 4);
    gru_backward_kernel::launch(
        &record.client.clone(),
        sizes.count(),
        sizes.threads(),
        into_contiguous(recurrent).into_tensor_arg(),
        into_contiguous(record).into_tensor_arg(),
        into_contiguous(gradients).into_tensor_arg(),
        of_gates.clone().into_tensor_arg(),
        sizes.rows as u32,
        sizes.hidden,
    );
    of_gates
}

fn empty(like: &CubeTensor, shape: Shape) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape, DType::F32)
}

/// What the kernels are launched by.
struct Sizes {
    groups: usize,
    rows: usize,
    hidden: usize,
}

impl Sizes {
    /// Of a tensor `[steps, groups, rows, parts * hidden]`.
    fn of(shape: &Shape, parts: usize) -> Self {
        let [_, groups, rows, width] = shape.dims();
        Self { groups, rows, hidden: width / parts }
    }

    fn count(&self) -> CubeCount {
        CubeCount::Static((self.groups * self.rows) as u32, 1, 1)
    }

    fn threads(&self) -> CubeDim {
        CubeDim::new_1d(self.hidden as u32)
    }
}

/// `[steps, G, rows, 3H]`, `[G, H, 3H]` and `[G, 3H]` to `[steps, G, rows, 5H]`.
#[cube(launch)]
fn gru_forward_kernel(
    inputs: &Tensor<f32>,
    recurrent: &Tensor<f32>,
    bias: &Tensor<f32>,
    record: &mut Tensor<f32>,
    rows: u32,
    #[comptime] hidden: usize,
) {
    let row = CUBE_POS_X as usize;
    let unit = UNIT_POS_X as usize;
    let group = row / rows as usize;
    let steps = inputs.shape(0);
    let sequences = inputs.shape(1) * inputs.shape(2);

    let mut weights = Array::<f32>::new(3 * hidden);
    #[unroll]
    for k in 0..hidden {
        let at = (group * hidden + k) * 3 * hidden + unit;
        weights[3 * k] = recurrent[at];
        weights[3 * k + 1] = recurrent[at + hidden];
        weights[3 * k + 2] = recurrent[at + 2 * hidden];
    }
    let bias_at = group * 3 * hidden + unit;
    let bias_reset = bias[bias_at];
    let bias_update = bias[bias_at + hidden];
    let bias_candidate = bias[bias_at + 2 * hidden];

    let mut states = Shared::<[f32]>::new_slice(2 * hidden);
    let mut state = 0.0f32;
    states[unit] = state;
    sync_cube();

    for step in 0..steps {
        let last = step % 2 * hidden;
        let mut of_reset = bias_reset;
        let mut of_update = bias_update;
        let mut of_candidate = bias_candidate;
        #[unroll]
        for k in 0..hidden {
            let value = states[last + k];
            of_reset += value * weights[3 * k];
            of_update += value * weights[3 * k + 1];
            of_candidate += value * weights[3 * k + 2];
        }
        let at = step * sequences + row;
        let input = at * 3 * hidden + unit;
        let reset = sigmoid(inputs[input] + of_reset);
        let update = sigmoid(inputs[input + hidden] + of_update);
        let candidate = (inputs[input + 2 * hidden] + reset * of_candidate).tanh();
        state = candidate + update * (state - candidate);
        states[hidden - last + unit] = state;

        let output = at * 5 * hidden + unit;
        record[output] = state;
        record[output + hidden] = reset;
        record[output + 2 * hidden] = update;
        record[output + 3 * hidden] = candidate;
        record[output + 4 * hidden] = of_candidate;
        sync_cube();
    }
}

/// `[G, H, 3H]` and twice `[steps, G, rows, 5H]` to `[steps, G, rows, 4H]`.
#[cube(launch)]
fn gru_backward_kernel(
    recurrent: &Tensor<f32>,
    record: &Tensor<f32>,
    gradients: &Tensor<f32>,
    of_gates: &mut Tensor<f32>,
    rows: u32,
    #[comptime] hidden: usize,
) {
    let row = CUBE_POS_X as usize;
    let unit = UNIT_POS_X as usize;
    let group = row / rows as usize;
    let steps = record.shape(0);
    let sequences = record.shape(1) * record.shape(2);

    let mut weights = Array::<f32>::new(3 * hidden);
    #[unroll]
    for k in 0..3 * hidden {
        weights[k] = recurrent[(group * hidden + unit) * 3 * hidden + k];
    }

    let mut shared = Shared::<[f32]>::new_slice(6 * hidden);
    // The gradient of a step's state by way of the next step.
    let mut carried = 0.0f32;
    for back in 0..steps {
        let step = steps - 1 - back;
        let at = step * sequences + row;
        let recorded = at * 5 * hidden + unit;
        let reset = record[recorded + hidden];
        let update = record[recorded + 2 * hidden];
        let candidate = record[recorded + 3 * hidden];
        let taken = record[recorded + 4 * hidden];
        let mut before = 0.0f32;
        if step > 0 {
            before = record[recorded - sequences * 5 * hidden];
        }

        let of_state = gradients[recorded] + carried;
        let of_candidate = of_state * (1.0 - update) * (1.0 - candidate * candidate);
        let of_update = of_state * (before - candidate) * update * (1.0 - update);
        let of_reset = of_candidate * taken * reset * (1.0 - reset);
        let of_taken = of_candidate * reset;
        let output = at * 4 * hidden + unit;
        of_gates[output] = of_reset;
        of_gates[output + hidden] = of_update;
        of_gates[output + 2 * hidden] = of_candidate;
        of_gates[output + 3 * hidden] = of_taken;

        let first = back % 2 * 3 * hidden;
        shared[first + unit] = of_reset;
        shared[first + hidden + unit] = of_update;
        shared[first + 2 * hidden + unit] = of_taken;
        sync_cube();
        carried = of_state * update;
        #[unroll]
        for k in 0..3 * hidden {
            carried += weights[k] * shared[first + k];
        }
    }
}

#[cube]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
