//! A trained model ready for use: network, tokenizer and preprocessing together.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::config::ModelConfig;
use crate::image::ImageTower;
use crate::image::pixels::{Preprocess, RgbImage};
use crate::model::AvseModel;
use crate::similarity::reference::similarity;
use crate::text::tokenizer::{CaptionTokenizer, TokenBatch};
use crate::weights::{
    Bundle, BundleContents, BundleFiles, LoadReport, Manifest, Naming, Precision, StateDict,
    load_into, state_dict_of,
};
use crate::{Error, Result};

/// A network with all that turns pictures and sentences into its inputs.
#[derive(Clone)]
pub struct Avse {
    /// Architecture.
    pub config: ModelConfig,
    /// The network, on a device without autodiff.
    pub model: AvseModel,
    /// Sentences to token ids.
    pub tokenizer: CaptionTokenizer,
    /// Pictures to pixels.
    pub preprocess: Preprocess,
    device: Device,
}

impl Avse {
    /// Puts the parts together; `model` is used for inference only.
    ///
    /// # Errors
    /// [`Error::Config`] when the tokenizer has more word pieces than the network.
    pub fn new(config: ModelConfig, model: AvseModel, tokenizer: CaptionTokenizer) -> Result<Self> {
        config.validate()?;
        if tokenizer.vocab_size() > config.text.vocab_size {
            let message = format!(
                "{} rows for the {} word pieces of the tokenizer",
                config.text.vocab_size,
                tokenizer.vocab_size()
            );
            return Err(Error::config("text.vocab_size", message));
        }
        let device = model.image.head.projection.weight.device();
        let preprocess = Preprocess::new(config.image_size);
        Ok(Self { config, model, tokenizer, preprocess, device })
    }

    /// Loads a bundle onto `device` and says which of its tensors it has no use for.
    ///
    /// # Errors
    /// Whatever [`Bundle::open`] finds, [`Error::Weights`] when tensors and
    /// configuration do not fit.
    pub fn load(folder: impl AsRef<Path>, device: &Device) -> Result<(Self, LoadReport)> {
        let bundle = Bundle::open(folder)?;
        let config: ModelConfig = bundle.config()?;
        let tokenizer = bundle.tokenizer()?;
        let tokenizer = utf8(&tokenizer, &bundle.folder().join("tokenizer.json"))?;
        Self::assemble(config, bundle.weights()?, tokenizer, device)
    }

    /// As [`Avse::load`], from the contents of a bundle's files, with their manifest.
    ///
    /// # Errors
    /// Whatever [`BundleFiles::verify`] finds, and as there.
    pub fn from_files(files: BundleFiles, device: &Device) -> Result<(Self, Manifest)> {
        let manifest = files.verify()?;
        let config = serde_json::from_slice(&files.config)
            .map_err(|e| Error::format("config.json", e.to_string()))?;
        let tokenizer = utf8(&files.tokenizer, Path::new("tokenizer.json"))?;
        let (length, path) = (files.weights.len() as u64, Path::new("model.safetensors"));
        let weights = StateDict::from_safetensors(files.weights.as_slice(), length, path)?;
        drop(files.weights);
        Ok((Self::assemble(config, weights, tokenizer, device)?.0, manifest))
    }

    fn assemble(
        config: ModelConfig,
        weights: StateDict,
        tokenizer: &str,
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        let tokenizer = CaptionTokenizer::from_json(tokenizer)?;
        let network = AvseModel::for_inference(&config, device)?;
        let (mut model, report) = load_into(network, weights, Naming::OFFICIAL)?;
        if *device == Device::flex() {
            model.image = model.image.for_cpu();
        }
        Ok((Self::new(config, model, tokenizer)?, report))
    }

    /// Writes a bundle, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>, precision: Precision) -> Result<()> {
        let config = serde_json::to_value(&self.config)
            .map_err(|e| Error::config("model", e.to_string()))?;
        let weights = state_dict_of(&self.model, Naming::OFFICIAL)?;
        let tokenizer = self.tokenizer.to_json()?;
        let contents = BundleContents {
            config: &config,
            weights: &weights,
            tokenizer: tokenizer.as_bytes(),
            precision,
        };
        Bundle::write(folder, contents).map(|_| ())
    }

    /// Whether pictures can be encoded: a bundle may hold the text tower alone.
    pub fn has_image_tower(&self) -> bool {
        true
    }

    /// The device that the network is on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Embeddings `[B, V * E]` of pictures, always the same for the same picture.
    pub fn encode_images(&self, images: &[RgbImage]) -> Tensor<2> {
        let pixels = images.iter().flat_map(|image| self.preprocess.evaluate(image)).collect();
        self.encode_pixels(pixels, images.len())
    }

    /// Embeddings `[B, V * E]` of `batch` network inputs, `[B, 3, R, R]` on the host.
    pub fn encode_pixels(&self, pixels: Vec<f32>, batch: usize) -> Tensor<2> {
        let side = self.config.image_size;
        let pixels =
            Tensor::<4>::from_data(TensorData::new(pixels, [batch, 3, side, side]), &self.device);
        let plan = self.config.sampling.fixed_plan(ImageTower::grid(&self.config), batch);
        self.model.encode_images(pixels, &plan)
    }

    /// Embeddings `[B, E]` of sentences; a sentence longer than the network has
    /// positions for is cut.
    pub fn encode_texts(&self, sentences: &[&str]) -> Tensor<2> {
        self.encode_tokens(&self.tokenizer.encode_batch(sentences, self.max_tokens()))
    }

    /// Embeddings `[B, E]` of padded token ids.
    pub fn encode_tokens(&self, tokens: &TokenBatch) -> Tensor<2> {
        self.model.encode_captions(token_tensor(tokens, &self.device), &tokens.lengths)
    }

    /// Longest sentence in tokens, `[CLS]` and `[SEP]` included.
    pub fn max_tokens(&self) -> usize {
        self.config.text.max_position_embeddings
    }

    /// Scores of all pairs, see [`similarity`].
    pub fn similarity(&self, images: Tensor<2>, captions: Tensor<2>) -> Tensor<2> {
        similarity(images, captions, self.config.block_size)
    }
}

fn utf8<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|_| Error::format(path, "is not UTF-8"))
}

/// Padded token ids as a tensor `[B, T]` on `device`.
pub fn token_tensor(tokens: &TokenBatch, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = tokens.ids.iter().map(|id| *id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [tokens.lengths.len(), tokens.width]), device)
}
