//! One optimisation step: forward, loss, backward, clipping, AdamW.

use avse_core::config::ModelConfig;
use avse_core::loss::Negatives;
use avse_core::{AvseModel, token_tensor};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};

use super::EXPLODED;
use super::config::{Clip, LossConfig, OptimiserConfig};
use super::loader::Batch;
use crate::{Error, Result};

/// Epsilon of the official AdamW (Burn's default is 1e-5).
const ADAM_EPSILON: f32 = 1e-8;

/// AdamW with one learning rate for the heads and a lower one for the backbones.
pub struct Optimiser {
    heads: ModuleOptimizer,
    backbones: ModuleOptimizer,
    head_ids: Vec<ParamId>,
    backbone_ids: Vec<ParamId>,
    backbone_share: f64,
    clip_limit: f64,
}

/// What one step did.
#[derive(Clone, Copy, Debug)]
pub struct StepReport {
    /// Total loss of the batch.
    pub loss: f64,
    /// Global gradient norm before clipping.
    pub gradient_norm: f64,
}

impl Optimiser {
    /// A fresh optimiser for `model`.
    pub fn new(model: &AvseModel, config: &OptimiserConfig) -> Self {
        let adamw = || {
            AdamWConfig::new()
                .with_epsilon(ADAM_EPSILON)
                .with_weight_decay(config.weight_decay as f32)
                .init()
        };
        let backbone_ids: Vec<ParamId> = {
            let mut ids = Ids::default();
            model.image.backbone.visit(&mut ids);
            model.text.bert.visit(&mut ids);
            ids.0
        };
        let mut all = Ids::default();
        model.visit(&mut all);
        let head_ids = all.0.into_iter().filter(|id| !backbone_ids.contains(id)).collect();
        Self {
            heads: adamw(),
            backbones: adamw(),
            head_ids,
            backbone_ids,
            backbone_share: config.backbone_share,
            clip_limit: Clip::limit(config.clip, config.grad_clip),
        }
    }

    /// Forward, backward and update on one batch; `rate` is the heads' learning rate.
    ///
    /// # Errors
    /// [`Error::Usage`] when the loss or the gradient is not a number; the weights are as
    /// they were then.
    pub fn step(
        &mut self,
        model: AvseModel,
        batch: Batch,
        rate: f64,
        objective: &Objective<'_>,
    ) -> Result<(AvseModel, StepReport)> {
        let loss = objective.loss(&model, batch);
        let value = f64::from(loss.clone().into_scalar::<f32>());
        finite("loss", value)?;
        let mut gradients = loss.backward();
        let mut heads = GradientsParams::from_params(&mut gradients, &model, &self.head_ids);
        let mut backbones =
            GradientsParams::from_params(&mut gradients, &model, &self.backbone_ids);
        let norm = global_norm(&model, [&heads, &backbones]);
        finite("gradient norm", norm)?;
        if norm > self.clip_limit {
            let factor = self.clip_limit / (norm + 1e-6);
            for gradients in [&mut heads, &mut backbones] {
                model.visit(&mut Scale { gradients, factor });
            }
        }
        let model = self.heads.step(rate, model, heads);
        let model = self.backbones.step(rate * self.backbone_share, model, backbones);
        Ok((model, StepReport { loss: value, gradient_norm: norm }))
    }
}

fn finite(what: &str, value: f64) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Error::Usage(format!("the {what} became {value}: training stopped. {EXPLODED}")))
}

/// What is minimised in an epoch.
pub struct Objective<'a> {
    /// Architecture.
    pub model: &'a ModelConfig,
    /// Parts of the loss.
    pub loss: &'a LossConfig,
    /// Which negatives the triplet loss takes.
    pub negatives: Negatives,
    /// The autodiff device.
    pub device: &'a Device,
}

impl Objective<'_> {
    /// The total loss `[1]` of a batch.
    pub fn loss(&self, model: &AvseModel, batch: Batch) -> Tensor<1> {
        let side = self.model.image_size;
        let pixels = Tensor::<4>::from_data(
            TensorData::new(batch.pixels, [batch.plan.batch, 3, side, side]),
            self.device,
        );
        let images = model.encode_images(pixels, &batch.plan);
        let captions =
            model.encode_captions(token_tensor(&batch.tokens, self.device), &batch.tokens.lengths);
        let scores = AvseModel::similarity(images.clone(), captions, self.model);
        let loss = self.loss;
        let mut total =
            loss.triplet.forward(scores.clone(), self.negatives).mul_scalar(loss.triplet_weight);
        if let Some(contrastive) = &loss.contrastive {
            total = total + contrastive.forward(scores, self.model.caption_blocks());
        }
        if loss.regulariser.weight > 0.0 {
            total = total + loss.regulariser.forward(images, self.model.sampling.views);
        }
        total
    }
}

#[derive(Default)]
struct Ids(Vec<ParamId>);

impl ModuleVisitor for Ids {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.id);
    }
}

/// L2 norm over all gradients together.
fn global_norm(model: &AvseModel, parts: [&GradientsParams; 2]) -> f64 {
    struct Squares<'a> {
        gradients: &'a GradientsParams,
        sums: Vec<Tensor<1>>,
    }
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.get::<D>(param.id) {
                self.sums.push(gradient.square().sum());
            }
        }
    }
    let mut sums = Vec::new();
    for gradients in parts {
        let mut squares = Squares { gradients, sums: Vec::new() };
        model.visit(&mut squares);
        sums.append(&mut squares.sums);
    }
    if sums.is_empty() {
        return 0.0;
    }
    f64::from(Tensor::cat(sums, 0).sum().into_scalar::<f32>()).sqrt()
}

/// Multiplies every gradient by a factor.
struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}
