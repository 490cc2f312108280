//! The model's sizes, read off the shapes of its weights.

use super::StateDict;
use crate::config::{
    BertConfig, ImageBackboneConfig, ModelConfig, PoolingConfig, SwinConfig, VitConfig,
};
use crate::image::sampling::RadialBiasSampling;
use crate::{Error, Result};

/// Width of an attention head in every ViT and BERT of these token widths that
/// has been published; shapes alone do not tell how many heads there are.
const HEAD: usize = 64;
const USUAL_WIDTHS: [usize; 7] = [128, 192, 256, 384, 512, 768, 1024];

/// The configuration of an official checkpoint, which carries none: sizes from
/// the shapes of `weights` (official names), everything else as in the
/// official code. `image_size` is the side R of the network input in pixels.
///
/// # Errors
/// [`Error::Weights`] naming the tensor that is missing or misshapen;
/// [`Error::Config`] if the number of attention heads cannot be told, because
/// the backbone is none of the usual widths.
pub fn infer_config(weights: &StateDict, image_size: usize) -> Result<ModelConfig> {
    let shapes = Shapes(weights);
    let [embed_size, _] = shapes.of("txt_enc.fc.weight")?;
    let [_, position_size] = shapes.of("txt_enc.gpool.gru.weight_ih_l0")?;
    let [_, hidden_size] = shapes.of("txt_enc.gpool.gru.weight_hh_l0")?;
    let swin = weights.get("img_enc.visual_encoder.embeddings.norm.weight").is_some();
    let config = ModelConfig {
        embed_size,
        block_size: 256,
        image_size,
        sampling: RadialBiasSampling::default(),
        pooling: PoolingConfig { position_size, hidden_size, ..Default::default() },
        image: if swin {
            ImageBackboneConfig::Swin(infer_swin(&shapes)?)
        } else {
            ImageBackboneConfig::Vit(infer_vit(&shapes)?)
        },
        text: infer_bert(&shapes)?,
        text_dropout: 0.2,
    };
    config.validate()?;
    Ok(config)
}

fn infer_vit(shapes: &Shapes<'_>) -> Result<VitConfig> {
    let root = "img_enc.visual_encoder";
    let [hidden_size, _, patch_size, _] =
        shapes.of(&format!("{root}.embeddings.patch_embeddings.projection.weight"))?;
    let [_, positions, _] = shapes.of(&format!("{root}.embeddings.position_embeddings"))?;
    let layer = |at: usize| format!("{root}.encoder.layer.{at}.layernorm_before.weight");
    let [intermediate_size, _] =
        shapes.of(&format!("{root}.encoder.layer.0.intermediate.dense.weight"))?;
    Ok(VitConfig {
        hidden_size,
        num_hidden_layers: shapes.count(layer),
        num_attention_heads: heads("image.num_attention_heads", hidden_size)?,
        intermediate_size,
        image_size: positions.saturating_sub(1).isqrt() * patch_size,
        patch_size,
        qkv_bias: shapes.has(&format!("{root}.encoder.layer.0.attention.attention.query.bias")),
        ..Default::default()
    })
}

fn infer_swin(shapes: &Shapes<'_>) -> Result<SwinConfig> {
    let root = "img_enc.visual_encoder";
    let block = |stage: usize, at: usize, rest: &str| {
        format!("{root}.encoder.layers.{stage}.blocks.{at}.{rest}")
    };
    let [embed_dim, _, patch_size, _] =
        shapes.of(&format!("{root}.embeddings.patch_embeddings.projection.weight"))?;
    let [inner, _] = shapes.of(&block(0, 0, "intermediate.dense.weight"))?;
    let stages = shapes.count(|stage| block(stage, 0, "layernorm_before.weight"));
    let mut config = SwinConfig {
        patch_size,
        embed_dim,
        depths: Vec::with_capacity(stages),
        num_heads: Vec::with_capacity(stages),
        mlp_ratio: inner as f64 / embed_dim.max(1) as f64,
        qkv_bias: shapes.has(&block(0, 0, "attention.self.query.bias")),
        ..Default::default()
    };
    for stage in 0..stages {
        // (2 w - 1)^2 rows, one column a head.
        let table = block(stage, 0, "attention.self.relative_position_bias_table");
        let [rows, heads] = shapes.of(&table)?;
        config.window_size = rows.isqrt().div_ceil(2);
        config.num_heads.push(heads);
        config.depths.push(shapes.count(|at| block(stage, at, "layernorm_before.weight")));
    }
    Ok(config)
}

fn infer_bert(shapes: &Shapes<'_>) -> Result<BertConfig> {
    let root = "txt_enc.bert";
    let [vocab_size, hidden_size] =
        shapes.of(&format!("{root}.embeddings.word_embeddings.weight"))?;
    let [max_position_embeddings, _] =
        shapes.of(&format!("{root}.embeddings.position_embeddings.weight"))?;
    let [type_vocab_size, _] =
        shapes.of(&format!("{root}.embeddings.token_type_embeddings.weight"))?;
    let [intermediate_size, _] =
        shapes.of(&format!("{root}.encoder.layer.0.intermediate.dense.weight"))?;
    let layer = |at: usize| format!("{root}.encoder.layer.{at}.intermediate.dense.weight");
    Ok(BertConfig {
        vocab_size,
        hidden_size,
        num_hidden_layers: shapes.count(layer),
        num_attention_heads: heads("text.num_attention_heads", hidden_size)?,
        intermediate_size,
        max_position_embeddings,
        type_vocab_size,
        ..Default::default()
    })
}

fn heads(key: &str, width: usize) -> Result<usize> {
    if USUAL_WIDTHS.contains(&width) {
        return Ok(width / HEAD);
    }
    let message = format!("cannot be told from weights of width {width}; give a configuration");
    Err(Error::config(key, message))
}

struct Shapes<'a>(&'a StateDict);

impl Shapes<'_> {
    fn of<const D: usize>(&self, name: &str) -> Result<[usize; D]> {
        let data = self.0.get(name).ok_or_else(|| Error::Weights(format!("1 missing: {name}")))?;
        let shape = data.shape().to_vec();
        if shape.contains(&0) {
            return Err(Error::Weights(format!("{name} is {shape:?}, so it holds nothing")));
        }
        shape.try_into().map_err(|shape| {
            Error::Weights(format!("{name} is {shape:?}, should have {D} dimensions"))
        })
    }

    fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// How many of `name(0)`, `name(1)`, ... there are in a row.
    fn count(&self, name: impl Fn(usize) -> String) -> usize {
        (0..).take_while(|at| self.has(&name(*at))).count()
    }
}
