//! What a training step keeps, counted from a configuration, and how many bytes that takes.

use avse_core::AvseModel;
use avse_core::config::{ImageBackboneConfig, ModelConfig, SwinConfig};
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{Method, Precision};
use crate::{Error, Result};

/// Bytes of an f32.
const NUMBER: f64 = 4.0;
/// Weights, gradients and the two moments of AdamW.
const COPIES: f64 = 4.0;
/// Bytes of the backbones' second, narrow copy of a weight in half precision.
const HALF: f64 = 2.0;

/// Peak = fixed + copies of the weights + what a piece's graph keeps + what the batch keeps.
///
/// What a graph keeps is counted in numbers from the configuration ([`Sizes`]); how many bytes each of
/// them takes is fitted by least squares to measured rows. Single and half precision have a formula each: a
/// processor takes the fused layers for the former alone, and they keep less.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Formula {
    /// Program, threads, and a layer's temporaries, in bytes.
    pub fixed: f64,
    /// Bytes for each number that a graph keeps.
    pub kept: f64,
}

/// Numbers of a network that its configuration fixes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    parameters: f64,
    /// Kept by the graph of one image-caption pair in the backbones.
    graph: f64,
    /// Of these, what the largest part of a backbone keeps.
    largest_part: f64,
    /// Passing between all parts of the backbones, for one pair.
    between: f64,
    /// Pixels, tokens for the heads and what the heads keep, for one pair.
    outside: f64,
}

/// How a device computes encoder layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// As one operation that keeps little: the CPU, in f32.
    Fused,
    /// As tensor operations, each of which keeps what its gradient needs: everything else.
    Plain,
}

impl Sizes {
    /// Counts for captions of `caption_tokens` tokens.
    ///
    /// # Errors
    /// An impossible configuration.
    pub fn of(config: &ModelConfig, caption_tokens: usize, layers: Layers) -> Result<Self> {
        let parameters = AvseModel::new(config, &Device::flex())?.num_params() as f64;
        let layer = |tokens, length, shape: LayerShape| match layers {
            Layers::Fused => layer(tokens, shape.width, shape.inner),
            Layers::Plain => plain_layer(tokens, length, shape),
        };
        let views = config.sampling.views as f64;
        let text = &config.text;
        let text_tokens = caption_tokens as f64;
        let shape = LayerShape::new(
            [text.hidden_size, text.intermediate_size, text.num_attention_heads],
            [text.hidden_dropout_prob, text.attention_probs_dropout_prob],
        );
        let text_layer = layer(text_tokens, text_tokens, shape);
        let text_layers = text.num_hidden_layers as f64;
        let text_between = text_tokens * text.hidden_size as f64;
        let side = config.image.grid_side(config.image_size) as f64;
        let kept = (config.sampling.keep_training * (side * side + 1.0)).floor();
        let output = config.image.output_size() as f64;
        // Linear layer, mask, ranks and weights of the pooling over E numbers a token.
        let head =
            |tokens: f64, width: f64| tokens * (2.0 * width + 4.0 * config.embed_size as f64);
        // On a GPU the next batch lies beside the one in use.
        let batches = if layers == Layers::Plain { 2.0 } else { 1.0 };
        let pixels = batches * 3.0 * (config.image_size as f64).powi(2);
        let outside =
            pixels + head(views * kept, output) + head(text_tokens, text.hidden_size as f64);
        let (image_graph, image_part, image_between) = match &config.image {
            ImageBackboneConfig::Vit(vit) => {
                let tokens = views * (kept + 1.0);
                let shape = LayerShape::new(
                    [vit.hidden_size, vit.intermediate_size, vit.num_attention_heads],
                    [vit.hidden_dropout_prob, vit.attention_probs_dropout_prob],
                );
                let one = layer(tokens, kept + 1.0, shape);
                let layers = vit.num_hidden_layers as f64;
                (layers * one, one, layers * tokens * vit.hidden_size as f64)
            }
            ImageBackboneConfig::Swin(swin) => swin_sizes(swin, config.image_size),
            ImageBackboneConfig::ResNet(_) => {
                return Err(Error::Usage("the memory of a ResNet is not predicted".into()));
            }
        };
        Ok(Self {
            parameters,
            graph: image_graph + text_layers * text_layer,
            largest_part: image_part.max(text_layer),
            between: image_between + text_layers * text_between,
            outside,
        })
    }

