//! The fused operations as nodes of the graph that gradients flow back through.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::convolution::{self, Sizes, rows_of};
use super::host::{contiguous, numbers, tensor};
use super::layer::{Kept, Plan};
use super::operation::Work;
use super::parameters::{COUNT, Parameters};

type Tracked = FloatTensor<Autodiff<Flex>>;

/// An encoder layer's output, with `tokens` and `parameters` as parents.
pub fn layer(plan: Plan, tokens: Tracked, parameters: Parameters<Tracked>) -> Tracked {
    let mut guards = vec![tokens.node()];
    guards.extend(parameters.each_ref().into_array().map(Tracked::node));
    let guards: [_; COUNT + 1] = guards.try_into().expect("one and all parameters");
    let parameters = parameters.map(Tracked::into_primitive);
    let work = Work::new(&plan, tokens.into_primitive(), parameters);
    match LayerBackward.prepare::<NoCheckpointing>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let rows = work.rows();
            let mut kept = Kept::<()>::widths(&plan).map(|width| vec![0f32; rows * width]);
            let output = work.forward(Some(&mut kept));
            let output = work.tensor(output);
            let (tokens, parameters) = (work.tokens, work.parameters);
            prepared.finish(Arc::new(State { plan, tokens, parameters, kept }), output)
        }
        OpsKind::UnTracked(prepared) => {
            let output = work.forward(None);
            prepared.finish(work.tensor(output))
        }
    }
}

/// What the backward pass needs.
struct State {
    plan: Plan,
    tokens: FlexTensor,
    parameters: Parameters<FlexTensor>,
    kept: [Vec<f32>; 5],
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("plan", &self.plan).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct LayerBackward;

impl Backward<Flex, { COUNT + 1 }> for LayerBackward {
    type State = Arc<State>;

    fn backward(
        self,
        ops: Ops<Self::State, { COUNT + 1 }>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = contiguous(grads.consume::<Flex>(&ops.node));
        let State { plan, tokens, parameters, kept } = &*ops.state;
        let work = Work { plan, tokens: tokens.clone(), parameters: parameters.clone() };
        let (d_tokens, d_parameters) = work.backward(numbers(&gradient), kept);
        let mut values = vec![work.tensor(d_tokens)];
        let shapes = parameters.clone().into_array().map(|tensor| tensor.shape());
        values.extend(d_parameters.into_array().into_iter().zip(shapes).map(|(v, s)| tensor(v, s)));
        for (parent, value) in ops.parents.into_iter().zip(values) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, value);
            }
        }
    }
}

/// A convolution's output, with the map and the weight as parents; `None` where the map is not on
/// the CPU's autodiff device.
pub fn convolve(sizes: Sizes, map: &Tensor<4>, weight: &Tensor<4>) -> Option<Tensor<4>> {
    let input = map.clone().try_into_primitive::<Autodiff<Flex>>().ok()?;
    let rows = rows_of(weight.clone());
    let rows = rows.try_into_primitive::<Autodiff<Flex>>().expect("weights on their device");
    let guards = [input.node(), rows.node()];
    let work = convolution::Work::new(sizes, input.into_primitive(), rows.into_primitive());
    let output = work.forward(None);
    let prepared = ConvolutionBackward.prepare::<NoCheckpointing>(guards);
    let output = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(Arc::new(work), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(output))
}

#[derive(Debug)]
struct ConvolutionBackward;

impl Backward<Flex, 2> for ConvolutionBackward {
    type State = Arc<convolution::Work>;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = contiguous(grads.consume::<Flex>(&ops.node));
        let work = &ops.state;
        let [input, weight] = &ops.parents;
        let (d_input, d_weight) = work.backward(numbers(&gradient), input.is_some());
        if let Some(input) = input {
            grads.register::<Flex>(input.id, tensor(d_input, work.input.shape()));
        }
        if let Some(weight) = weight {
            grads.register::<Flex>(weight.id, tensor(d_weight, work.weight.shape()));
        }
    }
}
