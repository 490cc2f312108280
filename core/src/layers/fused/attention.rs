//! Attention of one sequence, forward and backward.

use super::dropout::Mask;
use super::elementwise::{softmax, softmax_backward};
use super::matrix::{Matrix, MatrixMut};

/// The heads of one sequence.
pub struct Heads {
    /// Token width D.
    pub width: usize,
    /// Number of heads.
    pub count: usize,
    /// Tokens T of the sequence.
    pub length: usize,
    /// The first tokens that are real; the others are no keys.
    pub keys: usize,
    /// Dropout of the weights, and where the sequence begins in its stream.
    pub dropout: Option<(Mask, usize)>,
}

impl Heads {
    fn size(&self) -> usize {
        self.width / self.count
    }

    fn scale(&self) -> f32 {
        1.0 / (self.size() as f32).sqrt()
    }

    /// The part of `[T, 3 D]` queries, keys and values that belongs to one head.
    fn of<'a>(&self, qkv: &'a [f32], part: usize, head: usize) -> Matrix<'a> {
        let start = part * self.width + head * self.size();
        Matrix::part(&qkv[start..], self.length, self.size(), 3 * self.width)
    }

    fn of_mut<'a>(&self, qkv: &'a mut [f32], part: usize, head: usize) -> MatrixMut<'a> {
        let start = part * self.width + head * self.size();
        MatrixMut::part(&mut qkv[start..], self.length, self.size(), 3 * self.width)
    }

    fn drop(&self, values: &mut [f32], head: usize) {
        if let Some((mask, start)) = self.dropout {
            mask.apply(values, start + head * self.length * self.length);
        }
    }

    /// `weights = softmax(q k^T / sqrt(d))`, `[T, T]`.
    fn weights(&self, qkv: &[f32], head: usize, weights: &mut [f32]) {
        let (queries, keys) = (self.of(qkv, 0, head), self.of(qkv, 1, head).transposed());
        MatrixMut::new(weights, self.length).set_product(self.scale(), queries, keys);
        softmax(weights, self.length, self.keys);
    }

    /// `[T, 3 D]` -> `[T, D]`; `weights` is room for `T * T` numbers.
    pub fn forward(&self, qkv: &[f32], context: &mut [f32], weights: &mut [f32]) {
        for head in 0..self.count {
            self.weights(qkv, head, weights);
            self.drop(weights, head);
            let out = &mut context[head * self.size()..];
            MatrixMut::part(out, self.length, self.size(), self.width).set_product(
                1.0,
                Matrix::new(weights, self.length),
                self.of(qkv, 2, head),
            );
        }
    }

    /// The gradient of `[T, D]` -> that of `[T, 3 D]`; `room` is for `3 * T * T` numbers.
    pub fn backward(&self, qkv: &[f32], d_context: &[f32], d_qkv: &mut [f32], room: &mut [f32]) {
        let area = self.length * self.length;
        let (weights, rest) = room.split_at_mut(area);
        let (dropped, d_weights) = rest.split_at_mut(area);
        for head in 0..self.count {
            self.weights(qkv, head, weights);
            dropped.copy_from_slice(weights);
            self.drop(dropped, head);
            let d_out = &d_context[head * self.size()..];
            let d_out = Matrix::part(d_out, self.length, self.size(), self.width);
            let square = Matrix::new(dropped, self.length);
            self.of_mut(d_qkv, 2, head).set_product(1.0, square.transposed(), d_out);
            let values = self.of(qkv, 2, head).transposed();
            MatrixMut::new(d_weights, self.length).set_product(1.0, d_out, values);
            self.drop(d_weights, head);
            softmax_backward(weights, d_weights, self.length, self.scale());
            let d_scores = Matrix::new(d_weights, self.length);
            self.of_mut(d_qkv, 0, head).set_product(1.0, d_scores, self.of(qkv, 1, head));
            let turned = d_scores.transposed();
            self.of_mut(d_qkv, 1, head).set_product(1.0, turned, self.of(qkv, 0, head));
        }
    }
}
