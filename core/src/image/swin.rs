//! Swin Transformer encoder with Hugging Face `SwinModel` semantics.
//!
//! A feature map whose side is not larger than the window is one clamped window,
//! unshifted, with the central part of the bias table; unlike in Hugging Face's code
//! this leaves no trace in the model.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{Dropout, DropoutConfig, Initializer, LayerNorm, Linear};
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};

use crate::config::SwinConfig;
use crate::layers::init::{layer_norm, patch_convolution, transformer_linear};
use crate::layers::{
    AttentionSizes, FeedForward, FeedForwardSizes, attend, drop_path, merge_heads, normalise,
    split_heads,
};

/// Score added between tokens of different regions of a shifted window (as in Hugging Face).
const OTHER_REGION: f32 = -100.0;

/// The encoder: patch embedding, stages of windowed blocks, final layer norm.
#[derive(Module, Debug)]
pub struct Swin {
    /// Patches to tokens.
    pub patch_embedding: Conv2d,
    /// Layer norm after the patch embedding.
    pub embedding_norm: LayerNorm,
    /// Stages; the token width doubles from one to the next.
    pub stages: Vec<SwinStage>,
    /// Final layer norm.
    pub norm: LayerNorm,
    /// Dropout after the embeddings.
    pub dropout: Dropout,
    patch_size: usize,
}

/// Blocks at one resolution, then patch merging in all stages but the last.
#[derive(Module, Debug)]
pub struct SwinStage {
    /// Blocks, every other one with shifted windows.
    pub blocks: Vec<SwinBlock>,
    /// Halves the resolution and doubles the width.
    pub merging: Option<PatchMerging>,
}

/// One block: windowed attention and feed-forward part, both pre-norm.
#[derive(Module, Debug)]
pub struct SwinBlock {
    /// Layer norm before attention.
    pub norm_before: LayerNorm,
    /// Attention within windows.
    pub attention: WindowAttention,
    /// Layer norm before the feed-forward part.
    pub norm_after: LayerNorm,
    /// Feed-forward part.
    pub feed_forward: FeedForward,
    /// Dropout after both sublayers.
    pub dropout: Dropout,
    window: usize,
    shifted: bool,
    drop_path: f64,
}

/// Self-attention within a window, with a learnt bias for each relative position.
#[derive(Module, Debug)]
pub struct WindowAttention {
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
    /// `[(2w - 1)^2, heads]`.
    pub relative_position_bias_table: Param<Tensor<2>>,
    heads: usize,
    window: usize,
}

/// Four neighbours to one token of twice the width.
#[derive(Module, Debug)]
pub struct PatchMerging {
    /// Layer norm over the four neighbours.
    pub norm: LayerNorm,
    /// 4D -> 2D, no bias.
    pub reduction: Linear,
}

impl Swin {
    /// A new encoder with random weights.
    pub fn new(config: &SwinConfig, device: &Device) -> Self {
        let blocks: usize = config.depths.iter().sum();
        let mut first = 0;
        let stages = (0..config.depths.len())
            .map(|stage| {
                let rates = (first..first + config.depths[stage])
                    .map(|at| config.drop_path_rate * at as f64 / (blocks.max(2) - 1) as f64);
                let stage_blocks = rates
                    .enumerate()
                    .map(|(at, rate)| SwinBlock::new(config, stage, at % 2 == 1, rate, device))
                    .collect();
                first += config.depths[stage];
                let width = config.stage_size(stage);
                let last = stage + 1 == config.depths.len();
                SwinStage {
                    blocks: stage_blocks,
                    merging: (!last).then(|| PatchMerging::new(width, config, device)),
                }
            })
            .collect();
        let last = config.stage_size(config.depths.len() - 1);
        Self {
            patch_embedding: patch_convolution(config.patch_size, config.embed_dim, device),
            embedding_norm: layer_norm(config.embed_dim, config.layer_norm_eps, device),
            stages,
            norm: layer_norm(last, config.layer_norm_eps, device),
            dropout: DropoutConfig::new(config.hidden_dropout_prob).init(),
            patch_size: config.patch_size,
        }
    }

    /// `[B, 3, R, R] -> [B, n, D]`: `last_hidden_state`, after the final layer norm.
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let map = self.stages.iter().fold(self.embed(pixels), |map, stage| stage.forward(map));
        normalise(&self.norm, map.flatten(1, 2))
    }

    /// Everything between [`Swin::embed`] and the final norm, in its order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = SwinStep<'_>> {
        self.stages.iter().flat_map(|stage| {
            let blocks = stage.blocks.iter().map(SwinStep::Block);
            blocks.chain(stage.merging.iter().map(SwinStep::Merging))
        })
    }

    /// `[B, 3, R, R] -> [B, H, W, D]`: patch embedding and its norm; pixels are padded with
    /// zeros to the right and below up to a whole patch.
    pub fn embed(&self, pixels: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = pixels.dims();
        let patch = self.patch_size;
        let (below, right) = (padding(height, patch), padding(width, patch));
        let pixels = if below + right > 0 {
            pixels.pad((0, right, 0, below), PadMode::Constant(0.0))
        } else {
            pixels
        };
        let map = self.patch_embedding.forward(pixels).permute([0, 2, 3, 1]);
        self.dropout.forward(normalise(&self.embedding_norm, map))
    }
}

