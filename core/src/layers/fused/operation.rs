//! The fused layer on a whole batch: splitting it, threads.

use std::ops::Range;

use burn::backend::TensorMetadata;
use burn_flex::FlexTensor;

use super::host::{Cutter, contiguous, for_each, numbers, tensor, threads};
use super::layer::{Kept, Layer, Plan};
use super::parameters::Parameters;

/// Rows that go through the layer together: they should stay in a core's cache.
const ROWS: usize = 384;

/// Output alone.
pub fn untracked(
    plan: &Plan,
    tokens: FlexTensor,
    parameters: Parameters<FlexTensor>,
) -> FlexTensor {
    let work = Work::new(plan, tokens, parameters);
    let output = work.forward(None);
    work.tensor(output)
}

/// One layer on one batch.
pub(super) struct Work<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tokens: FlexTensor,
    pub(super) parameters: Parameters<FlexTensor>,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        tokens: FlexTensor,
        parameters: Parameters<FlexTensor>,
    ) -> Self {
        let parameters = parameters.map(contiguous);
        Self { plan, tokens: contiguous(tokens), parameters }
    }

    fn layer(&self) -> Layer<'_> {
        Layer { plan: self.plan, parameters: self.parameters.each_ref().map(numbers) }
    }

    pub(super) fn rows(&self) -> usize {
        numbers(&self.tokens).len() / self.plan.width
    }

    pub(super) fn tensor(&self, values: Vec<f32>) -> FlexTensor {
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

    pub(super) fn forward(&self, kept: Option<&mut [Vec<f32>; 5]>) -> Vec<f32> {
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
    pub(super) fn backward(
        &self,
        gradient: &[f32],
        kept: &[Vec<f32>; 5],
    ) -> (Vec<f32>, Parameters<Vec<f32>>) {
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
