//! Convolution of maps whose channels lie together, `[B, H, W, C]`.
//!
//! One image at a time becomes a matrix with a row for every output position, which
//! holds the input numbers that it sees (kernel row by kernel row, so that they are copied in long
//! pieces); the rest is a matrix product.

use burn::backend::Flex;
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::elementwise::{add, vectorised};
use super::host::{Cutter, contiguous, for_each, numbers, tensor, threads};
use super::matrix::{Matrix, MatrixMut};

/// What becomes of the numbers of a convolution.
pub(super) struct Then {
    /// `[out]`.
    scale: Vec<f32>,
    /// `[out]`, added afterwards.
    shift: Vec<f32>,
    relu: bool,
}

impl Then {
    pub(super) fn of(norm: &BatchNorm, relu: bool) -> Option<Self> {
        let values = |tensor: Tensor<1>| {
            let tensor = contiguous(tensor.try_into_primitive::<Flex>().ok()?);
            Some(numbers(&tensor).to_vec())
        };
        let (gamma, mut shift) = (values(norm.gamma.val())?, values(norm.beta.val())?);
        let (mean, variance) =
            (values(norm.running_mean.value())?, values(norm.running_var.value())?);
        let epsilon = norm.epsilon as f32;
        let scale: Vec<f32> =
            gamma.iter().zip(&variance).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
        for ((shift, mean), scale) in shift.iter_mut().zip(&mean).zip(&scale) {
            *shift -= mean * scale;
        }
        Some(Self { scale, shift, relu })
    }

    /// Of the convolution's output.
    pub(super) fn channels(&self) -> usize {
        self.scale.len()
    }

    /// `numbers` `[positions, out]`.
    fn apply(&self, numbers: &mut [f32]) {
        let least = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        vectorised(|| {
            for row in numbers.chunks_exact_mut(self.scale.len()) {
                for ((number, scale), shift) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
                    *number = (*number * scale + shift).max(least);
                }
            }
        });
    }
}

/// `[out, C, k, k] -> [out, k * k * C]`: no work when the numbers of a position lie together
/// already, see [`channels_last`](super::channels_last).
pub(super) fn rows_of(weight: Tensor<4>) -> Tensor<2> {
    let [out, channels, kernel, _] = weight.dims();
    weight.permute([0, 2, 3, 1]).reshape([out, kernel * kernel * channels])
}

/// Of one convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    batch: usize,
    input: [usize; 2],
    output: [usize; 2],
    channels: usize,
    kernel: usize,
    stride: usize,
}

impl Sizes {
    pub(super) fn new(
        [batch, height, width, channels]: [usize; 4],
        kernel: usize,
        stride: usize,
    ) -> Self {
        let output = [height.div_ceil(stride), width.div_ceil(stride)];
        Self { batch, input: [height, width], output, channels, kernel, stride }
    }

    /// Calls `visit(into, from, length)` for every piece of the rows of one image that lies
    /// within the map: positions in the rows and in the image.
    fn pieces(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let (k, c, pad) = (self.kernel, self.channels, self.kernel / 2);
        let [height, width] = self.input;
        for y in 0..self.output[0] {
            for x in 0..self.output[1] {
                let row = (y * self.output[1] + x) * k * k * c;
                let left = x * self.stride;
                let (first, last) = (pad.saturating_sub(left), k.min(width + pad - left));
                for ky in 0..k {
                    let Some(iy) = (y * self.stride + ky).checked_sub(pad) else { continue };
                    if iy < height {
                        let from = (iy * width + left + first - pad) * c;
                        visit(row + (ky * k + first) * c, from, (last - first) * c);
                    }
                }
            }
        }
    }

    fn row_length(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }

    fn positions(&self) -> usize {
        self.output[0] * self.output[1]
    }

    fn image(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }
}

/// One convolution of one batch.
#[derive(Debug)]
pub(super) struct Work {
    sizes: Sizes,
    pub(super) input: FlexTensor,
    /// `[out, k * k * C]`.
    pub(super) weight: FlexTensor,
}

