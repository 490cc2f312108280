//! The BiGRU of the pooling: both directions of one recurrent layer.
//!
//! Written in Burn's operations, each position is several of them. The CPU begins them at no cost; a GPU has to launch each,
//! thousands for the 205 positions of an image. There all positions of both directions are one kernel, forwards and
//! backwards ([`operation`]).

#[cfg(feature = "kernels")]
mod kernels;
#[cfg(feature = "kernels")]
mod operation;

use burn::module::Param;
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

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
    #[cfg(feature = "kernels")]
    if operation::fits(&inputs[0], directions[0].state.0.dims()[1]) {
        return at_once(directions, inputs);
    }
    let [one, other] = directions;
    let [forward, backward] = inputs;
    [step_by_step(one, forward), step_by_step(other, backward)]
}

/// The states `[steps, rows, H]` of one direction over its inputs `[steps, rows, P]`.
fn step_by_step(direction: Direction, inputs: Tensor<3>) -> Tensor<3> {
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
}

/// All steps of both directions in one kernel, with as many rows forwards as backwards.
#[cfg(feature = "kernels")]
fn at_once(directions: [Direction; 2], [forward, backward]: [Tensor<3>; 2]) -> [Tensor<3>; 2] {
    let [steps, rows, _] = backward.dims();
    let forward = project(forward, directions[0].inputs);
    let width = forward.dims()[2];
    let forward = forward.expand([steps, rows, width]);
    let backward = project(backward, directions[1].inputs);
    let recurrent = directions.map(|direction| direction.state.0.val().transpose());
    let bias = directions.map(|direction| direction.state.1.val());
    let states = operation::states(
        Tensor::stack(vec![forward, backward], 1),
        Tensor::stack(recurrent.to_vec(), 0),
        Tensor::stack(bias.to_vec(), 0),
    );
    [0, 1].map(|direction| states.clone().narrow(1, direction, 1).squeeze_dim(1))
}

/// A GRU's inputs `[steps, rows, P] -> [steps, rows, 3H]`.
fn project(inputs: Tensor<3>, (weight, bias): Projection) -> Tensor<3> {
    let width = bias.dims()[0];
    inputs.matmul(weight.val().transpose().unsqueeze()) + bias.val().reshape([1, 1, width])
}

/// A step of a GRU: what comes of the input and of the state, `[rows, 3H]`, and the state `[rows, H]`.
fn cell(input: Tensor<2>, from_state: Tensor<2>, state: Tensor<2>) -> Tensor<2> {
    let hidden = state.dims()[1];
    let gates = sigmoid(
        input.clone().narrow(1, 0, 2 * hidden) + from_state.clone().narrow(1, 0, 2 * hidden),
    );
    let reset = gates.clone().narrow(1, 0, hidden);
    let update = gates.narrow(1, hidden, hidden);
    let candidate = (input.narrow(1, 2 * hidden, hidden)
        + reset * from_state.narrow(1, 2 * hidden, hidden))
    .tanh();
    // (1 - z) n + z h
    candidate.clone() + update * (state - candidate)
}
