//! A model to start training from: pretrained backbones, random heads.

use std::path::Path;

use avse_core::AvseModel;
use avse_core::config::{BertConfig, ImageBackboneConfig, ModelConfig, PoolingConfig};
use avse_core::image::Backbone;
use avse_core::image::sampling::RadialBiasSampling;
use avse_core::text::tokenizer::CaptionTokenizer;
use avse_core::weights::{LoadReport, Naming, load_into, read_weights};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::files::read_text;
use crate::hub::{self, Hub};
use crate::{Error, Result};

/// What backbones leave open of a model, apart from the two sizes of the published commands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Heads {
    /// Width of a block; without one 256, or the embedding's width where that is less.
    pub block_size: Option<usize>,
    /// Dropout between BERT and the text head.
    pub text_dropout: f64,
    /// Radial bias sampling: number of views, decay, shares kept.
    pub sampling: RadialBiasSampling,
    /// Generalised pooling.
    pub pooling: PoolingConfig,
}

impl Default for Heads {
    /// As the official code.
    fn default() -> Self {
        Self {
            block_size: None,
            text_dropout: 0.2,
            sampling: RadialBiasSampling::default(),
            pooling: PoolingConfig::default(),
        }
    }
}

/// Which backbones, and what they do not fix.
#[derive(Debug, Clone)]
pub struct Backbones {
    /// A ViT, Swin or ResNet: a folder or a name on the hub.
    pub image: String,
    /// A BERT with its tokenizer: a folder or a name on the hub.
    pub text: String,
    /// Width E of a view's and a caption's embedding.
    pub embed_size: usize,
    /// Side R of the network input in pixels.
    pub image_size: usize,
    /// Everything else.
    pub heads: Heads,
}

/// What pretrained backbones make.
#[derive(Debug)]
pub struct Pretrained {
    /// The configuration.
    pub config: ModelConfig,
    /// The model: backbones loaded, heads random.
    pub model: AvseModel,
    /// The text backbone's tokenizer.
    pub tokenizer: CaptionTokenizer,
    /// What became of the image backbone's tensors.
    pub image_report: LoadReport,
    /// What became of the text backbone's tensors.
    pub text_report: LoadReport,
}

/// Builds the model. The heads are drawn from the device's generator: seed it
/// first for the same heads every time.
///
/// # Errors
/// [`Error::Usage`] if a backbone is not to be had; what reading its files
/// says otherwise.
pub fn from_backbones(backbones: &Backbones, hub: &Hub, device: &Device) -> Result<Pretrained> {
    let image_folder = hub.resolve(&backbones.image, hub::BACKBONE)?;
    let text_files = [hub::BACKBONE, hub::TOKENIZER].concat();
    let text_folder = hub.resolve(&backbones.text, &text_files)?;
    let Heads { block_size, text_dropout, sampling, pooling } = backbones.heads.clone();
    let config = ModelConfig {
        embed_size: backbones.embed_size,
        block_size: block_size.unwrap_or(256.min(backbones.embed_size)),
        image_size: backbones.image_size,
        sampling,
        pooling,
        image: in_file(&image_folder, ImageBackboneConfig::from_hugging_face)?,
        text: in_file(&text_folder, BertConfig::from_hugging_face)?,
        text_dropout,
    };
    let tokenizer = CaptionTokenizer::from_folder(&text_folder)?;

    let mut model = AvseModel::new(&config, device)?;
    let weights = read_weights(&image_folder)?;
    let (backbone, image_report) = match model.image.backbone {
        Backbone::Vit(vit) => {
            let (vit, report) = named(&image_folder, load_into(vit, weights, Naming::VIT))?;
            (Backbone::Vit(vit), report)
        }
        Backbone::Swin(swin) => {
            let (swin, report) = named(&image_folder, load_into(swin, weights, Naming::SWIN))?;
            (Backbone::Swin(swin), report)
        }
        Backbone::ResNet(resnet) => {
            let (resnet, report) =
                named(&image_folder, load_into(resnet, weights, Naming::RESNET))?;
            (Backbone::ResNet(resnet), report)
        }
    };
    model.image.backbone = backbone;
    let weights = read_weights(&text_folder)?;
    let (bert, text_report) =
        named(&text_folder, load_into(model.text.bert, weights, Naming::BERT))?;
    model.text.bert = bert;
    Ok(Pretrained { config, model, tokenizer, image_report, text_report })
}

/// Reads the folder's `config.json`, naming it in errors.
fn in_file<T>(folder: &Path, read: impl Fn(&str) -> avse_core::Result<T>) -> Result<T> {
    let path = folder.join("config.json");
    let text = read_text(&path)?;
    read(&text).map_err(|e| Error::format(&path, e.to_string()))
}

fn named<T>(folder: &Path, result: avse_core::Result<T>) -> Result<T> {
    result.map_err(|e| Error::format(folder, e.to_string()))
}
