//! Everything that fixes a training run.

mod file;
mod loss;
mod none_as_false;
mod optimiser;
mod range;

use std::path::PathBuf;

use avse_core::config::{ImageBackboneConfig, ModelConfig};
use avse_core::image::augmentation::ImageAugmentation;
use avse_core::image::pixels::DecodeLimits;
use avse_core::image::sampling::{RadialBiasSampling, ViewSampling};
use avse_core::text::augmentation::CaptionAugmentation;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::{Method, Precision};
use crate::device::is_cpu;
use crate::pretrained::Heads;
use crate::reading::{MaxErrors, OnError, ReadPolicy, limits_of};
use crate::{Error, Result};

pub use loss::LossConfig;
pub use optimiser::{Clip, MatrixUpdate, OptimiserConfig, Progress, Schedule};

/// A whole run. The defaults are the published recipe; a TOML file of this form is
/// what `--config` reads and what the run's folder keeps as `run.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Dataset by name, see `avse data verify --help`.
    pub dataset: String,
    /// Folder that holds the datasets, or a file or tar files of another form.
    pub data_path: PathBuf,
    /// Folder of the pictures, when it is not the usual one.
    pub images: Option<PathBuf>,
    /// Folder where decoded pictures are kept for later epochs, if they are.
    pub cache: Option<PathBuf>,
    /// The run's folder.
    pub logger_name: PathBuf,
    /// Seed of every random draw.
    pub seed: u64,
    /// Captions a step (and a device).
    pub batch_size: usize,
    /// Epochs; one epoch shows every caption once.
    pub num_epochs: usize,
    /// Threads that prepare batches, for each device; 0: see [`TrainConfig::workers`].
    pub workers: usize,
    /// Side of the network's input in pixels.
    pub img_res: usize,
    /// Width E of a view's and a caption's embedding.
    pub embed_size: usize,
    /// Pretrained image backbone: a folder or a model hub's name.
    pub vit_type: String,
    /// Pretrained text backbone: a folder or a model hub's name.
    pub bert_type: String,
    /// How training views keep patches; without it as `sampling` of the heads or the model says.
    pub view_sampling: Option<ViewSampling>,
    /// What the backbones leave open, apart from the two sizes above.
    pub heads: Heads,
    /// Optimiser and schedule.
    pub optimiser: OptimiserConfig,
    /// Loss.
    pub loss: LossConfig,
    /// What happens to training images.
    pub image_augmentation: ImageAugmentation,
    /// What happens to training captions; `None`: nothing (`--size_augment 0`, in TOML
    /// `caption_augmentation = false`).
    #[serde(with = "none_as_false")]
    pub caption_augmentation: Option<CaptionAugmentation>,
    /// Split that picks the best epoch: `auto` takes `dev` where there is one, else `test`.
    pub select_on: String,
    /// Evaluate after every n-th epoch (and after the last).
    pub evaluate_every: usize,
    /// Samples that the backbones take at once, 0 for the whole batch: less memory, the same
    /// gradients of the same loss over the whole batch.
    pub micro_batch: usize,
    /// Whether the backbones' layers are computed again instead of kept: less memory still.
    pub recompute: bool,
    /// What the backbones compute in.
    pub precision: Precision,
    /// Whether batch norm sees the captions of all devices.
    pub sync_bn: bool,
    /// Steps whose losses and gradient norms are read from the device together; 0: see
    /// [`TrainConfig::log_every`].
    pub log_every: usize,
    /// Steps between checkpoints within an epoch; 0: only after each.
    pub checkpoint_steps: usize,
    /// Checkpoints that are kept.
    pub keep_checkpoints: usize,
    /// A network from scratch instead of pretrained backbones. Its `text.vocab_size` 0
    /// means: learn that vocabulary from the training captions.
    pub model: Option<ModelConfig>,
    /// Most word pieces of a vocabulary learnt from the captions.
    pub vocabulary_size: usize,
    /// What is done about a picture that cannot be read.
    pub on_error: OnError,
    /// How many of a split's pictures may be left out before the run ends.
    pub max_errors: MaxErrors,
    /// Pixels of the largest picture that is read.
    pub max_pixels: u64,
}

