//! Generalised pooling operator (GPO): a learnt weighted mean of sorted token values.
//!
//! The weights depend on the number of tokens alone, so they are computed once for each
//! distinct length of a batch, by a BiGRU over sinusoidal position codes; at inference once for
//! each length that ever comes.

mod gru;
mod known;
mod mask;
mod ranks;
mod sorted;

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

pub use self::mask::TokenMask;

use self::known::KnownWeights;
use crate::config::PoolingConfig;
use crate::is_cpu;
use crate::layers::init::default_linear;

/// Value of a masked token before the sort, and of a masked score before the softmax.
const MASKED: f32 = -10_000.0;

/// The pooling operator; parameters as in a PyTorch `GRU(bidirectional=True)`, gate
/// order r, z, n.
#[derive(Module, Debug)]
pub struct Gpo {
    /// `[3H, P]`.
    pub weight_ih: Param<Tensor<2>>,
    /// `[3H, H]`.
    pub weight_hh: Param<Tensor<2>>,
    /// `[3H]`.
    pub bias_ih: Param<Tensor<1>>,
    /// `[3H]`.
    pub bias_hh: Param<Tensor<1>>,
    /// `[3H, P]`, backward direction.
    pub weight_ih_reverse: Param<Tensor<2>>,
    /// `[3H, H]`, backward direction.
    pub weight_hh_reverse: Param<Tensor<2>>,
    /// `[3H]`, backward direction.
    pub bias_ih_reverse: Param<Tensor<1>>,
    /// `[3H]`, backward direction.
    pub bias_hh_reverse: Param<Tensor<1>>,
    /// H -> 1, no bias.
    pub score: Linear,
    temperature: f64,
    #[module(skip)]
    known: Option<KnownWeights>,
}

impl Gpo {
    /// A new operator with PyTorch's default draw, uniform in ±1/sqrt(H).
    pub fn new(config: &PoolingConfig, device: &Device) -> Self {
        let (inputs, hidden) = (config.position_size, config.hidden_size);
        let bound = 1.0 / (hidden as f64).sqrt();
        let draw = Initializer::Uniform { min: -bound, max: bound };
        Self {
            weight_ih: draw.init([3 * hidden, inputs], device),
            weight_hh: draw.init([3 * hidden, hidden], device),
            bias_ih: draw.init([3 * hidden], device),
            bias_hh: draw.init([3 * hidden], device),
            weight_ih_reverse: draw.init([3 * hidden, inputs], device),
            weight_hh_reverse: draw.init([3 * hidden, hidden], device),
            bias_ih_reverse: draw.init([3 * hidden], device),
            bias_hh_reverse: draw.init([3 * hidden], device),
            score: default_linear(hidden, 1, false, device),
            temperature: config.temperature,
            known: None,
        }
    }

    /// An operator for inference on any device: its parameters, which must not change once it
    /// has been used, stay on the CPU, and weights are remembered. The recurrent network is
    /// hundreds of tiny operations, which a GPU would take longer for than for a whole tower.
    pub fn for_inference(config: &PoolingConfig) -> Self {
        Self { known: Some(KnownWeights::default()), ..Self::new(config, &Device::flex()) }
    }

    /// `[N, T, D] -> [N, D]` over the tokens that `mask` keeps.
    pub fn forward(&self, tokens: Tensor<3>, mask: &TokenMask) -> Tensor<2> {
        let weights = self.weights(mask, &tokens.device());
        sorted::pool(&tokens, mask, &weights)
            .unwrap_or_else(|| Self::pool_plain(tokens, mask, weights))
    }

    /// The pooling in tensor operations, given the `weights` `[N, T]`.
    fn pool_plain(tokens: Tensor<3>, mask: &TokenMask, weights: Tensor<2>) -> Tensor<2> {
        let tokens = match mask.dropped(&tokens.device()) {
            Some(dropped) => {
                let shape = tokens.dims();
                tokens.mask_fill(dropped.expand(shape), MASKED)
            }
            None => tokens,
        };
        // A masked value meets weight 0.
        if is_cpu(&tokens.device()) {
            weighted_by_sorting(tokens, weights)
        } else {
            weighted_by_ranks(tokens, weights)
        }
    }

