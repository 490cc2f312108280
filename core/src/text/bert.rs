//! BERT encoder with Hugging Face `BertModel` semantics (no pooler).

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, LayerNorm};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::config::BertConfig;
use crate::layers::init::{layer_norm, transformer_embedding};
use crate::layers::{
    AttentionSizes, EncoderLayer, FeedForward, FeedForwardSizes, NormPlacement, SelfAttention,
    normalise,
};

/// Score added to padded keys before the softmax: far below any real score, within f16.
const PADDED: f32 = -10_000.0;

/// The encoder: embeddings and post-norm blocks.
#[derive(Module, Debug)]
pub struct Bert {
    /// `[vocabulary, D]`.
    pub word_embedding: Embedding,
    /// `[longest caption, D]`.
    pub position_embedding: Embedding,
    /// `[segments, D]`; every token is of segment 0.
    pub token_type_embedding: Embedding,
    /// Layer norm of the summed embeddings.
    pub embedding_norm: LayerNorm,
    /// Encoder blocks.
    pub layers: Vec<BertLayer>,
    /// Dropout after the embeddings.
    pub dropout: Dropout,
    pad_token_id: usize,
}

/// One post-norm encoder block.
#[derive(Module, Debug)]
pub struct BertLayer {
    /// Self-attention.
    pub attention: SelfAttention,
    /// Layer norm after the attention's residual sum.
    pub attention_norm: LayerNorm,
    /// Feed-forward part.
    pub feed_forward: FeedForward,
    /// Layer norm after the feed-forward's residual sum.
    pub output_norm: LayerNorm,
    /// Dropout after both sublayers.
    pub dropout: Dropout,
    epsilon: f64,
}

impl Bert {
    /// A new encoder with random weights.
    pub fn new(config: &BertConfig, device: &Device) -> Self {
        let width = config.hidden_size;
        let embedding = |rows| transformer_embedding(rows, width, device);
        Self {
            word_embedding: embedding(config.vocab_size),
            position_embedding: embedding(config.max_position_embeddings),
            token_type_embedding: embedding(config.type_vocab_size),
            embedding_norm: layer_norm(width, config.layer_norm_eps, device),
            layers: (0..config.num_hidden_layers).map(|_| BertLayer::new(config, device)).collect(),
            dropout: DropoutConfig::new(config.hidden_dropout_prob).init(),
            pad_token_id: config.pad_token_id,
        }
    }

    /// Token ids `[B, T]` -> last hidden state `[B, T, D]`. Keys beyond `lengths[b]` are
    /// masked; padded positions get a state too, as in the official code.
    pub fn forward(&self, ids: Tensor<2, Int>, lengths: &[usize]) -> Tensor<3> {
        self.layers.iter().fold(self.embed(ids), |tokens, layer| layer.forward(tokens, lengths))
    }

    /// Token ids `[B, T]` -> embeddings `[B, T, D]` after their layer norm.
    pub fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let length = ids.dims()[1];
        let positions = self.position_embedding.weight.val().narrow(0, 0, length);
        let segment = self.token_type_embedding.weight.val().narrow(0, 0, 1);
        let words = self.word_embedding.forward(ids.clone());
        let words = if words.device().is_autodiff() {
            // The padding entry is not trained (`padding_idx` of the official embedding).
            let padding = ids.equal_scalar(self.pad_token_id as i32).unsqueeze_dim::<3>(2);
            let shape = words.dims();
            words.clone().mask_where(padding.expand(shape), words.detach())
        } else {
            words
        };
        let sum = words + (positions + segment).unsqueeze();
        self.dropout.forward(normalise(&self.embedding_norm, sum))
    }
}

impl BertLayer {
    pub(crate) fn new(config: &BertConfig, device: &Device) -> Self {
        let width = config.hidden_size;
        let sizes = AttentionSizes {
            width,
            heads: config.num_attention_heads,
            qkv_bias: true,
            dropout: config.attention_probs_dropout_prob,
            initializer_range: config.initializer_range,
        };
        let inner = FeedForwardSizes {
            width,
            inner: config.intermediate_size,
            activation: config.hidden_act,
            initializer_range: config.initializer_range,
        };
        Self {
            attention: SelfAttention::new(sizes, device),
            attention_norm: layer_norm(width, config.layer_norm_eps, device),
            feed_forward: FeedForward::new(inner, device),
            output_norm: layer_norm(width, config.layer_norm_eps, device),
            dropout: DropoutConfig::new(config.hidden_dropout_prob).init(),
            epsilon: config.layer_norm_eps,
        }
    }

    /// `[B, T, D] -> [B, T, D]`; keys beyond `lengths[b]` are masked.
    pub fn forward(&self, tokens: Tensor<3>, lengths: &[usize]) -> Tensor<3> {
        self.fused()
            .forward(&tokens, Some(lengths))
            .unwrap_or_else(|| self.forward_plain(tokens, lengths))
    }

    /// The layer as one operation, where the device has it.
    pub(crate) fn fused(&self) -> EncoderLayer<'_> {
        EncoderLayer {
            attention: &self.attention,
            feed_forward: &self.feed_forward,
            norms: [&self.attention_norm, &self.output_norm],
            placement: NormPlacement::After,
            epsilon: self.epsilon,
            dropout: self.dropout.prob,
        }
    }

    /// The layer in tensor operations.
    pub(crate) fn forward_plain(&self, tokens: Tensor<3>, lengths: &[usize]) -> Tensor<3> {
        let bias = padding_bias(lengths, tokens.dims()[1], &tokens.device());
        let attended = self.dropout.forward(self.attention.forward(tokens.clone(), bias));
        let tokens = normalise(&self.attention_norm, tokens + attended);
        let fed = self.dropout.forward(self.feed_forward.forward(tokens.clone()));
        normalise(&self.output_norm, tokens + fed)
    }
}

/// `[B, 1, 1, T]`: 0 for real keys, [`PADDED`] beyond; `None` when nothing is padded.
fn padding_bias(lengths: &[usize], width: usize, device: &Device) -> Option<Tensor<4>> {
    if lengths.iter().all(|&length| length >= width) {
        return None;
    }
    let bias: Vec<f32> = lengths
        .iter()
        .flat_map(|&length| (0..width).map(move |at| if at < length { 0.0 } else { PADDED }))
        .collect();
    Some(Tensor::from_data(TensorData::new(bias, [lengths.len(), 1, 1, width]), device))
}