/// Threads a device that prepare batches, at most, unless more are asked for.
const MOST_WORKERS: usize = 16;
/// More threads than that are a slip of the hand.
const MOST_THREADS: usize = 1024;

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            dataset: "f30k".into(),
            data_path: "data".into(),
            images: None,
            cache: None,
            logger_name: "runs/test".into(),
            seed: 0,
            batch_size: 128,
            num_epochs: 30,
            workers: 0,
            img_res: 224,
            embed_size: 1024,
            vit_type: "google/vit-base-patch16-224-in21k".into(),
            bert_type: "bert-base-uncased".into(),
            view_sampling: None,
            heads: Heads::default(),
            optimiser: OptimiserConfig::default(),
            loss: LossConfig::default(),
            image_augmentation: ImageAugmentation::default(),
            caption_augmentation: Some(CaptionAugmentation::default()),
            select_on: "auto".into(),
            evaluate_every: 1,
            micro_batch: 0,
            recompute: false,
            precision: Precision::F32,
            sync_bn: false,
            log_every: 0,
            checkpoint_steps: 0,
            keep_checkpoints: 2,
            model: None,
            vocabulary_size: 4000,
            on_error: OnError::Skip,
            max_errors: MaxErrors::default(),
            max_pixels: DecodeLimits::default().max_pixels,
        }
    }
}

impl TrainConfig {
    /// How pictures are read.
    pub fn reading(&self) -> ReadPolicy {
        let (on_error, max_errors) = (self.on_error, self.max_errors);
        ReadPolicy { on_error, max_errors, limits: limits_of(self.max_pixels) }
    }

    /// How a step's gradients are computed.
    pub fn method(&self) -> Method {
        Method {
            micro_batch: if self.micro_batch < self.batch_size { self.micro_batch } else { 0 },
            recompute: self.recompute,
            precision: self.precision,
            sync_bn: self.sync_bn,
        }
    }

    /// Puts the method of `view_sampling`, if it is given, into a model's sampling.
    pub(super) fn set_method(&self, sampling: &mut RadialBiasSampling) {
        sampling.method = self.view_sampling.unwrap_or(sampling.method);
    }

    /// Steps whose figures are read together on a device: by default each step's on the CPU, where reading
    /// waits for nothing, and 16 steps' elsewhere.
    pub fn log_every(&self, device: &Device) -> usize {
        match self.log_every {
            0 if is_cpu(device) => 1,
            0 => 16,
            every => every,
        }
    }