/// A block or a merging of patches.
pub(crate) enum SwinStep<'a> {
    /// Of a stage.
    Block(&'a SwinBlock),
    /// At a stage's end.
    Merging(&'a PatchMerging),
}

impl SwinStep<'_> {
    /// `[B, H, W, D] -> [B, H', W', D']`.
    pub(crate) fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Block(block) => block.forward(map),
            Self::Merging(merging) => merging.forward(map),
        }
    }
}

impl SwinStage {
    /// `[B, H, W, D] -> [B, H', W', D']`.
    pub fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        let map = self.run_blocks(map);
        match &self.merging {
            Some(merging) => merging.forward(map),
            None => map,
        }
    }

    /// The blocks without the merging: `[B, H, W, D] -> [B, H, W, D]`.
    pub fn run_blocks(&self, map: Tensor<4>) -> Tensor<4> {
        self.blocks.iter().fold(map, |map, block| block.forward(map))
    }
}

impl SwinBlock {
    fn new(
        config: &SwinConfig,
        stage: usize,
        shifted: bool,
        drop_path: f64,
        device: &Device,
    ) -> Self {
        let width = config.stage_size(stage);
        let sizes = AttentionSizes {
            width,
            heads: config.num_heads[stage],
            qkv_bias: config.qkv_bias,
            dropout: config.attention_probs_dropout_prob,
            initializer_range: config.initializer_range,
        };
        let inner = FeedForwardSizes {
            width,
            inner: (width as f64 * config.mlp_ratio) as usize,
            activation: config.hidden_act,
            initializer_range: config.initializer_range,
        };
        Self {
            norm_before: layer_norm(width, config.layer_norm_eps, device),
            attention: WindowAttention::new(sizes, config.window_size, device),
            norm_after: layer_norm(width, config.layer_norm_eps, device),
            feed_forward: FeedForward::new(inner, device),
            dropout: DropoutConfig::new(config.hidden_dropout_prob).init(),
            window: config.window_size,
            shifted,
            drop_path,
        }
    }

    /// `[B, H, W, D] -> [B, H, W, D]`.
    pub fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, size] = map.dims();
        let attended = self.attend_windows(normalise(&self.norm_before, map.clone()));
        let attended = drop_path(attended.reshape([batch, height * width, size]), self.drop_path);
        let map = map + attended.reshape([batch, height, width, size]);
        let fed = self.feed_forward.forward(normalise(&self.norm_after, map.clone()));
        map + self.dropout.forward(fed)
    }

    /// Attention of every token with the tokens of its (shifted) window.
    fn attend_windows(&self, map: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, size] = map.dims();
        let clamped = height.min(width) <= self.window;
        let window = if clamped { height.min(width) } else { self.window };
        let shift = if clamped || !self.shifted { 0 } else { self.window / 2 };

        // Padded tokens take part in attention like any other; only the shift is masked.
        let (below, right) = (padding(height, window), padding(width, window));
        let (rows, columns) = (height + below, width + right);
        let mut map = pad_map(map, below, right);
        let back = shift as i64;
        if shift > 0 {
            map = map.roll(&[-back, -back], &[1, 2]);
        }
        let (down, across) = (rows / window, columns / window);
        let windows = map
            .reshape([batch, down, window, across, window, size])
            .swap_dims(2, 3)
            .reshape([batch * down * across, window * window, size]);
        let mask = (shift > 0).then(|| shift_mask(rows, columns, window, shift));
        let windows = self.attention.forward(windows, window, mask);
        let mut map = windows
            .reshape([batch, down, across, window, window, size])
            .swap_dims(2, 3)
            .reshape([batch, rows, columns, size]);
        if shift > 0 {
            map = map.roll(&[back, back], &[1, 2]);
        }
        self.dropout.forward(map.narrow(1, 0, height).narrow(2, 0, width))
    }
}

impl WindowAttention {
    fn new(sizes: AttentionSizes, window: usize, device: &Device) -> Self {
        let rows = (2 * window - 1) * (2 * window - 1);
        let AttentionSizes { width, heads, qkv_bias, dropout, initializer_range: std } = sizes;
        Self {
            query: transformer_linear([width, width], qkv_bias, std, device),
            key: transformer_linear([width, width], qkv_bias, std, device),
            value: transformer_linear([width, width], qkv_bias, std, device),
            output: transformer_linear([width, width], true, std, device),
            dropout: DropoutConfig::new(dropout).init(),
            relative_position_bias_table: Initializer::Normal { mean: 0.0, std: 0.02 }
                .init([rows, heads], device),
            heads,
            window,
        }
    }

