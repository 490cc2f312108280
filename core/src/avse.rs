//! A trained model ready for use: network, tokenizer and preprocessing together.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::config::ModelConfig;
use crate::image::ImageTower;
use crate::image::pixels::{Preprocess, RgbImage};
use crate::input::json;
use crate::model::AvseModel;
use crate::similarity::reference::{l2_normalise, similarity};
use crate::text::TextTower;
use crate::text::tokenizer::{CaptionTokenizer, TokenBatch};
use crate::weights::{
    Bundle, BundleContents, LoadReport, Manifest, Naming, Precision, StateDict, Towers,
    VerifiedFiles, load_into, state_dict_of, undrawn,
};
use crate::{Error, Result, is_cpu};

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
    towers: Towers,
}

/// The text tower under the names that it has in the whole model.
#[derive(Module, Debug)]
struct TextAlone {
    text: TextTower,
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
        let device = model.text.projection.weight.device();
        let preprocess = Preprocess::new(config.image_size);
        Ok(Self { config, model, tokenizer, preprocess, device, towers: Towers::Both })
    }

    /// Loads a bundle onto `device` and says which of its tensors it has no use for.
    ///
    /// # Errors
    /// Whatever [`Bundle::open`] finds, [`Error::Format`] when tensors and
    /// configuration do not fit, or a weight is NaN or infinite.
    pub fn load(folder: impl AsRef<Path>, device: &Device) -> Result<(Self, LoadReport)> {
        let bundle = Bundle::open(folder)?;
        let config: ModelConfig = bundle.config()?;
        let tokenizer = bundle.tokenizer()?;
        let tokenizer = utf8(&tokenizer, &bundle.folder().join("tokenizer.json"))?;
        let towers = bundle.manifest().towers;
        Self::assemble(config, bundle.weights()?, tokenizer, towers, device).map_err(|e| match e {
            Error::Weights(_) => Error::format(bundle.folder(), e.to_string()),
            other => other,
        })
    }

    /// As [`Avse::load`], from the contents of a bundle's files, with their manifest.
    ///
    /// # Errors
    /// As there, but for what `BundleFiles::verify` has found before.
    pub fn from_files(bundle: VerifiedFiles, device: &Device) -> Result<(Self, Manifest)> {
        let VerifiedFiles { files, manifest } = bundle;
        let config = json::parse(&files.config, Path::new("config.json"))?;
        let tokenizer = utf8(&files.tokenizer, Path::new("tokenizer.json"))?;
        let (length, path) = (files.weights.len() as u64, Path::new("model.safetensors"));
        let weights = StateDict::from_safetensors(files.weights.as_slice(), length, path)?;
        drop(files.weights);
        let (avse, _) = Self::assemble(config, weights, tokenizer, manifest.towers, device)?;
        Ok((avse, manifest))
    }

    fn assemble(
        config: ModelConfig,
        weights: StateDict,
        tokenizer: &str,
        towers: Towers,
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        let tokenizer = CaptionTokenizer::from_json(tokenizer)?;
        let network = AvseModel::for_inference(&config, device)?;
        let (model, report) = match towers {
            Towers::Both => {
                let (mut model, report) = load_into(undrawn(network), weights, Naming::OFFICIAL)?;
                if is_cpu(device) {
                    model.image = model.image.for_cpu();
                }
                (model, report)
            }
            Towers::Text => {
                // The image tower costs nothing: Burn makes a parameter when it is first used.
                let AvseModel { image, text } = network;
                let alone = undrawn(TextAlone { text });
                let (alone, report) = load_into(alone, weights, Naming::OFFICIAL)?;
                (AvseModel { image, text: alone.text }, report)
            }
        };
        Ok((Self { towers, ..Self::new(config, model, tokenizer)? }, report))
    }

    /// Writes a bundle, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>, precision: Precision) -> Result<()> {
        let config = serde_json::to_value(&self.config)
            .map_err(|e| Error::config("model", e.to_string()))?;
        let weights = match self.towers {
            Towers::Both => state_dict_of(&self.model, Naming::OFFICIAL)?,
            Towers::Text => {
                state_dict_of(&TextAlone { text: self.model.text.clone() }, Naming::OFFICIAL)?
            }
        };
        let tokenizer = self.tokenizer.to_json()?;
        let contents = BundleContents {
            config: &config,
            weights: &weights,
            tokenizer: tokenizer.as_bytes(),
            precision,
            towers: self.towers,
        };
        Bundle::write(folder, contents).map(|_| ())
    }

    /// Whether pictures can be encoded: a bundle may hold the text tower alone.
    pub fn has_image_tower(&self) -> bool {
        self.towers.has_image()
    }

    /// Checks that pictures can be encoded.
    ///
    /// # Errors
    /// [`Error::Image`] when the bundle holds the text tower alone.
    pub fn expect_image_tower(&self) -> Result<()> {
        if self.has_image_tower() {
            return Ok(());
        }
        let message = "this model was exported for text alone: it has no image tower";
        Err(Error::Image(message.into()))
    }

    /// Number of weights of the towers that are there.
    pub fn parameters(&self) -> usize {
        let image = if self.has_image_tower() { self.model.image.num_params() } else { 0 };
        image + self.model.text.num_params()
    }

    /// The device that the network is on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Embeddings `[B, V * E]` of pictures, always the same for the same picture.
    ///
    /// # Panics
    /// As [`Avse::encode_pixels`].
    pub fn encode_images(&self, images: &[RgbImage]) -> Tensor<2> {
        let pixels = images.iter().flat_map(|image| self.preprocess.evaluate(image)).collect();
        self.encode_pixels(pixels, images.len())
    }

    /// Embeddings `[B, V * E]` of `batch` network inputs, `[B, 3, R, R]` on the host.
    ///
    /// # Panics
    /// Without an image tower, see [`Avse::expect_image_tower`].
    pub fn encode_pixels(&self, pixels: Vec<f32>, batch: usize) -> Tensor<2> {
        self.encode_pixels_averaged(pixels, batch, 1)
    }

    /// As [`Avse::encode_pixels`], each view's embedding averaged over `plans` plans of fixed
    /// view centres and normalised again; with 1 it is [`Avse::encode_pixels`] itself.
    ///
    /// The views of all plans go through the same weights, so that the numbers of a view's
    /// embedding mean the same in each of them. See [`RadialBiasSampling::fixed_plans`].
    ///
    /// # Panics
    /// As there.
    ///
    /// [`RadialBiasSampling::fixed_plans`]: crate::image::sampling::RadialBiasSampling::fixed_plans
    pub fn encode_pixels_averaged(
        &self,
        pixels: Vec<f32>,
        batch: usize,
        plans: usize,
    ) -> Tensor<2> {
        // Its random weights would give embeddings that look like any other.
        assert!(self.has_image_tower(), "this model has no image tower");
        let side = self.config.image_size;
        let pixels =
            Tensor::<4>::from_data(TensorData::new(pixels, [batch, 3, side, side]), &self.device);
        let sampling = &self.config.sampling;
        let plan = sampling.fixed_plans(ImageTower::grid(&self.config), batch, plans);
        let embeddings = self.model.encode_images(pixels, &plan);
        if plan.views == sampling.views {
            return embeddings;
        }
        let (views, width) = (sampling.views, self.config.embed_size);
        let mean = embeddings.reshape([batch, plans, views * width]).mean_dim(1);
        l2_normalise(mean.reshape([batch * views, width])).reshape([batch, views * width])
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
