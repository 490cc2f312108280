//! The AVSE network: both towers and the similarity as one module.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Int, Tensor};

use crate::Result;
use crate::config::ModelConfig;
use crate::image::ImageTower;
use crate::image::sampling::ViewPlan;
use crate::pooling::Gpo;
use crate::similarity::reference::similarity;
use crate::text::TextTower;

/// The network. Which phase it runs in follows the device of its weights: on an
/// autodiff device it trains (dropout, batch statistics), elsewhere it evaluates.
#[derive(Module, Debug)]
pub struct AvseModel {
    /// Images to embeddings.
    pub image: ImageTower,
    /// Captions to embeddings.
    pub text: TextTower,
}

impl AvseModel {
    /// A network with random weights.
    ///
    /// # Errors
    /// [`crate::Error::Config`] when the configuration is impossible.
    pub fn new(config: &ModelConfig, device: &Device) -> Result<Self> {
        config.validate()?;
        Ok(Self { image: ImageTower::new(config, device), text: TextTower::new(config, device) })
    }

    /// As [`AvseModel::new`], to load weights into and never to train: the pooling operators
    /// are [`Gpo::for_inference`].
    ///
    /// # Errors
    /// As there.
    pub fn for_inference(config: &ModelConfig, device: &Device) -> Result<Self> {
        let mut model = Self::new(config, device)?;
        for pooling in [&mut model.image.head.pooling, &mut model.text.pooling] {
            *pooling = Gpo::for_inference(&config.pooling);
        }
        Ok(model)
    }

    /// The same network with every weight drawn now. Burn draws a weight when it is first used,
    /// and so from another place of the stream of random numbers, and once for each clone's settings.
    pub fn drawn(self) -> Self {
        struct Draw;
        impl ModuleVisitor for Draw {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                drop(param.val());
            }
        }
        self.visit(&mut Draw);
        self
    }

    /// `[B, 3, R, R]` normalised pixels -> `[B, V * E]`.
    pub fn encode_images(&self, pixels: Tensor<4>, plan: &ViewPlan) -> Tensor<2> {
        self.image.forward(pixels, plan)
    }

    /// `[B, T]` padded token ids -> `[B, E]`.
    pub fn encode_captions(&self, ids: Tensor<2, Int>, lengths: &[usize]) -> Tensor<2> {
        self.text.forward(ids, lengths)
    }

    /// Scores of all pairs, see [`similarity`].
    pub fn similarity(images: Tensor<2>, captions: Tensor<2>, config: &ModelConfig) -> Tensor<2> {
        similarity(images, captions, config.block_size)
    }
}
