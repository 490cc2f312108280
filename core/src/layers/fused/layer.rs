//! One encoder layer on some consecutive sequences: every part of it while the rows are
//! still in the cache, into memory that is allocated once.

use super::attention::Heads;
use super::dropout::Mask;
use super::elementwise::{NormBackward, activate, activate_backward, add, norm, vectorised};
use super::matrix::{Matrix, MatrixMut};
use super::parameters::{Pair, Parameters};
use crate::config::Activation;

/// Where the layer norms stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormPlacement {
    /// Before attention and feed-forward part (ViT).
    Before,
    /// After the residual sums (BERT).
    After,
}

/// What a layer does, apart from its parameters.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Tokens T of every sequence.
    pub length: usize,
    /// Token width D.
    pub width: usize,
    /// Inner width F of the feed-forward part.
    pub inner: usize,
    /// Attention heads.
    pub heads: usize,
    /// Where the norms stand.
    pub placement: NormPlacement,
    /// Between the linear layers of the feed-forward part.
    pub activation: Activation,
    /// Epsilon of both norms.
    pub epsilon: f32,
    /// Real tokens of every sequence; `None`: all T.
    pub lengths: Option<Vec<usize>>,
    /// Dropout of the attention weights.
    pub attention_dropout: Option<Mask>,
    /// Dropout of what attention adds.
    pub attended_dropout: Option<Mask>,
    /// Dropout of what the feed-forward part adds.
    pub fed_dropout: Option<Mask>,
}

/// What the forward pass leaves for the backward pass, of R rows.
pub struct Kept<T> {
    /// `[R, 3 D]`.
    pub qkv: T,
    /// `[R, D]`, attention before its output layer.
    pub context: T,
    /// `[R, D]`, input plus attention.
    pub middle: T,
    /// `[R, F]`, before the activation.
    pub inner: T,
    /// `[R, D]`, before the last norm; empty when norms stand before.
    pub last: T,
}

impl<T> Kept<T> {
    /// Numbers a row takes in each part, in order.
    pub fn widths(plan: &Plan) -> [usize; 5] {
        let last = if plan.placement == NormPlacement::After { plan.width } else { 0 };
        [3 * plan.width, plan.width, plan.width, plan.inner, last]
    }

    /// From the order of [`Self::widths`].
    pub fn from_array([qkv, context, middle, inner, last]: [T; 5]) -> Self {
        Self { qkv, context, middle, inner, last }
    }
}

/// A layer's parameters with what it does.
pub struct Layer<'a> {
    /// What it does.
    pub plan: &'a Plan,
    /// Its parameters.
    pub parameters: Parameters<&'a [f32]>,
}

fn linear(layer: Pair<&[f32]>, input: &[f32], mut output: MatrixMut<'_>) {
    let (inputs, outputs) = (layer.weight.len() / layer.bias.len(), layer.bias.len());
    output.fill_rows(layer.bias);
    output.add_product(Matrix::new(input, inputs), Matrix::new(layer.weight, outputs));
}

/// Adds to the gradients of a linear layer.
fn linear_parameters(d_output: Matrix<'_>, input: &[f32], gradient: &mut Pair<Vec<f32>>) {
    let (inputs, outputs) = (gradient.weight.len() / gradient.bias.len(), gradient.bias.len());
    d_output.add_rows_to(&mut gradient.bias);
    MatrixMut::new(&mut gradient.weight, outputs)
        .add_product(Matrix::new(input, inputs).transposed(), d_output);
}

