//! The fused layer as an operation of Burn: splitting the batch, threads, the graph.

use std::ops::Range;
use std::sync::Arc;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::host::{Cutter, contiguous, for_each, numbers, tensor, threads};
use super::layer::{Kept, Layer, Plan};
use super::parameters::{COUNT, Parameters};

type Tracked = FloatTensor<Autodiff<Flex>>;

/// Rows that go through the layer together: they should stay in a core's cache.
const ROWS: usize = 384;

/// Output alone.
pub fn untracked(plan: &Plan, tokens: FlexTensor, parameters: [FlexTensor; COUNT]) -> FlexTensor {
    let work = Work::new(plan, tokens, parameters);
    let output = work.forward(None);
    work.tensor(output)
}

/// Output as a node of the graph, with `tokens` and `parameters` as parents.
pub fn tracked(plan: Plan, tokens: Tracked, parameters: [Tracked; COUNT]) -> Tracked {
    let mut guards = vec![tokens.node()];
    guards.extend(parameters.iter().map(Tracked::node));
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

/// One layer on one batch.
struct Work<'a> {
    plan: &'a Plan,
    tokens: FlexTensor,
    parameters: Parameters<FlexTensor>,
}

impl<'a> Work<'a> {
    fn new(plan: &'a Plan, tokens: FlexTensor, parameters: [FlexTensor; COUNT]) -> Self {
        let parameters = Parameters::from_array(parameters).map(contiguous);
        Self { plan, tokens: contiguous(tokens), parameters }
    }

    fn layer(&self) -> Layer<'_> {
        Layer { plan: self.plan, parameters: self.parameters.each_ref().map(numbers) }
    }

    fn rows(&self) -> usize {
        numbers(&self.tokens).len() / self.plan.width
    }

    fn tensor(&self, values: Vec<f32>) -> FlexTensor {
        tensor(values, self.tokens.shape())
    }

    /// Sequences that go through the layer together.
    fn at_once(&self) -> usize {
        (ROWS / self.plan.length.max(1)).max(1)
    }

    /// Ranges of `0..count` of at most `size`.
    fn pieces(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
        let end = range.end;
        range.step_by(size).map(move |start| start..(start + size).min(end))
    }

    fn forward(&self, kept: Option<&mut [Vec<f32>; 5]>) -> Vec<f32> {
        let (plan, layer) = (self.plan, self.layer());
        let input = numbers(&self.tokens);
        let mut output = vec![0f32; input.len()];
        let sequence = plan.length * plan.width;
        let widths = Kept::<()>::widths(plan);
        let mut outputs = Cutter(&mut output);
        let mut keepers = kept.map(|kept| kept.each_mut().map(|part| Cutter(part)));
        let pieces: Vec<_> = Self::pieces(0..input.len() / sequence.max(1), self.at_once())
            .map(|range| {
                let rows = range.len() * plan.length;
                let mut at = 0;
                let kept = keepers.as_mut().map(|keepers| {
                    keepers.each_mut().map(|keeper| {
                        at += 1;
                        keeper.cut(rows * widths[at - 1])
                    })
                });
                (range.clone(), outputs.cut(range.len() * sequence), kept)
            })
            .collect();
        for_each(pieces, |(range, output, kept)| {
            let input = &input[range.start * sequence..range.end * sequence];
            let rows = range.len() * plan.length;
            match kept {
                Some(kept) => layer.forward(range.start, input, output, Kept::from_array(kept)),
                None => {
                    let mut room = widths.map(|width| vec![0f32; rows * width]);
                    let room = room.each_mut().map(Vec::as_mut_slice);
                    layer.forward(range.start, input, output, Kept::from_array(room));
                }
            }
        });
        output
    }

    /// One share of the batch for each thread, whose parameter gradients are added in
    /// order: with the same number of threads the sums are the same, bit for bit.
    fn backward(&self, gradient: &[f32], kept: &[Vec<f32>; 5]) -> (Vec<f32>, Parameters<Vec<f32>>) {
        let (plan, layer) = (self.plan, self.layer());
        let input = numbers(&self.tokens);
        let sequence = plan.length * plan.width;
        let mut d_input = gradient.to_vec();
        let count = input.len() / sequence.max(1);
        let zeros = || layer.parameters.map(|values| vec![0f32; values.len()]);
        let mut cutter = Cutter(&mut d_input);
        let mut sums = vec![];
        sums.resize_with(threads().min(count.max(1)), zeros);
        let shares: Vec<_> = Self::pieces(0..count, count.div_ceil(sums.len()).max(1))
            .map(|range| (range.clone(), cutter.cut(range.len() * sequence)))
            .zip(&mut sums)
            .collect();
        let widths = Kept::<()>::widths(plan);
        for_each(shares, |((share, d_share), sum)| {
            let mut cutter = Cutter(d_share);
            for range in Self::pieces(share, self.at_once()) {
                let of = |part: usize| {
                    let size = plan.length * widths[part];
                    &kept[part][range.start * size..range.end * size]
                };
                layer.backward(
                    range.start,
                    &input[range.start * sequence..range.end * sequence],
                    &Kept::from_array([of(0), of(1), of(2), of(3), of(4)]),
                    cutter.cut(range.len() * sequence),
                    sum,
                );
            }
        });
        let total = sums.into_iter().reduce(|total, part| {
            let mut parts = part.into_array().into_iter();
            total.map(|mut sum| {
                let part = parts.next().expect("as many parameters");
                super::elementwise::add(&part, &mut sum);
                sum
            })
        });
        (d_input, total.unwrap_or_else(zeros))
    }
}
