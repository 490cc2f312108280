//! Everything that fixes a training run.

use std::path::{Path, PathBuf};

use avse_core::config::{ImageBackboneConfig, ModelConfig};
use avse_core::image::augmentation::ImageAugmentation;
use avse_core::image::sampling::ViewSampling;
use avse_core::loss::{ContrastiveLoss, Regulariser, TripletLoss};
use avse_core::text::augmentation::CaptionAugmentation;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{Method, Precision};
use crate::{Error, Result};

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
    /// Threads that prepare batches.
    pub workers: usize,
    /// Side of the network's input in pixels.
    pub img_res: usize,
    /// Width E of a view's and a caption's embedding.
    pub embed_size: usize,
    /// Pretrained image backbone: a folder or a model hub's name.
    pub vit_type: String,
    /// Pretrained text backbone: a folder or a model hub's name.
    pub bert_type: String,
    /// How training views keep patches.
    pub view_sampling: ViewSampling,
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
    /// Steps between checkpoints within an epoch; 0: only after each.
    pub checkpoint_steps: usize,
    /// Checkpoints that are kept.
    pub keep_checkpoints: usize,
    /// A network from scratch instead of pretrained backbones. Its `text.vocab_size` 0
    /// means: learn that vocabulary from the training captions.
    pub model: Option<ModelConfig>,
    /// Most word pieces of a vocabulary learnt from the captions.
    pub vocabulary_size: usize,
}

/// TOML has no null, and leaving the key out means the default: without this, a run
/// without augmentation would get it back from its own `run.toml`.
mod none_as_false {
    use avse_core::text::augmentation::CaptionAugmentation;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use toml::Value;

    pub fn serialize<S: Serializer>(
        value: &Option<CaptionAugmentation>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(augmentation) => augmentation.serialize(serializer),
            None => false.serialize(serializer),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<CaptionAugmentation>, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Boolean(false) => Ok(None),
            Value::Boolean(true) => Ok(Some(CaptionAugmentation::default())),
            settings => settings.try_into().map(Some).map_err(D::Error::custom),
        }
    }
}

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
            view_sampling: ViewSampling::Nearest,
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
            checkpoint_steps: 0,
            keep_checkpoints: 2,
            model: None,
            vocabulary_size: 4000,
        }
    }
}

/// AdamW, its schedule and gradient clipping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimiserConfig {
    /// Learning rate of the heads.
    pub learning_rate: f64,
    /// The backbones' rate as a share of the heads'.
    pub backbone_share: f64,
    /// Decoupled weight decay, on every parameter.
    pub weight_decay: f64,
    /// What updates the backbones' weight matrices.
    pub matrices: MatrixUpdate,
    /// Steps over which the rate rises from 0.
    pub warmup_steps: usize,
    /// How the rate falls.
    pub schedule: Schedule,
    /// Largest global gradient norm.
    pub grad_clip: f64,
    /// Which norm is clipped.
    pub clip: Clip,
    /// Decay of the averaged weights that are evaluated and saved; 0 turns averaging off.
    pub average_decay: f64,
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        Self {
            learning_rate: 2e-4,
            backbone_share: 0.1,
            weight_decay: 1e-4,
            matrices: MatrixUpdate::AdamW,
            warmup_steps: 0,
            schedule: Schedule::default(),
            grad_clip: 2.0,
            clip: Clip::True,
            average_decay: 0.0,
        }
    }
}

/// What updates the weight matrices of the backbones' layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MatrixUpdate {
    /// As everything else, and as the official code.
    #[default]
    AdamW,
    /// Muon: momentum made orthogonal, scaled to AdamW's step size. Backbones from scratch
    /// learn faster with it.
    Muon,
}

/// Fall of the learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum Schedule {
    /// Times `factor` at each of `epochs` (counted from 0).
    Step {
        /// Epochs before which the rate falls.
        epochs: Vec<usize>,
        /// What it is multiplied by.
        factor: f64,
    },
    /// A half cosine over the whole run down to `last` times the rate.
    Cosine {
        /// Share of the rate that is left at the end.
        last: f64,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Step { epochs: vec![9, 15, 20, 25], factor: 0.3 }
    }
}

/// Which gradient norm is clipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Clip {
    /// The gradient's own norm.
    #[default]
    True,
    /// The norm of the fp16-scaled gradient, as the official code does: the true norm is
    /// capped at `grad_clip / 65536`.
    Official,
}

impl Clip {
    /// The largest true norm that passes.
    pub fn limit(self, grad_clip: f64) -> f64 {
        match self {
            Self::True => grad_clip,
            Self::Official => grad_clip / 65_536.0,
        }
    }
}

