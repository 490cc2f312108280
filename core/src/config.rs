//! Model configuration: what a trained AVSE model is, apart from its weights.
//!
//! The backbone parts read Hugging Face `config.json` files as they are; every
//! other size is a field here, none is hard-coded in the model.

use serde::{Deserialize, Serialize};

use crate::{Error, Result, image::sampling::RadialBiasSampling};

/// Everything that fixes the architecture of an AVSE model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Width E of one image view's and of a caption's embedding (1024 in all published commands).
    pub embed_size: usize,
    /// Width of one meta-semantic block (256 in the paper).
    #[serde(default = "defaults::block_size")]
    pub block_size: usize,
    /// Side R in pixels of the square network input.
    pub image_size: usize,
    /// Radial bias sampling: number of views, decay, shares kept.
    #[serde(default)]
    pub sampling: RadialBiasSampling,
    /// Generalised pooling.
    #[serde(default)]
    pub pooling: PoolingConfig,
    /// The image backbone.
    pub image: ImageBackboneConfig,
    /// The text backbone.
    pub text: BertConfig,
    /// Dropout between BERT and the text head (0.2 in the official code).
    #[serde(default = "defaults::text_dropout")]
    pub text_dropout: f64,
}

/// Sizes of the generalised pooling operator (GPO).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolingConfig {
    /// Width of the sinusoidal position codes.
    pub position_size: usize,
    /// Width of one direction of the BiGRU.
    pub hidden_size: usize,
    /// The scores are divided by this before the softmax.
    pub temperature: f64,
}

impl Default for PoolingConfig {
    fn default() -> Self {
        Self { position_size: 32, hidden_size: 32, temperature: 0.1 }
    }
}

/// An image backbone, told apart by `model_type` as in Hugging Face files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model_type", rename_all = "lowercase")]
pub enum ImageBackboneConfig {
    /// Vision Transformer.
    Vit(VitConfig),
    /// Shifted-window transformer.
    Swin(SwinConfig),
    /// Residual convolutions; not in the paper.
    ResNet(ResNetConfig),
}

/// Activation inside a feed-forward part, named as in Hugging Face files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// The exact (erf) GELU, as in all published checkpoints.
    #[default]
    Gelu,
    /// Rectified linear: cheaper, for small models from scratch.
    Relu,
}

/// Vision Transformer, field names as in Hugging Face `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VitConfig {
    /// Token width.
    pub hidden_size: usize,
    /// Number of encoder blocks.
    pub num_hidden_layers: usize,
    /// Attention heads a block.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward part.
    pub intermediate_size: usize,
    /// Side in pixels that the position embedding was made for.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
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
    /// Whether query, key and value have a bias.
    pub qkv_bias: bool,
}

impl Default for VitConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            image_size: 224,
            patch_size: 16,
            layer_norm_eps: 1e-12,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            hidden_act: Activation::Gelu,
            initializer_range: INITIALIZER_RANGE,
            qkv_bias: true,
        }
    }
}

/// Swin Transformer, field names as in Hugging Face `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwinConfig {
    /// Side in pixels of the checkpoint's training images (informative: Swin has no position table).
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Token width of the first stage; it doubles with every stage.
    pub embed_dim: usize,
    /// Blocks in each stage.
    pub depths: Vec<usize>,
    /// Attention heads in each stage.
    pub num_heads: Vec<usize>,
    /// Side of an attention window in tokens.
    pub window_size: usize,
    /// Feed-forward width as a multiple of the token width.
    pub mlp_ratio: f64,
    /// Whether query, key and value have a bias.
    pub qkv_bias: bool,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Dropout after embeddings and sublayers.
    pub hidden_dropout_prob: f64,
    /// Dropout on attention weights.
    pub attention_probs_dropout_prob: f64,
    /// Largest stochastic depth probability (last block); grows linearly from 0.
    pub drop_path_rate: f64,
    /// Activation of the feed-forward part.
    pub hidden_act: Activation,
    /// Standard deviation of the linear layers' new weights.
    pub initializer_range: f64,
    /// Absolute position embeddings; not supported, `false` in all published checkpoints.
    pub use_absolute_embeddings: bool,
}

