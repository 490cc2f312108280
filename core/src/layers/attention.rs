//! Multi-head self-attention, shared by ViT, BERT and (within windows) Swin.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::activation::softmax;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{DType, Device, FloatDType, Tensor};

use super::init::transformer_linear;
use crate::is_cpu;

/// Sizes of a [`SelfAttention`] layer.
#[derive(Clone, Copy, Debug)]
pub struct AttentionSizes {
    /// Token width; a multiple of `heads`.
    pub width: usize,
    /// Number of heads.
    pub heads: usize,
    /// Whether query, key and value have a bias.
    pub qkv_bias: bool,
    /// Dropout on the attention weights in training.
    pub dropout: f64,
    /// Standard deviation of new weights.
    pub initializer_range: f64,
}

/// Multi-head self-attention with separate query, key and value projections,
/// laid out like Hugging Face's.
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// Query projection, D -> D.
    pub query: Linear,
    /// Key projection, D -> D.
    pub key: Linear,
    /// Value projection, D -> D.
    pub value: Linear,
    /// Output projection, D -> D.
    pub output: Linear,
    /// Dropout on the attention weights.
    pub dropout: Dropout,
    heads: usize,
}

impl SelfAttention {
    /// A new layer with random weights.
    pub fn new(sizes: AttentionSizes, device: &Device) -> Self {
        let AttentionSizes { width, heads, qkv_bias, dropout, initializer_range: std } = sizes;
        Self {
            query: transformer_linear([width, width], qkv_bias, std, device),
            key: transformer_linear([width, width], qkv_bias, std, device),
            value: transformer_linear([width, width], qkv_bias, std, device),
            output: transformer_linear([width, width], true, std, device),
            dropout: DropoutConfig::new(dropout).init(),
            heads,
        }
    }

    pub(crate) fn heads(&self) -> usize {
        self.heads
    }

    /// `[B, T, D] -> [B, T, D]`; `bias` (`[B, 1, 1, T]` or any shape that broadcasts to
    /// `[B, heads, T, T]`) is added to the scores before the softmax.
    pub fn forward(&self, tokens: Tensor<3>, bias: Option<Tensor<4>>) -> Tensor<3> {
        let query = split_heads(self.query.forward(tokens.clone()), self.heads);
        let key = split_heads(self.key.forward(tokens.clone()), self.heads);
        let value = split_heads(self.value.forward(tokens), self.heads);
        let context = attend(query, key, value, bias, &self.dropout);
        self.output.forward(merge_heads(context))
    }
}

/// `[B, T, heads * d] -> [B, heads, T, d]`.
pub(crate) fn split_heads(tokens: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, length, width] = tokens.dims();
    tokens.reshape([batch, length, heads, width / heads]).swap_dims(1, 2)
}

/// `[B, heads, T, d] -> [B, T, heads * d]`.
pub(crate) fn merge_heads(context: Tensor<4>) -> Tensor<3> {
    let [batch, heads, length, size] = context.dims();
    context.swap_dims(1, 2).reshape([batch, length, heads * size])
}

/// `softmax(q k^T / sqrt(d) + bias) v` over `[B, heads, T, d]` tensors.
///
/// Outside training the backend's fused attention is used, which has no dropout and no gradient of its
/// own; but not for f32 on a GPU where Burn chooses kernels by timing: one of them multiplies in f16 whatever
/// the type.
pub(crate) fn attend(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    bias: Option<Tensor<4>>,
    dropout: &Dropout,
) -> Tensor<4> {
    let [batch, heads, length, size] = query.dims();
    let device = query.device();
    let by_timing = cfg!(feature = "gpu-runtime") && !is_cpu(&device);
    let fused = !(by_timing && query.dtype() == DType::F32);
    if fused && !device.is_autodiff() {
        let bias = bias.map(|bias| bias.expand([batch, heads, length, length]));
        return attention(query, key, value, None, bias, AttentionModuleOptions::default());
    }
    let scale = 1.0 / (size as f64).sqrt();
    let mut scores = query.mul_scalar(scale).matmul(key.swap_dims(2, 3));
    if let Some(bias) = bias {
        let dtype = FloatDType::from(scores.dtype());
        scores = scores + bias.cast(dtype);
    }
    dropout.forward(softmax(scores, 3)).matmul(value)
}
