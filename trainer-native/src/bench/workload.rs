//! What is measured: a network of real shapes with random weights, and its inputs.

use avse_core::config::{BertConfig, ImageBackboneConfig, ModelConfig, PoolingConfig, VitConfig};
use avse_core::image::sampling::RadialBiasSampling;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Published sizes of the Vision Transformer with patches of 16 pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum VitSize {
    /// 192 wide, 12 blocks.
    Tiny,
    /// 384 wide, 12 blocks.
    Small,
    /// 768 wide, 12 blocks: the published commands.
    Base,
    /// 1024 wide, 24 blocks.
    Large,
}

impl VitSize {
    /// The backbone of this size.
    pub fn config(self) -> VitConfig {
        let (width, layers, heads) = match self {
            Self::Tiny => (192, 12, 3),
            Self::Small => (384, 12, 6),
            Self::Base => (768, 12, 12),
            Self::Large => (1024, 24, 16),
        };
        VitConfig {
            hidden_size: width,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            intermediate_size: 4 * width,
            ..VitConfig::default()
        }
    }
}

/// A network, the shapes of its inputs, and how often each phase runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Device, as `--gpu-id` names it.
    pub gpu_id: String,
    /// The network; its weights are random.
    pub model: ModelConfig,
    /// Images encoded together.
    pub image_batch: usize,
    /// Captions encoded together.
    pub caption_batch: usize,
    /// Length of every caption in tokens, `[CLS]` and `[SEP]` included.
    pub caption_tokens: usize,
    /// Image-caption pairs of a training step.
    pub step_batch: usize,
    /// Runs of each phase before it is timed.
    pub warmup: usize,
    /// Timed runs of each phase.
    pub repetitions: usize,
    /// Seed of weights and inputs.
    pub seed: u64,
}

impl Workload {
    /// The shapes of the published commands, with BERT-base.
    pub fn published(vit: VitSize, image_size: usize) -> Self {
        Self {
            gpu_id: "auto".into(),
            model: ModelConfig {
                embed_size: 1024,
                block_size: 256,
                image_size,
                sampling: RadialBiasSampling::default(),
                pooling: PoolingConfig::default(),
                image: ImageBackboneConfig::Vit(vit.config()),
                text: BertConfig::default(),
                text_dropout: 0.2,
            },
            image_batch: 8,
            caption_batch: 32,
            caption_tokens: 16,
            step_batch: 4,
            warmup: 1,
            repetitions: 5,
            seed: 0,
        }
    }

    /// A network so small that all phases take a moment: it tries the code, its figures mean
    /// nothing.
    pub fn quick() -> Self {
        let mut quick = Self::published(VitSize::Tiny, 32);
        let model = &mut quick.model;
        (model.embed_size, model.block_size) = (32, 16);
        model.image = ImageBackboneConfig::Vit(VitConfig {
            hidden_size: 32,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            intermediate_size: 64,
            image_size: 32,
            patch_size: 8,
            ..VitConfig::default()
        });
        model.text = BertConfig {
            vocab_size: 100,
            hidden_size: 32,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            intermediate_size: 64,
            max_position_embeddings: 16,
            ..BertConfig::default()
        };
        (quick.image_batch, quick.caption_batch, quick.step_batch) = (2, 4, 2);
        (quick.caption_tokens, quick.repetitions) = (6, 2);
        quick
    }

    /// Whether the phases do the work that the peers were measured at.
    pub fn is_the_peers(&self) -> bool {
        let peers = Self::published(VitSize::Base, 256);
        let own = Self { gpu_id: peers.gpu_id.clone(), ..self.clone() };
        let counts = (peers.warmup, peers.repetitions, peers.seed);
        Self { warmup: counts.0, repetitions: counts.1, seed: counts.2, ..own } == peers
    }

    /// Checks the network and the counts.
    ///
    /// # Errors
    /// [`Error::Core`] naming a key of the network, [`Error::Usage`] naming a count.
    pub fn validate(&self) -> Result<()> {
        self.model.validate()?;
        let counts = [
            ("--repetitions", self.repetitions, 1),
            ("image_batch", self.image_batch, 1),
            ("caption_batch", self.caption_batch, 1),
            ("step_batch", self.step_batch, 2),
            ("caption_tokens", self.caption_tokens, 2),
        ];
        for (name, count, least) in counts {
            if count < least {
                return Err(Error::Usage(format!("{name} {count}: at least {least}")));
            }
        }
        if self.caption_tokens > self.model.text.max_position_embeddings {
            return Err(Error::Usage(format!(
                "caption_tokens {}: the text backbone has {} positions",
                self.caption_tokens, self.model.text.max_position_embeddings
            )));
        }
        Ok(())
    }
}