    /// `[B * windows, w * w, D] -> ` the same, for windows of side `window` (at most the
    /// table's); `mask` is `[windows, w * w, w * w]` on the host.
    fn forward(&self, tokens: Tensor<3>, window: usize, mask: Option<TensorData>) -> Tensor<3> {
        let count = tokens.dims()[0];
        let device = tokens.device();
        let mut bias = self.position_bias(window, &device);
        if let Some(mask) = mask {
            let mask = Tensor::<3>::from_data(mask, &device);
            let windows = mask.dims()[0];
            let mask = mask.cast(FloatDType::from(bias.dtype()));
            bias = (bias + mask.unsqueeze_dim(1)).repeat_dim(0, count / windows);
        }
        let query = split_heads(self.query.forward(tokens.clone()), self.heads);
        let key = split_heads(self.key.forward(tokens.clone()), self.heads);
        let value = split_heads(self.value.forward(tokens), self.heads);
        let context = attend(query, key, value, Some(bias), &self.dropout);
        self.output.forward(merge_heads(context))
    }

    /// `[1, heads, w * w, w * w]`; a window smaller than the table's uses its central part.
    fn position_bias(&self, window: usize, device: &Device) -> Tensor<4> {
        let tokens = window * window;
        let reach = self.window - 1;
        let row = |a: usize, b: usize| {
            let dy = a / window + reach - b / window;
            let dx = a % window + reach - b % window;
            (dy * (2 * self.window - 1) + dx) as i32
        };
        let index: Vec<i32> =
            (0..tokens).flat_map(|a| (0..tokens).map(move |b| row(a, b))).collect();
        let index = Tensor::<1, Int>::from_data(TensorData::new(index, [tokens * tokens]), device);
        self.relative_position_bias_table
            .val()
            .select(0, index)
            .reshape([1, tokens, tokens, self.heads])
            .permute([0, 3, 1, 2])
    }
}

impl PatchMerging {
    fn new(width: usize, config: &SwinConfig, device: &Device) -> Self {
        let sizes = [4 * width, 2 * width];
        Self {
            norm: layer_norm(4 * width, config.layer_norm_eps, device),
            reduction: transformer_linear(sizes, false, config.initializer_range, device),
        }
    }

    /// `[B, H, W, D] -> [B, ceil(H / 2), ceil(W / 2), 2D]`; odd sides are padded with zeros.
    pub fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, size] = map.dims();
        let map = pad_map(map, height % 2, width % 2);
        let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
        // Neighbours in the order (0, 0), (1, 0), (0, 1), (1, 1) of (row, column).
        let merged = map
            .reshape([batch, rows, 2, columns, 2, size])
            .permute([0, 1, 3, 4, 2, 5])
            .reshape([batch, rows, columns, 4 * size]);
        self.reduction.forward(normalise(&self.norm, merged))
    }
}

/// What is missing from `length` to a multiple of `unit`.
fn padding(length: usize, unit: usize) -> usize {
    length.next_multiple_of(unit) - length
}

/// Zeros below and to the right of a `[B, H, W, D]` map.
fn pad_map(map: Tensor<4>, below: usize, right: usize) -> Tensor<4> {
    let [batch, height, width, size] = map.dims();
    let options = (&map.device(), map.dtype());
    let mut map = map;
    if right > 0 {
        map = Tensor::cat(vec![map, Tensor::zeros([batch, height, right, size], options)], 2);
    }
    if below > 0 {
        let zeros = Tensor::zeros([batch, below, width + right, size], options);
        map = Tensor::cat(vec![map, zeros], 1);
    }
    map
}

/// `[windows, w * w, w * w]`: 0 between tokens of one region of the unshifted map,
/// [`OTHER_REGION`] between tokens that only the cyclic shift made neighbours.
fn shift_mask(rows: usize, columns: usize, window: usize, shift: usize) -> TensorData {
    let band = |at: usize, length: usize| {
        if at < length - window {
            0
        } else if at < length - shift {
            1
        } else {
            2
        }
    };
    let region = |y: usize, x: usize| 3 * band(y, rows) + band(x, columns);
    let (down, across) = (rows / window, columns / window);
    let tokens = window * window;
    let mut mask = Vec::with_capacity(down * across * tokens * tokens);
    for wy in 0..down {
        for wx in 0..across {
            let regions: Vec<usize> = (0..tokens)
                .map(|t| region(wy * window + t / window, wx * window + t % window))
                .collect();
            for a in &regions {
                mask.extend(regions.iter().map(|b| if a == b { 0.0 } else { OTHER_REGION }));
            }
        }
    }
    TensorData::new(mask, [down * across, tokens, tokens])
}
