//! The text tower: BERT, the residual head and pooling.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, LayerNorm, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};

use super::Bert;
use crate::config::ModelConfig;
use crate::layers::init::{default_linear, layer_norm, xavier_linear};
use crate::layers::token_batch_norm;
use crate::pooling::{Gpo, TokenMask};

/// Epsilon of the final layer norm (PyTorch's default, as in the official code).
const NORM_EPSILON: f64 = 1e-5;

/// Token ids to caption embeddings.
#[derive(Module, Debug)]
pub struct TextTower {
    /// Contextual token embeddings.
    pub bert: Bert,
    /// D -> E, the linear path of the head.
    pub projection: Linear,
    /// D -> E / 2, the first layer of the head's MLP.
    pub mlp_in: Linear,
    /// Batch norm over all tokens of the batch, padding included.
    pub mlp_norm: BatchNorm,
    /// E / 2 -> E, the second layer.
    pub mlp_out: Linear,
    /// Pooling over the real tokens.
    pub pooling: Gpo,
    /// Final layer norm over E.
    pub norm: LayerNorm,
    /// Dropout on BERT's output.
    pub dropout: Dropout,
}

impl TextTower {
    /// A new tower with random weights.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let (width, embed) = (config.text.hidden_size, config.embed_size);
        Self {
            bert: Bert::new(&config.text, device),
            projection: xavier_linear(width, embed, device),
            mlp_in: default_linear(width, embed / 2, true, device),
            mlp_norm: BatchNormConfig::new(embed / 2).init(device),
            mlp_out: default_linear(embed / 2, embed, true, device),
            pooling: Gpo::new(&config.pooling, device),
            norm: layer_norm(embed, NORM_EPSILON, device),
            dropout: DropoutConfig::new(config.text_dropout).init(),
        }
    }

    /// Padded token ids `[B, T]` with their `lengths` -> `[B, E]`, not normalised to length 1.
    pub fn forward(&self, ids: Tensor<2, Int>, lengths: &[usize]) -> Tensor<2> {
        self.pool(self.bert.forward(ids, lengths), lengths)
    }

    /// The head: BERT states `[B, T, D]` with the captions' `lengths` -> `[B, E]`.
    pub fn pool(&self, states: Tensor<3>, lengths: &[usize]) -> Tensor<2> {
        let width = states.dims()[1];
        let tokens = self.features(states);
        let mask = TokenMask::from_lengths(lengths, width);
        self.norm.forward(self.pooling.forward(tokens, &mask))
    }

    /// BERT states `[B, T, D]` -> `fc(x) + mlp(x)`, `[B, T, E]`.
    pub fn features(&self, states: Tensor<3>) -> Tensor<3> {
        let states = self.dropout.forward(states);
        let inner = token_batch_norm(&self.mlp_norm, self.mlp_in.forward(states.clone()));
        self.mlp_out.forward(relu(inner)) + self.projection.forward(states)
    }
}