impl Default for SwinConfig {
    fn default() -> Self {
        Self {
            image_size: 224,
            patch_size: 4,
            embed_dim: 96,
            depths: vec![2, 2, 6, 2],
            num_heads: vec![3, 6, 12, 24],
            window_size: 7,
            mlp_ratio: 4.0,
            qkv_bias: true,
            layer_norm_eps: 1e-5,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            drop_path_rate: 0.1,
            hidden_act: Activation::Gelu,
            initializer_range: INITIALIZER_RANGE,
            use_absolute_embeddings: false,
        }
    }
}

/// Residual convolutional network, field names as in Hugging Face `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResNetConfig {
    /// Width of the stem.
    pub embedding_size: usize,
    /// Width of each stage.
    pub hidden_sizes: Vec<usize>,
    /// Blocks in each stage.
    pub depths: Vec<usize>,
    /// What a block is made of.
    pub layer_type: ResNetLayerType,
    /// Whether the first stage halves the map, too.
    pub downsample_in_first_stage: bool,
    /// Whether a bottleneck block halves the map in its first convolution, not its second.
    pub downsample_in_bottleneck: bool,
}

/// What a residual block is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResNetLayerType {
    /// Two convolutions of 3 x 3.
    Basic,
    /// 1 x 1 to a quarter of the width, 3 x 3, 1 x 1 back.
    #[default]
    Bottleneck,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self {
            embedding_size: 64,
            hidden_sizes: vec![256, 512, 1024, 2048],
            depths: vec![3, 4, 6, 3],
            layer_type: ResNetLayerType::Bottleneck,
            downsample_in_first_stage: false,
            downsample_in_bottleneck: false,
        }
    }
}

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

/// Hugging Face's default of all three.
const INITIALIZER_RANGE: f64 = 0.02;

mod defaults {
    pub fn block_size() -> usize {
        256
    }
    pub fn text_dropout() -> f64 {
        0.2
    }
}

impl ModelConfig {
    /// Checks that every size is possible and that they fit each other.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first key that is wrong.
    pub fn validate(&self) -> Result<()> {
        positive("embed_size", self.embed_size)?;
        positive("block_size", self.block_size)?;
        divides("block_size", self.block_size, "embed_size", self.embed_size)?;
        if !self.embed_size.is_multiple_of(2) {
            return Err(Error::config("embed_size", "must be even (the text head halves it)"));
        }
        positive("pooling.hidden_size", self.pooling.hidden_size)?;
        if self.pooling.position_size == 0 || !self.pooling.position_size.is_multiple_of(2) {
            return Err(Error::config("pooling.position_size", "must be even and at least 2"));
        }
        if !(self.pooling.temperature.is_finite() && self.pooling.temperature > 0.0) {
            return Err(Error::config("pooling.temperature", "must be above 0"));
        }
        probability("text_dropout", self.text_dropout)?;
        self.sampling.validate()?;
        self.image.validate()?;
        if self.image_size < self.image.patch_size() {
            return Err(Error::config("image_size", "smaller than one patch"));
        }
        self.text.validate()
    }

    /// Blocks of an image embedding: views x E / block (8 in the paper).
    pub fn image_blocks(&self) -> usize {
        self.sampling.views * self.embed_size / self.block_size
    }

    /// Blocks of a caption embedding: E / block (4 in the paper).
    pub fn caption_blocks(&self) -> usize {
        self.embed_size / self.block_size
    }
}