impl Work {
    pub(super) fn new(sizes: Sizes, input: FlexTensor, weight: FlexTensor) -> Self {
        Self { sizes, input: contiguous(input), weight: contiguous(weight) }
    }

    fn out(&self) -> usize {
        numbers(&self.weight).len() / self.sizes.row_length()
    }

    /// The rows of image `at`; `rows` holds zeros wherever no image has a number.
    fn rows(&self, at: usize, rows: &mut [f32]) {
        let size = self.sizes.image();
        let image = &numbers(&self.input)[at * size..(at + 1) * size];
        self.sizes.pieces(|into, from, length| {
            rows[into..into + length].copy_from_slice(&image[from..from + length]);
        });
    }

    /// Ranges of images, one for each thread.
    fn shares(&self) -> Vec<std::ops::Range<usize>> {
        let share = self.sizes.batch.div_ceil(threads()).max(1);
        let starts = (0..self.sizes.batch).step_by(share);
        starts.map(|start| start..(start + share).min(self.sizes.batch)).collect()
    }

    pub(super) fn forward(&self, then: Option<&Then>) -> FlexTensor {
        let (sizes, out) = (self.sizes, self.out());
        let size = sizes.positions() * out;
        let mut output = vec![0f32; sizes.batch * size];
        let mut cutter = Cutter(&mut output);
        let shares: Vec<_> = self
            .shares()
            .into_iter()
            .map(|share| (share.clone(), cutter.cut(share.len() * size)))
            .collect();
        for_each(shares, |(share, output)| {
            let mut rows = vec![0f32; sizes.positions() * sizes.row_length()];
            for (at, output) in share.zip(output.chunks_exact_mut(size)) {
                self.rows(at, &mut rows);
                let rows = Matrix::new(&rows, sizes.row_length());
                let weight = Matrix::new(numbers(&self.weight), sizes.row_length());
                MatrixMut::new(output, out).set_product(1.0, rows, weight.transposed());
                if let Some(then) = then {
                    then.apply(output);
                }
            }
        });
        tensor(output, [sizes.batch, sizes.output[0], sizes.output[1], out].into())
    }

    /// Gradients of the input, when it is wanted, and of the weight. The sums are the same, bit
    /// for bit, for the same number of threads.
    pub(super) fn backward(&self, gradient: &[f32], with_input: bool) -> (Vec<f32>, Vec<f32>) {
        let (sizes, out) = (self.sizes, self.out());
        let (size, length) = (sizes.positions() * out, sizes.row_length());
        let image = if with_input { sizes.image() } else { 0 };
        let mut d_input = vec![0f32; sizes.batch * image];
        let mut cutter = Cutter(&mut d_input);
        let shares = self.shares();
        let mut sums: Vec<_> = shares.iter().map(|_| vec![0f32; length * out]).collect();
        let shares: Vec<_> = shares
            .into_iter()
            .map(|share| (share.clone(), cutter.cut(share.len() * image)))
            .zip(&mut sums)
            .collect();
        for_each(shares, |((share, d_input), sum)| {
            let mut rows = vec![0f32; sizes.positions() * length];
            let mut d_rows = vec![0f32; if with_input { rows.len() } else { 0 }];
            let first = share.start;
            for at in share {
                let d_output = Matrix::new(&gradient[at * size..(at + 1) * size], out);
                self.rows(at, &mut rows);
                let seen = Matrix::new(&rows, length);
                MatrixMut::new(sum, length).add_product(d_output.transposed(), seen);
                if with_input {
                    let weight = Matrix::new(numbers(&self.weight), length);
                    MatrixMut::new(&mut d_rows, length).set_product(1.0, d_output, weight);
                    let d_image = &mut d_input[(at - first) * image..][..image];
                    sizes.pieces(|from, into, length| {
                        add(&d_rows[from..from + length], &mut d_image[into..into + length]);
                    });
                }
            }
        });
        let total = sums.into_iter().reduce(|mut total, part| {
            add(&part, &mut total);
            total
        });
        (d_input, total.unwrap_or_else(|| vec![0f32; length * out]))
    }
}