impl Layer<'_> {
    fn norm_of(&self, pair: Pair<&[f32]>, input: &[f32], output: &mut [f32]) {
        norm(input, [pair.weight, pair.bias], self.plan.epsilon, output);
    }

    fn heads(&self, sequence: usize) -> Heads {
        let plan = self.plan;
        let start = sequence * plan.heads * plan.length * plan.length;
        Heads {
            width: plan.width,
            count: plan.heads,
            length: plan.length,
            keys: plan.lengths.as_ref().map_or(plan.length, |lengths| lengths[sequence]),
            dropout: plan.attention_dropout.map(|mask| (mask, start)),
        }
    }

    /// `[R, D] -> [R, D]` of the sequences from `first` on.
    pub fn forward(&self, first: usize, input: &[f32], output: &mut [f32], kept: Kept<&mut [f32]>) {
        let (plan, p) = (self.plan, &self.parameters);
        let (width, before) = (plan.width, plan.placement == NormPlacement::Before);
        let start = first * plan.length * width;
        let mut room = vec![0f32; input.len().max(kept.inner.len())];

        let normed = &mut room[..input.len()];
        let source = if before {
            self.norm_of(p.norm1, input, normed);
            normed
        } else {
            input
        };
        for (part, layer) in [p.query, p.key, p.value].into_iter().enumerate() {
            let rows = input.len() / width;
            let out = MatrixMut::part(&mut kept.qkv[part * width..], rows, width, 3 * width);
            linear(layer, source, out);
        }
        let mut weights = vec![0f32; plan.length * plan.length];
        let sequences = kept
            .qkv
            .chunks_exact(plan.length * 3 * width)
            .zip(kept.context.chunks_exact_mut(plan.length * width));
        for (at, (qkv, context)) in sequences.enumerate() {
            self.heads(first + at).forward(qkv, context, &mut weights);
        }
        linear(p.output, kept.context, MatrixMut::new(kept.middle, width));
        finish_branch(plan.attended_dropout, start, input, kept.middle);

        let source = &mut room[..input.len()];
        if before {
            self.norm_of(p.norm2, kept.middle, source);
        } else {
            self.norm_of(p.norm1, kept.middle, source);
        }
        linear(p.expand, source, MatrixMut::new(kept.inner, plan.inner));
        let (residual, sum) = if before {
            (&*kept.middle, &mut *output)
        } else {
            // The feed-forward part adds to the normed sum, which `output` holds meanwhile.
            output.copy_from_slice(source);
            (&*output, &mut *kept.last)
        };
        activate(plan.activation, kept.inner, &mut room);
        linear(p.contract, &room[..kept.inner.len()], MatrixMut::new(sum, width));
        finish_branch(plan.fed_dropout, start, residual, sum);
        if !before {
            self.norm_of(p.norm2, kept.last, output);
        }
    }

    /// The gradient of the output -> that of the input, of the sequences from `first` on;
    /// adds to the parameters' `gradients`.
    pub fn backward(
        &self,
        first: usize,
        input: &[f32],
        kept: &Kept<&[f32]>,
        gradient: &mut [f32],
        gradients: &mut Parameters<Vec<f32>>,
    ) {
        let (plan, p) = (self.plan, &self.parameters);
        let (width, before) = (plan.width, plan.placement == NormPlacement::Before);
        let start = first * plan.length * width;
        let rows = input.len() / width;
        let mut small = vec![0f32; input.len()];
        let mut branch = vec![0f32; input.len()];
        let mut large = vec![0f32; kept.inner.len()];
        let mut d_inner = vec![0f32; kept.inner.len()];

        if !before {
            let inner = (kept.last, p.norm2.weight);
            self.norm_backward(inner, gradient, &mut gradients.norm2);
        }
        branch.copy_from_slice(gradient);
        if let Some(mask) = plan.fed_dropout {
            mask.apply(&mut branch, start);
        }
        activate(plan.activation, kept.inner, &mut large);
        linear_parameters(Matrix::new(&branch, width), &large, &mut gradients.contract);
        MatrixMut::new(&mut d_inner, plan.inner).set_product(
            1.0,
            Matrix::new(&branch, width),
            Matrix::new(p.contract.weight, width).transposed(),
        );
        activate_backward(plan.activation, kept.inner, &mut d_inner);
        let norm = if before { p.norm2 } else { p.norm1 };
        self.norm_of(norm, kept.middle, &mut small);
        linear_parameters(Matrix::new(&d_inner, plan.inner), &small, &mut gradients.expand);
        let to_expand = Matrix::new(p.expand.weight, plan.inner).transposed();
        if before {
            MatrixMut::new(&mut branch, width).set_product(
                1.0,
                Matrix::new(&d_inner, plan.inner),
                to_expand,
            );
            let inner = (kept.middle, p.norm2.weight);
            self.norm_backward(inner, &mut branch, &mut gradients.norm2);
            vectorised(|| add(&branch, gradient));
        } else {
            MatrixMut::new(gradient, width)
                .add_product(Matrix::new(&d_inner, plan.inner), to_expand);
            let inner = (kept.middle, p.norm1.weight);
            self.norm_backward(inner, gradient, &mut gradients.norm1);
        }

        // `gradient` is now that of the sum of input and attention.
        branch.copy_from_slice(gradient);
        if let Some(mask) = plan.attended_dropout {
            mask.apply(&mut branch, start);
        }
        linear_parameters(Matrix::new(&branch, width), kept.context, &mut gradients.output);
        MatrixMut::new(&mut small, width).set_product(
            1.0,
            Matrix::new(&branch, width),
            Matrix::new(p.output.weight, width).transposed(),
        );
        let mut d_qkv = vec![0f32; kept.qkv.len()];
        let mut room = vec![0f32; 3 * plan.length * plan.length];
        let sequences = kept
            .qkv
            .chunks_exact(plan.length * 3 * width)
            .zip(small.chunks_exact(plan.length * width))
            .zip(d_qkv.chunks_exact_mut(plan.length * 3 * width));
        for (at, ((qkv, d_context), d_qkv)) in sequences.enumerate() {
            self.heads(first + at).backward(qkv, d_context, d_qkv, &mut room);
        }
        let source = if before {
            self.norm_of(p.norm1, input, &mut small);
            &small
        } else {
            input
        };
        branch.fill(0.0);
        let parts = [
            (p.query, &mut gradients.query),
            (p.key, &mut gradients.key),
            (p.value, &mut gradients.value),
        ];
        for (part, (layer, layer_gradient)) in parts.into_iter().enumerate() {
            let d_part = Matrix::part(&d_qkv[part * width..], rows, width, 3 * width);
            linear_parameters(d_part, source, layer_gradient);
            MatrixMut::new(&mut branch, width)
                .add_product(d_part, Matrix::new(layer.weight, width).transposed());
        }
        if before {
            let inner = (input, p.norm1.weight);
            self.norm_backward(inner, &mut branch, &mut gradients.norm1);
        }
        vectorised(|| add(&branch, gradient));
    }

    fn norm_backward(
        &self,
        (input, gamma): (&[f32], &[f32]),
        gradient: &mut [f32],
        parameters: &mut Pair<Vec<f32>>,
    ) {
        NormBackward { input, gamma, epsilon: self.plan.epsilon }
            .run(gradient, [&mut parameters.weight, &mut parameters.bias]);
    }
}

/// `branch = residual + dropout(branch)`.
fn finish_branch(mask: Option<Mask>, start: usize, residual: &[f32], branch: &mut [f32]) {
    if let Some(mask) = mask {
        mask.apply(branch, start);
    }
    vectorised(|| add(residual, branch));
}
