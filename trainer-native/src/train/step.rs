//! One optimisation step: forward, loss, backward, clipping, AdamW.

use avse_core::config::ModelConfig;
use avse_core::image::Backbone;
use avse_core::loss::Negatives;
use avse_core::{AvseModel, token_tensor};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamWConfig, AdjustLrFn, GradientsParams, ModuleOptimizer, MuonConfig};
use burn::tensor::{Device, Tensor, TensorData};

use super::EXPLODED;
use super::config::{Clip, LossConfig, MatrixUpdate, OptimiserConfig};
use super::loader::Batch;
use crate::{Error, Result};

/// Epsilon of the official AdamW (Burn's default is 1e-5).
const ADAM_EPSILON: f32 = 1e-8;

/// One optimiser for the heads, others at a share of the rate for the backbones.
pub struct Optimiser {
    groups: Vec<Group>,
    clip_limit: f64,
}

/// Parameters that are updated alike.
struct Group {
    optimiser: ModuleOptimizer,
    ids: Vec<ParamId>,
    /// Share of the heads' learning rate.
    share: f64,
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
        let mut backbones = Ids::default();
        model.image.backbone.visit(&mut backbones);
        model.text.bert.visit(&mut backbones);
        let mut all = Ids::default();
        model.visit(&mut all);
        let mut heads = all.ids;
        heads.retain(|id| !backbones.ids.contains(id));
        let mut groups = vec![Group { optimiser: adamw(), ids: heads, share: 1.0 }];
        let share = config.backbone_share;
        if config.matrices == MatrixUpdate::Muon {
            let mut layers = Ids::default();
            match &model.image.backbone {
                Backbone::Vit(vit) => vit.layers.visit(&mut layers),
                Backbone::Swin(swin) => swin.visit(&mut layers),
                Backbone::ResNet(resnet) => resnet.visit(&mut layers),
            }
            model.text.bert.layers.visit(&mut layers);
            let optimiser = MuonConfig::new()
                .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW)
                .with_weight_decay(Some(WeightDecayConfig::new(config.weight_decay as f32)))
                .init();
            backbones.ids.retain(|id| !layers.matrices.contains(id));
            groups.push(Group { optimiser, ids: layers.matrices, share });
        }
        groups.push(Group { optimiser: adamw(), ids: backbones.ids, share });
        Self { groups, clip_limit: Clip::limit(config.clip, config.grad_clip) }
    }

    /// Forward, backward and update on one batch; `rate` is the heads' learning rate.
    ///
    /// # Errors
    /// [`Error::Usage`] when the loss or the gradient is not a number; the weights are as
    /// they were then.
    pub fn step(
        &mut self,
        mut model: AvseModel,
        batch: Batch,
        rate: f64,
        objective: &Objective<'_>,
    ) -> Result<(AvseModel, StepReport)> {
        let loss = objective.loss(&model, batch);
        let value = f64::from(loss.clone().into_scalar::<f32>());
        finite("loss", value)?;
        let mut gradients = loss.backward();
        let of = |group: &Group| GradientsParams::from_params(&mut gradients, &model, &group.ids);
        let mut parts: Vec<GradientsParams> = self.groups.iter().map(of).collect();
        let norm = global_norm(&model, &parts);
        finite("gradient norm", norm)?;
        if norm > self.clip_limit {
            let factor = self.clip_limit / (norm + 1e-6);
            for gradients in &mut parts {
                model.visit(&mut Scale { gradients, factor });
            }
        }
        for (group, gradients) in self.groups.iter_mut().zip(parts) {
            model = group.optimiser.step(rate * group.share, model, gradients);
        }
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

/// Parameters in the order of a visit.
#[derive(Default)]
struct Ids {
    ids: Vec<ParamId>,
    /// The weights of linear layers (of a module without embeddings).
    matrices: Vec<ParamId>,
    /// Names from the module down to the parameter.
    path: Vec<String>,
}

impl ModuleVisitor for Ids {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.ids.push(param.id);
        if D == 2 && self.path.last().is_some_and(|name| name == "weight") {
            self.matrices.push(param.id);
        }
    }
}

/// L2 norm over all gradients together.
fn global_norm(model: &AvseModel, parts: &[GradientsParams]) -> f64 {
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