    /// Threads that prepare the batches of one of `devices`; by default all have half of the cores together.
    /// Each thread holds some batches, so more than 16 a device are only taken when asked for.
    pub fn workers(&self, devices: usize) -> usize {
        let half = || std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2));
        match self.workers {
            0 => (half() / devices.max(1)).clamp(1, MOST_WORKERS),
            workers => workers,
        }
    }

    /// Checks that a run of this configuration may go on with another: where its data is and how it is
    /// loaded, evaluated and kept may change, what is done about pictures that cannot be read, and how long it lasts
    /// where the rate does not depend on that; nothing else.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the first key that differs.
    pub fn check_resumable(&self, other: &Self) -> Result<()> {
        // A cosine ends with the run: of another length it is another one from the first step on.
        if let Schedule::Cosine { .. } = self.optimiser.schedule
            && self.num_epochs != other.num_epochs
        {
            return Err(Error::Usage(format!(
                "--resume: the run was started with {} epochs, over which its rate falls",
                self.num_epochs
            )));
        }
        let mut same = other.clone();
        same.data_path.clone_from(&self.data_path);
        same.images.clone_from(&self.images);
        same.cache.clone_from(&self.cache);
        same.logger_name.clone_from(&self.logger_name);
        same.workers = self.workers;
        same.num_epochs = self.num_epochs;
        same.evaluate_every = self.evaluate_every;
        same.log_every = self.log_every;
        same.checkpoint_steps = self.checkpoint_steps;
        same.keep_checkpoints = self.keep_checkpoints;
        (same.on_error, same.max_errors) = (self.on_error, self.max_errors);
        if self.on_error == OnError::Stop {
            // No picture has been left out for its size.
            same.max_pixels = self.max_pixels;
        }
        if same == *self {
            return Ok(());
        }
        let table = |config: &Self| Table::try_from(config).unwrap_or_default();
        let (before, now) = (table(self), table(&same));
        let key = before.iter().find(|(key, value)| now.get(*key) != Some(*value));
        let key = key.map_or("an option", |(key, _)| key);
        Err(Error::Usage(format!("--resume: {key} is not what the run was started with")))
    }

    /// Checks that the image backbone can be run in the way that is asked for.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the option.
    pub fn check_backbone(&self, image: &ImageBackboneConfig) -> Result<()> {
        let method = self.method();
        let option = [
            (method.micro_batch > 0, "--micro-batch"),
            (method.recompute, "--recompute"),
            (method.precision != Precision::F32, "--precision"),
        ];
        match option.into_iter().find(|(given, _)| *given) {
            Some((_, option)) if matches!(image, ImageBackboneConfig::ResNet(_)) => {
                Err(Error::Usage(format!(
                    "{option}: not with a ResNet, whose batch norms take in the whole batch once and in f32"
                )))
            }
            _ => Ok(()),
        }
    }

    /// The first key that means nothing beside a [model], where one is not as it was.
    fn beside_model(&self) -> Option<&'static str> {
        let usual = Self::default();
        self.model.as_ref()?;
        let keys = [
            ("img_res", self.img_res != usual.img_res),
            ("embed_size", self.embed_size != usual.embed_size),
            ("vit_type", self.vit_type != usual.vit_type),
            ("bert_type", self.bert_type != usual.bert_type),
            ("heads", self.heads != usual.heads),
        ];
        keys.into_iter().find_map(|(key, given)| given.then_some(key))
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the option.
    pub fn validate(&self) -> Result<()> {
        let usage = |message: &str| Err(Error::Usage(message.into()));
        if self.batch_size < 2 {
            return usage("--batch_size: at least 2 (a batch of 1 has no negatives)");
        }
        if self.num_epochs == 0 {
            return usage("--num_epochs: at least 1");
        }
        if self.workers > MOST_THREADS {
            return usage("--workers: at most 1024");
        }
        if self.max_pixels == 0 {
            return usage("--max-pixels: at least 1");
        }
        if self.evaluate_every == 0 {
            return usage("evaluate_every: at least 1");
        }
        if let Some(key) = self.beside_model() {
            return Err(Error::Usage(format!(
                "{key}: of pretrained backbones, and this run has a [model] from scratch; change it there"
            )));
        }
        self.optimiser.validate()?;
        self.loss.validate()?;
        self.image_augmentation.validate()?;
        if let Some(augmentation) = &self.caption_augmentation {
            augmentation.validate()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_survives_toml() {
        let plain = TrainConfig { seed: 7, ..Default::default() };
        let bare = TrainConfig { caption_augmentation: None, ..Default::default() };
        for config in [plain, bare] {
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<TrainConfig>(&text).unwrap(), config, "{text}");
        }
        let error = toml::from_str::<TrainConfig>("caption_augmentation = { chance = 3 }");
        let error = error.unwrap_err().to_string();
        assert!(error.contains("chance"), "{error}");
        let error = toml::from_str::<TrainConfig>("batch_sise = 3").unwrap_err().to_string();
        assert!(error.contains("batch_sise"), "{error}");
    }
}