    /// Numbers that a graph holds at most at once, for a batch in `method`.
    pub(crate) fn kept(&self, batch: usize, method: Method) -> f64 {
        let batch = batch as f64;
        let piece =
            if method.micro_batch == 0 { batch } else { (method.micro_batch as f64).min(batch) };
        let backbones = if method.recompute {
            piece * (self.largest_part + self.between)
        } else {
            piece * self.graph
        };
        batch * self.outside + backbones
    }
}

/// Sizes of an encoder layer.
#[derive(Clone, Copy)]
struct LayerShape {
    width: usize,
    inner: usize,
    heads: usize,
    dropout: bool,
    attention_dropout: bool,
}

impl LayerShape {
    /// From the Hugging Face sizes and rates: width, inner width, heads; dropout, attention dropout.
    fn new([width, inner, heads]: [usize; 3], [dropout, attention_dropout]: [f64; 2]) -> Self {
        let (dropout, attention_dropout) = (dropout > 0.0, attention_dropout > 0.0);
        Self { width, inner, heads, dropout, attention_dropout }
    }
}

/// What an encoder layer in tensor operations keeps of `tokens` tokens in sequences of `length`: two numbers for
/// each of its norms' inputs, what they return, queries, keys, values, the attention's exponentials and
/// weights, its result, the inner activations before and after; and masks with what they meet.
fn plain_layer(tokens: f64, length: f64, shape: LayerShape) -> f64 {
    let LayerShape { width, inner, heads, dropout, attention_dropout } = shape;
    let widths = if dropout { 14.0 } else { 10.0 };
    let maps = if attention_dropout { 4.0 } else { 2.0 };
    tokens * (widths * width as f64 + 2.0 * inner as f64 + maps * heads as f64 * length)
}

/// What an encoder layer keeps of `tokens` tokens: its input, queries, keys, values, attention's
/// result, the sum after it, the inner activations.
fn layer(tokens: f64, width: usize, inner: usize) -> f64 {
    tokens * (7.0 * width as f64 + inner as f64)
}

/// Swin's blocks are made of tensor operations, each of which keeps its inputs: attention weights
/// within windows twice, norms, activations.
fn swin_sizes(swin: &SwinConfig, side: usize) -> (f64, f64, f64) {
    let (mut graph, mut part, mut between) = (0.0, 0.0f64, 0.0);
    let mut tokens = (side as f64 / swin.patch_size as f64).powi(2);
    for (stage, &depth) in swin.depths.iter().enumerate() {
        let width = swin.stage_size(stage) as f64;
        let heads = swin.num_heads[stage] as f64;
        let window = (swin.window_size as f64).powi(2);
        let block = tokens * (12.0 * width + 2.0 * swin.mlp_ratio * width + 3.0 * heads * window);
        graph += depth as f64 * block;
        part = part.max(block);
        between += depth as f64 * tokens * width;
        tokens /= 4.0;
    }
    (graph, part, between)
}

/// Bytes of everything that there is one of for each weight.
pub(crate) fn weights(sizes: &Sizes, method: Method) -> f64 {
    let narrow = if method.precision == Precision::F32 { 0.0 } else { HALF };
    sizes.parameters * (COPIES * NUMBER + narrow)
}

impl Formula {
    /// Least squares over measured rows: `(sizes, batch, method, bytes)`.
    ///
    /// # Errors
    /// [`Error::Usage`] when they do not fix both numbers.
    pub fn fit(measured: &[(Sizes, usize, Method, f64)]) -> Result<Self> {
        // peak - copies * weights = fixed + kept * x. Each row counts by its relative error.
        let points = measured.iter().map(|(sizes, batch, method, bytes)| {
            let weight = 1.0 / bytes.powi(2);
            let rest = bytes - weights(sizes, *method);
            (weight, sizes.kept(*batch, *method), rest)
        });
        let [mut w, mut wx, mut wy, mut wxx, mut wxy] = [0.0; 5];
        for (weight, x, y) in points {
            (w, wx, wy) = (w + weight, wx + weight * x, wy + weight * y);
            (wxx, wxy) = (wxx + weight * x * x, wxy + weight * x * y);
        }
        let determinant = w * wxx - wx * wx;
        if determinant <= 1e-12 * w * wxx {
            return Err(Error::Usage("too few measured rows to fit the memory formula".into()));
        }
        let kept = (w * wxy - wx * wy) / determinant;
        Ok(Self { fixed: (wy - kept * wx) / w, kept })
    }

    /// Peak in bytes.
    pub fn predict(&self, sizes: &Sizes, batch: usize, method: Method) -> f64 {
        let kept = sizes.kept(batch, method);
        weights(sizes, method) + self.fixed + self.kept * kept
    }
}