/// Parts of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of the triplet loss.
    pub triplet_weight: f64,
    /// Margin of the triplet loss.
    pub triplet: TripletLoss,
    /// First epochs in which all negatives count; afterwards the hardest.
    pub all_negatives_epochs: usize,
    /// Dimension-wise regulariser.
    pub regulariser: Regulariser,
    /// Contrastive loss, not in the official recipe.
    pub contrastive: Option<ContrastiveLoss>,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            triplet_weight: 1.0,
            triplet: TripletLoss::default(),
            all_negatives_epochs: 1,
            regulariser: Regulariser::default(),
            contrastive: None,
        }
    }
}

impl TrainConfig {
    /// Reads a run from a TOML file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] naming file, line and key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let wrong = |message: String| Error::format(path, message);
        let config: Self = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        // Backbones skip keys that they do not know, for the sake of Hugging Face's files;
        // in a run a misspelt key must not turn into a default.
        let given: Table = text.parse().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
        let understood = Table::try_from(&config).map_err(|e| wrong(e.to_string()))?;
        match unknown_key(&given, &understood) {
            Some(key) => Err(wrong(format!("unknown key `{key}`"))),
            None => Ok(config),
        }
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

    /// Threads that prepare batches.
    pub fn workers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2)),
            workers => workers,
        }
    }

    /// Checks that a run of this configuration may go on with another: where its data is and how it is
    /// loaded, evaluated and kept may change, and how long it lasts; nothing else.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the first key that differs.
    pub fn check_resumable(&self, other: &Self) -> Result<()> {
        let mut same = other.clone();
        same.data_path.clone_from(&self.data_path);
        same.images.clone_from(&self.images);
        same.cache.clone_from(&self.cache);
        same.logger_name.clone_from(&self.logger_name);
        same.workers = self.workers;
        same.num_epochs = self.num_epochs;
        same.evaluate_every = self.evaluate_every;
        same.checkpoint_steps = self.checkpoint_steps;
        same.keep_checkpoints = self.keep_checkpoints;
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
        if self.evaluate_every == 0 {
            return usage("evaluate_every: at least 1");
        }
        let optimiser = &self.optimiser;
        if !(optimiser.learning_rate.is_finite() && optimiser.learning_rate > 0.0) {
            return usage("--learning_rate: must be above 0");
        }
        if !(optimiser.grad_clip.is_finite() && optimiser.grad_clip > 0.0) {
            return usage("--grad_clip: must be above 0");
        }
        if !(0.0..1.0).contains(&optimiser.average_decay) {
            return usage("optimiser.average_decay: must be in [0, 1)");
        }
        self.image_augmentation.validate()?;
        if let Some(augmentation) = &self.caption_augmentation {
            augmentation.validate()?;
        }
        Ok(())
    }
}

/// The first key of `given` that `understood` lacks, with dots between levels.
fn unknown_key(given: &Table, understood: &Table) -> Option<String> {
    given.iter().find_map(|(key, value)| match (value, understood.get(key)) {
        (_, None) => Some(key.clone()),
        (Value::Table(given), Some(Value::Table(understood))) => {
            unknown_key(given, understood).map(|inner| format!("{key}.{inner}"))
        }
        _ => None,
    })
}

impl OptimiserConfig {
    /// The heads' learning rate at a step.
    pub fn rate_at(&self, progress: Progress) -> f64 {
        let warmup = if progress.step < self.warmup_steps {
            (progress.step + 1) as f64 / self.warmup_steps as f64
        } else {
            1.0
        };
        let fall = match &self.schedule {
            Schedule::Step { epochs, factor } => {
                let falls = epochs.iter().filter(|epoch| progress.epoch >= **epoch).count();
                factor.powi(falls as i32)
            }
            Schedule::Cosine { last } => {
                let done = progress.step as f64 / progress.steps.max(1) as f64;
                last + (1.0 - last) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        };
        self.learning_rate * warmup * fall
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Epoch, counted from 0.
    pub epoch: usize,
    /// Steps taken since the start.
    pub step: usize,
    /// Steps of the whole run.
    pub steps: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schedule() {
        let optimiser = OptimiserConfig::default();
        let rate = |epoch| optimiser.rate_at(Progress { epoch, step: epoch, steps: 30 });
        assert_eq!(rate(0), 2e-4);
        assert_eq!(rate(8), 2e-4);
        assert!((rate(9) - 6e-5).abs() < 1e-12);
        assert!((rate(29) - 2e-4 * 0.3f64.powi(4)).abs() < 1e-12);
    }

    #[test]
    fn cosine_with_warmup() {
        let optimiser = OptimiserConfig {
            learning_rate: 1.0,
            warmup_steps: 10,
            schedule: Schedule::Cosine { last: 0.1 },
            ..Default::default()
        };
        let rate = |step| optimiser.rate_at(Progress { epoch: 0, step, steps: 100 });
        assert!((rate(0) - 0.1).abs() < 1e-9);
        assert!((rate(50) - 0.55).abs() < 1e-9);
        assert!((rate(100) - 0.1).abs() < 1e-9);
    }

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
