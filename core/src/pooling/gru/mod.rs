//! The BiGRU of the pooling: both directions of one recurrent layer.
//!
//! Three ways, one result. On the CPU one direction follows the other. Elsewhere each operation has to be launched, and
//! a sequence of 257 positions is thousands of them: there all steps of both directions are one kernel
//! ([`operation`]), or, where no kernel of our own can run, half as many operations.

#[cfg(feature = "kernels")]
mod kernels;
#[cfg(feature = "kernels")]
mod operation;

use burn::module::Param;
#[cfg(feature = "kernels")]
use burn::tensor::DType;
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use crate::is_cpu;

/// A weight `[3H, ..]` and its bias `[3H]`, gate order r, z, n.
pub(super) type Projection<'a> = (&'a Param<Tensor<2>>, &'a Param<Tensor<1>>);

/// What one direction multiplies its inputs and its state by.
#[derive(Clone, Copy)]
pub(super) struct Direction<'a> {
    /// `[3H, P]`.
    pub inputs: Projection<'a>,
    /// `[3H, H]`.
    pub state: Projection<'a>,
}

/// The states of both directions, each over its own inputs: `[steps, 1, P]` and `[steps, rows, P] -> [steps, 1 or
/// rows, H]` and `[steps, rows, H]`.
pub(super) fn states(directions: [Direction; 2], inputs: [Tensor<3>; 2]) -> [Tensor<3>; 2] {
    if is_cpu(&inputs[0].device()) {
        return each(directions, inputs);
    }
    #[cfg(feature = "kernels")]
    if inputs[0].dtype() == DType::F32 && operation::fits(directions[0].state.0.dims()[1]) {
        return at_once(directions, inputs);
    }
    together(directions, inputs)
}

/// One direction after the other.
pub(super) fn each(directions: [Direction; 2], inputs: [Tensor<3>; 2]) -> [Tensor<3>; 2] {
    let mut inputs = inputs.into_iter();
    directions.map(|direction| {
        let inputs = inputs.next().expect("as many as directions");
        let [steps, rows, _] = inputs.dims();
        let from_inputs = project(inputs, direction.inputs);
        let recurrent = direction.state.0.val().transpose();
        let bias = direction.state.1.val().unsqueeze::<2>();
        let mut state = Tensor::<2>::zeros([rows, recurrent.dims()[0]], &from_inputs.device());
        let mut states = Vec::with_capacity(steps);
        for step in 0..steps {
            let input = from_inputs.clone().narrow(0, step, 1).squeeze_dim::<2>(0);
            let from_state = state.clone().matmul(recurrent.clone()) + bias.clone();
            state = cell(input, from_state, state);
            states.push(state.clone());
        }
        Tensor::stack(states, 0)
    })
}

/// Both directions in the same operations, with as many rows forwards as backwards.
pub(super) fn together(directions: [Direction; 2], inputs: [Tensor<3>; 2]) -> [Tensor<3>; 2] {
    let Joined { from_inputs, recurrent, bias } = Joined::of(directions, inputs);
    let [steps, _, rows, _] = from_inputs.dims();
    let bias = bias.unsqueeze_dim::<3>(1);
    let shape = [2, rows, recurrent.dims()[1]];
    let mut state = Tensor::<3>::zeros(shape, &from_inputs.device());
    let mut states = Vec::with_capacity(steps);
    for step in 0..steps {
        let input = from_inputs.clone().narrow(0, step, 1).squeeze_dim::<3>(0);
        let from_state = state.clone().matmul(recurrent.clone()) + bias.clone();
        state = cell(input, from_state, state);
        states.push(state.clone());
    }
    parted(Tensor::stack::<4>(states, 0))
}

/// All steps of both directions in one kernel, and in one more backwards.
#[cfg(feature = "kernels")]
fn at_once(directions: [Direction; 2], inputs: [Tensor<3>; 2]) -> [Tensor<3>; 2] {
    let Joined { from_inputs, recurrent, bias } = Joined::of(directions, inputs);
    parted(operation::states(from_inputs, recurrent, bias))
}

/// Both directions in one tensor each.
struct Joined {
    /// `[steps, 2, rows, 3H]`.
    from_inputs: Tensor<4>,
    /// `[2, H, 3H]`.
    recurrent: Tensor<3>,
    /// `[2, 3H]`.
    bias: Tensor<2>,
}

impl Joined {
    fn of(directions: [Direction; 2], [forward, backward]: [Tensor<3>; 2]) -> Self {
        let [steps, rows, _] = backward.dims();
        let forward = project(forward, directions[0].inputs);
        let width = forward.dims()[2];
        let forward = forward.expand([steps, rows, width]);
        let backward = project(backward, directions[1].inputs);
        let recurrent = directions.map(|direction| direction.state.0.val().transpose());
        let bias = directions.map(|direction| direction.state.1.val());
        Self {
            from_inputs: Tensor::stack(vec![forward, backward], 1),
            recurrent: Tensor::stack(recurrent.to_vec(), 0),
            bias: Tensor::stack(bias.to_vec(), 0),
        }
    }
}

/// `[steps, 2, rows, H]` into `[steps, rows, H]` of each direction.
fn parted(states: Tensor<4>) -> [Tensor<3>; 2] {
    [0, 1].map(|direction| states.clone().narrow(1, direction, 1).squeeze_dim(1))
}

/// A GRU's inputs `[steps, rows, P] -> [steps, rows, 3H]`.
fn project(inputs: Tensor<3>, (weight, bias): Projection) -> Tensor<3> {
    let width = bias.dims()[0];
    inputs.matmul(weight.val().transpose().unsqueeze()) + bias.val().reshape([1, 1, width])
}

/// A step of a GRU: what comes of the input and of the state, `[.., 3H]`, and the state `[.., H]`.
fn cell<const D: usize>(input: Tensor<D>, from_state: Tensor<D>, state: Tensor<D>) -> Tensor<D> {
    let (last, hidden) = (D - 1, state.dims()[D - 1]);
    let gates = sigmoid(
        input.clone().narrow(last, 0, 2 * hidden) + from_state.clone().narrow(last, 0, 2 * hidden),
    );
    let reset = gates.clone().narrow(last, 0, hidden);
    let update = gates.narrow(last, hidden, hidden);
    let candidate = (input.narrow(last, 2 * hidden, hidden)
        + reset * from_state.narrow(last, 2 * hidden, hidden))
    .tanh();
    // (1 - z) n + z h
    candidate.clone() + update * (state - candidate)
}
