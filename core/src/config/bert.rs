//! BERT sizes.

use serde::{Deserialize, Serialize};

use super::checks::{divides, dropouts, positive, weights_fit};
use super::{Activation, INITIALIZER_RANGE};
use crate::input::json::from_text;
use crate::{Error, Result};

/// BERT, field names as in Hugging Face `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BertConfig {
    /// Number of word pieces.
    pub vocab_size: usize,
    /// Token width.
    pub hidden_size: usize,
    /// Number of encoder blocks.
    pub num_hidden_layers: usize,
    /// Attention heads a block.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward part.
    pub intermediate_size: usize,
    /// Longest caption in word pieces, `[CLS]` and `[SEP]` included.
    pub max_position_embeddings: usize,
    /// Id of the padding entry, whose embedding is not trained.
    pub pad_token_id: usize,
    /// Number of segment embeddings (always segment 0 here).
    pub type_vocab_size: usize,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Dropout after embeddings and sublayers.
    pub hidden_dropout_prob: f64,
    /// Dropout on attention weights.
    pub attention_probs_dropout_prob: f64,
    /// Activation of the feed-forward part.
    pub hidden_act: Activation,
    /// Standard deviation of the linear layers' new weights.
    pub initializer_range: f64,
}

impl Default for BertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30522,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            max_position_embeddings: 512,
            pad_token_id: 0,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            hidden_act: Activation::Gelu,
            initializer_range: INITIALIZER_RANGE,
        }
    }
}

impl BertConfig {
    /// Reads a Hugging Face `config.json`.
    ///
    /// # Errors
    /// [`Error::Config`] when it is no BERT configuration or a value is impossible.
    pub fn from_hugging_face(json: &str) -> Result<Self> {
        let value: serde_json::Value =
            from_text(json).map_err(|e| Error::config("config.json", e))?;
        if let Some(kind) = value.get("model_type").and_then(|t| t.as_str())
            && kind != "bert"
        {
            return Err(Error::config("model_type", format!("`{kind}` is not `bert`")));
        }
        let config: Self = serde_json::from_value(value)
            .map_err(|e| Error::config("config.json", e.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    pub(super) fn validate(&self) -> Result<()> {
        weights_fit(
            "text",
            &[
                &[self.vocab_size, self.hidden_size],
                &[self.max_position_embeddings, self.hidden_size],
                &[self.type_vocab_size, self.hidden_size],
                &[4, self.num_hidden_layers, self.hidden_size, self.hidden_size],
                &[2, self.num_hidden_layers, self.hidden_size, self.intermediate_size],
                // Even a layer of width 1 takes memory.
                &[self.num_hidden_layers, 1 << 10],
            ],
        )?;
        positive("text.vocab_size", self.vocab_size)?;
        positive("text.num_hidden_layers", self.num_hidden_layers)?;
        positive("text.intermediate_size", self.intermediate_size)?;
        positive("text.type_vocab_size", self.type_vocab_size)?;
        if self.max_position_embeddings < 3 {
            return Err(Error::config("text.max_position_embeddings", "must be at least 3"));
        }
        divides(
            "text.num_attention_heads",
            self.num_attention_heads,
            "text.hidden_size",
            self.hidden_size,
        )?;
        dropouts("text", self.hidden_dropout_prob, self.attention_probs_dropout_prob)
    }
}
