//! The optimiser: clipping, then AdamW (or Muon) by groups of parameters.

use std::collections::HashSet;

use avse_core::AvseModel;
use avse_core::image::Backbone;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::record::OptimizerRecord;
use burn::optim::{AdamWConfig, AdjustLrFn, GradientsParams, ModuleOptimizer, MuonConfig};
use burn::tensor::{Bytes, Tensor};

use super::config::{Clip, MatrixUpdate, OptimiserConfig};
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
    ids: HashSet<ParamId>,
    /// Share of the heads' learning rate.
    share: f64,
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
        let set = |ids: Vec<ParamId>| ids.into_iter().collect();
        let mut groups = vec![Group { optimiser: adamw(), ids: set(heads), share: 1.0 }];
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
            groups.push(Group { optimiser, ids: set(layers.matrices), share });
        }
        groups.push(Group { optimiser: adamw(), ids: set(backbones.ids), share });
        Self { groups, clip_limit: Clip::limit(config.clip, config.grad_clip) }
    }

    /// Updates `model` by `gradients`, clipped; `rate` is the heads' learning rate, `norm` the
    /// gradients' `global_norm`.
    pub fn update(
        &mut self,
        mut model: AvseModel,
        mut gradients: GradientsParams,
        norm: f64,
        rate: f64,
    ) -> AvseModel {
        if norm > self.clip_limit {
            let factor = self.clip_limit / (norm + 1e-6);
            model.visit(&mut Scale { gradients: &mut gradients, factor });
        }
        for group in &mut self.groups {
            let mut part = GradientsParams::new();
            model.visit(&mut Take { from: &mut gradients, to: &mut part, ids: &group.ids });
            model = group.optimiser.step(rate * group.share, model, part);
        }
        model
    }

    /// The state of every group, for a checkpoint.
    ///
    /// # Errors
    /// [`Error::Usage`] when it cannot be written down.
    pub fn records(&self) -> Result<Vec<Vec<u8>>> {
        let record = |group: &Group| match group.optimiser.into_bytes() {
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(error) => Err(Error::Usage(format!("the optimiser's state: {error}"))),
        };
        self.groups.iter().map(record).collect()
    }

    /// Goes on from the [`Optimiser::records`] of an optimiser for the same configuration and
    /// parameter ids, as bytes.
    ///
    /// # Errors
    /// [`Error::Usage`] when they are none, or of another number of groups.
    pub fn restore(&mut self, records: &[Vec<u8>]) -> Result<()> {
        let wrong = |why: String| Error::Usage(format!("the optimiser's saved state: {why}"));
        if records.len() != self.groups.len() {
            let (found, groups) = (records.len(), self.groups.len());
            return Err(wrong(format!("{found} groups of parameters instead of {groups}")));
        }
        for (group, record) in self.groups.iter_mut().zip(records) {
            let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(record.clone()));
            let record = record.map_err(|e| wrong(e.to_string()))?;
            group.optimiser = group.optimiser.clone().load_record(record);
        }
        Ok(())
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
pub fn global_norm(model: &AvseModel, gradients: &GradientsParams) -> f64 {
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
    let mut squares = Squares { gradients, sums: Vec::new() };
    model.visit(&mut squares);
    if squares.sums.is_empty() {
        return 0.0;
    }
    f64::from(Tensor::cat(squares.sums, 0).sum().into_scalar::<f32>()).sqrt()
}

/// Moves the gradients of some parameters.
struct Take<'a> {
    from: &'a mut GradientsParams,
    to: &'a mut GradientsParams,
    ids: &'a HashSet<ParamId>,
}

impl ModuleVisitor for Take<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.ids.contains(&param.id)
            && let Some(gradient) = self.from.remove::<D>(param.id)
        {
            self.to.register(param.id, gradient);
        }
    }
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