impl ImageBackboneConfig {
    /// Reads a Hugging Face `config.json`; `model_type` says which backbone it is.
    ///
    /// # Errors
    /// [`Error::Config`] when the type is unknown or a value is impossible.
    pub fn from_hugging_face(json: &str) -> Result<Self> {
        let config: Self =
            serde_json::from_str(json).map_err(|e| Error::config("model_type", e.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// Width of the tokens that leave the backbone.
    pub fn output_size(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.hidden_size,
            Self::Swin(swin) => swin.stage_size(swin.depths.len().saturating_sub(1)),
            Self::ResNet(resnet) => resnet.hidden_sizes.last().copied().unwrap_or_default(),
        }
    }

    /// Side of a patch in pixels.
    pub fn patch_size(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.patch_size,
            Self::Swin(swin) => swin.patch_size,
            // The stem's stride: what one position of the first map stands for.
            Self::ResNet(_) => 4,
        }
    }

    /// Whether a class token leads the sequence (ViT) or not (Swin, ResNet).
    pub fn has_class_token(&self) -> bool {
        matches!(self, Self::Vit(_))
    }

    /// Side of the token grid that radial bias sampling draws from, for an input of `image_size` pixels.
    pub fn grid_side(&self, image_size: usize) -> usize {
        match self {
            Self::Vit(vit) => image_size / vit.patch_size,
            Self::Swin(swin) => (1..swin.depths.len())
                .fold(image_size.div_ceil(swin.patch_size), |side, _| side.div_ceil(2)),
            Self::ResNet(resnet) => (0..resnet.depths.len())
                .fold(image_size.div_ceil(2).div_ceil(2), |side, stage| {
                    side.div_ceil(resnet.stride(stage))
                }),
        }
    }

    fn validate(&self) -> Result<()> {
        match self {
            Self::Vit(vit) => vit.validate(),
            Self::Swin(swin) => swin.validate(),
            Self::ResNet(resnet) => resnet.validate(),
        }
    }
}

impl VitConfig {
    fn validate(&self) -> Result<()> {
        positive("image.num_hidden_layers", self.num_hidden_layers)?;
        positive("image.intermediate_size", self.intermediate_size)?;
        divides(
            "image.num_attention_heads",
            self.num_attention_heads,
            "image.hidden_size",
            self.hidden_size,
        )?;
        positive("image.patch_size", self.patch_size)?;
        if self.image_size < self.patch_size {
            return Err(Error::config("image.image_size", "smaller than one patch"));
        }
        dropouts("image", self.hidden_dropout_prob, self.attention_probs_dropout_prob)
    }
}

impl SwinConfig {
    /// Token width in stage `stage` (counted from 0).
    pub fn stage_size(&self, stage: usize) -> usize {
        self.embed_dim << stage
    }

    fn validate(&self) -> Result<()> {
        positive("image.patch_size", self.patch_size)?;
        positive("image.window_size", self.window_size)?;
        if self.depths.is_empty() || self.depths.len() != self.num_heads.len() {
            return Err(Error::config("image.num_heads", "needs one entry for each of `depths`"));
        }
        for (stage, &heads) in self.num_heads.iter().enumerate() {
            divides("image.num_heads", heads, "the stage's width", self.stage_size(stage))?;
        }
        if self.use_absolute_embeddings {
            return Err(Error::config("image.use_absolute_embeddings", "is not supported"));
        }
        probability("image.drop_path_rate", self.drop_path_rate)?;
        dropouts("image", self.hidden_dropout_prob, self.attention_probs_dropout_prob)
    }
}

impl ResNetConfig {
    /// Stride of the first block of stage `stage` (counted from 0).
    pub fn stride(&self, stage: usize) -> usize {
        if stage == 0 && !self.downsample_in_first_stage { 1 } else { 2 }
    }

    fn validate(&self) -> Result<()> {
        positive("image.embedding_size", self.embedding_size)?;
        if self.depths.is_empty() || self.depths.len() != self.hidden_sizes.len() {
            return Err(Error::config(
                "image.hidden_sizes",
                "needs one entry for each of `depths`",
            ));
        }
        for (&depth, &width) in self.depths.iter().zip(&self.hidden_sizes) {
            positive("image.depths", depth)?;
            // A bottleneck works at a quarter of the width.
            divides("image.hidden_sizes", 4, "the stage's width", width)?;
        }
        Ok(())
    }
}

impl BertConfig {
    /// Reads a Hugging Face `config.json`.
    ///
    /// # Errors
    /// [`Error::Config`] when it is no BERT configuration or a value is impossible.
    pub fn from_hugging_face(json: &str) -> Result<Self> {
        let value: serde_json::Value =
            serde_json::from_str(json).map_err(|e| Error::config("config.json", e.to_string()))?;
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

    fn validate(&self) -> Result<()> {
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

fn positive(key: &str, value: usize) -> Result<()> {
    if value == 0 { Err(Error::config(key, "must be at least 1")) } else { Ok(()) }
}

fn divides(key: &str, divisor: usize, of: &str, value: usize) -> Result<()> {
    if divisor == 0 || value == 0 || !value.is_multiple_of(divisor) {
        return Err(Error::config(key, format!("{divisor} does not divide {of} = {value}")));
    }
    Ok(())
}

fn probability(key: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::config(key, format!("{value} is not in [0, 1)")))
    }
}

fn dropouts(part: &str, hidden: f64, attention: f64) -> Result<()> {
    probability(&format!("{part}.hidden_dropout_prob"), hidden)?;
    probability(&format!("{part}.attention_probs_dropout_prob"), attention)
}
