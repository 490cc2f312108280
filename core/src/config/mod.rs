//! Model configuration: what a trained AVSE model is, apart from its weights.
//!
//! The backbone parts read Hugging Face `config.json` files as they are; every
//! other size is a field here, none is hard-coded in the model.

mod bert;
mod checks;
mod resnet;
mod swin;
mod vit;

use serde::{Deserialize, Serialize};

use self::checks::{divides, positive, probability, weights_fit};
use crate::input::json::from_text;
use crate::{Error, Result, image::sampling::RadialBiasSampling};

pub use bert::BertConfig;
pub use resnet::{ResNetConfig, ResNetLayerType};
pub use swin::SwinConfig;
pub use vit::VitConfig;

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
    /// GELU by tanh; `gelu_new` is another name of it.
    #[serde(rename = "gelu_pytorch_tanh", alias = "gelu_new")]
    GeluTanh,
    /// Rectified linear: cheaper, for small models from scratch.
    Relu,
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
        let widths = [self.image.output_size(), self.text.hidden_size];
        let (pooling, views) = (&self.pooling, self.sampling.views);
        weights_fit(
            "embed_size",
            &[
                &[4, self.embed_size, widths[0]],
                &[4, self.embed_size, widths[1]],
                &[8, pooling.hidden_size, pooling.hidden_size],
                &[8, pooling.hidden_size, pooling.position_size],
                &[views, self.embed_size],
            ],
        )?;
        if self.image_size > 1 << 14 {
            return Err(Error::config("image_size", "is more than 16384 pixels"));
        }
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
        let config: Self = from_text(json).map_err(|e| Error::config("model_type", e))?;
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