    /// `[N, T]`: the weights of every row's sorted positions, 0 beyond its length.
    pub fn weights(&self, mask: &TokenMask, device: &Device) -> Tensor<2> {
        if let Some(known) = &self.known {
            return self.known_weights(known, mask, device);
        }
        let mut distinct = mask.lengths.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let table = self.table(&distinct, mask.width, device);
        if distinct.len() == 1 {
            let rows = mask.lengths.len();
            return table.expand([rows, mask.width]);
        }
        let rows: Vec<i32> = mask
            .lengths
            .iter()
            .map(|length| distinct.partition_point(|d| d < length) as i32)
            .collect();
        let count = rows.len();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), device);
        table.select(0, rows)
    }

    fn known_weights(&self, known: &KnownWeights, mask: &TokenMask, device: &Device) -> Tensor<2> {
        let own = self.weight_ih.device();
        let compute = |length| {
            let table = self.table(&[length], length, &own).into_data();
            table.try_to_vec::<f32>().expect("f32 on the CPU")
        };
        let (rows, width) = (mask.lengths.len(), mask.width);
        let mut weights = vec![0f32; rows * width];
        for (row, &length) in weights.chunks_exact_mut(width.max(1)).zip(&mask.lengths) {
            if length > 0 {
                row[..length].copy_from_slice(&known.of(length, || compute(length)));
            }
        }
        Tensor::from_data(TensorData::new(weights, [rows, width]), device)
    }

    /// `[lengths, width]`: the pooling weights for each length.
    pub fn table(&self, lengths: &[usize], width: usize, device: &Device) -> Tensor<2> {
        let scores = self.score.forward(self.hidden(lengths, width, device)).squeeze_dim::<2>(2);
        let beyond: Vec<bool> =
            lengths.iter().flat_map(|&l| (0..width).map(move |at| at >= l)).collect();
        let beyond = Tensor::from_data(TensorData::new(beyond, [lengths.len(), width]), device);
        softmax(scores.mask_fill(beyond, MASKED).div_scalar(self.temperature), 1)
    }

    /// `[lengths, width, H]`: mean of both directions' states; garbage beyond each length.
    ///
    /// The forward states do not depend on the length, so that direction is one row; each length has a row of its
    /// own backwards, started at its last position and put in order at the end.
    fn hidden(&self, lengths: &[usize], width: usize, device: &Device) -> Tensor<3> {
        let count = lengths.len();
        let codes = position_codes(width, self.weight_ih.dims()[1], device);
        // Step s of row u reads position length_u - 1 - s; beyond the start anything will do.
        let reversed = |at: usize, length: usize| (length.saturating_sub(1 + at)) as i32;
        let steps: Vec<i32> =
            (0..width).flat_map(|at| lengths.iter().map(move |&l| reversed(at, l))).collect();
        let steps = Tensor::<1, Int>::from_data(TensorData::new(steps, [width * count]), device);
        let inputs = codes.clone().select(0, steps).reshape([width, count, codes.dims()[1]]);
        let inputs = [codes.unsqueeze_dim(1), inputs];
        let [forward, backward] = gru::states(self.directions(), inputs);
        // Position p of row u was step length_u - 1 - p.
        let back: Vec<i32> = lengths
            .iter()
            .enumerate()
            .flat_map(|(row, &l)| {
                (0..width).map(move |at| reversed(at, l) * count as i32 + row as i32)
            })
            .collect();
        let back = Tensor::<1, Int>::from_data(TensorData::new(back, [width * count]), device);
        let hidden = self.weight_hh.dims()[1];
        let backward = backward
            .reshape([width * count, hidden])
            .select(0, back)
            .reshape([count, width, hidden]);
        (forward.swap_dims(0, 1) + backward).div_scalar(2.0)
    }

    /// The parameters of both directions.
    fn directions(&self) -> [gru::Direction<'_>; 2] {
        [
            gru::Direction {
                inputs: (&self.weight_ih, &self.bias_ih),
                state: (&self.weight_hh, &self.bias_hh),
            },
            gru::Direction {
                inputs: (&self.weight_ih_reverse, &self.bias_ih_reverse),
                state: (&self.weight_hh_reverse, &self.bias_hh_reverse),
            },
        ]
    }
}

/// `[N, T, D]` and `[N, T] -> [N, D]`: the greatest value of a column times the first weight, and so on, added up.
fn weighted_by_sorting(tokens: Tensor<3>, weights: Tensor<2>) -> Tensor<2> {
    // Along the last dimension, where the CPU sorts contiguous memory.
    let columns = tokens.swap_dims(1, 2);
    let weights = weights.unsqueeze_dim::<3>(1).expand(columns.dims());
    let order = columns.clone().detach().argsort_descending(2);
    (columns.gather(2, order) * weights).sum_dim(2).squeeze_dim(2)
}

/// The same with the products in the order of the tokens.
fn weighted_by_ranks(tokens: Tensor<3>, weights: Tensor<2>) -> Tensor<2> {
    let weights = weights.unsqueeze_dim::<3>(2).expand(tokens.dims());
    let places = ranks::descending(tokens.clone().detach());
    (tokens * weights.gather(1, places)).sum_dim(1).squeeze_dim(1)
}

/// `[length, size]` sinusoidal codes: even columns sine, odd columns cosine of the
/// same frequency.
fn position_codes(length: usize, size: usize, device: &Device) -> Tensor<2> {
    let codes: Vec<f32> = (0..length)
        .flat_map(|position| {
            (0..size).map(move |column| {
                let pair = (column / 2 * 2) as f64;
                let rate = (-(10_000f64.ln()) * pair / size as f64).exp();
                let angle = position as f64 * rate;
                (if column % 2 == 0 { angle.sin() } else { angle.cos() }) as f32
            })
        })
        .collect();
    Tensor::from_data(TensorData::new(codes, [length, size]), device)
}

#[cfg(test)]
mod tests;
