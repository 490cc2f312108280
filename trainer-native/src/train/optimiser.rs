//! The optimiser: AdamW (or Muon) by groups of parameters, of gradients that are clipped.

use std::collections::HashSet;

use avse_core::AvseModel;
use avse_core::image::Backbone;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::record::OptimizerRecord;
use burn::optim::{AdjustLrFn, GradientsParams, ModuleOptimizer, MuonConfig};
use burn::tensor::{Bytes, Device, Tensor};

use super::adamw::AdamW;
use super::config::{Clip, MatrixUpdate, OptimiserConfig};
use super::muon::Muon;
use super::verdict::{Current, Verdict};
use crate::device::is_cpu;
use crate::{Error, Result};

/// One optimiser for the heads, others at a share of the rate for the backbones.
pub struct Optimiser {
    groups: Vec<Group>,
    clip_limit: f32,
    can_skip: bool,
    verdict: Current,
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
        let verdict = Current::new();
        let adamw = || {
            let weight_decay = f64::from(config.weight_decay as f32);
            ModuleOptimizer::from(AdamW { weight_decay, verdict: verdict.clone() })
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
            let muon = MuonConfig::new()
                .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW)
                .with_weight_decay(Some(WeightDecayConfig::new(config.weight_decay as f32)))
                .build();
            let optimiser = ModuleOptimizer::from(Muon { muon, verdict: verdict.clone() });
            backbones.ids.retain(|id| !layers.matrices.contains(id));
            groups.push(Group { optimiser, ids: set(layers.matrices), share });
        }
        groups.push(Group { optimiser: adamw(), ids: set(backbones.ids), share });
        let clip_limit = Clip::limit(config.clip, config.grad_clip) as f32;
        let can_skip = config.matrices != MatrixUpdate::Muon;
        Self { groups, clip_limit, can_skip, verdict }
    }

    /// Whether the device can skip a step so that its state stays as it was.
    pub fn can_skip(&self) -> bool {
        self.can_skip
    }

    /// The largest norm of the gradients that passes.
    pub fn clip_limit(&self) -> f32 {
        self.clip_limit
    }

    /// Updates `model` by `gradients`, as the verdict on them says; `rate` is the heads' learning rate.
    pub fn update(
        &mut self,
        mut model: AvseModel,
        mut gradients: GradientsParams,
        verdict: Verdict,
        rate: f64,
    ) -> AvseModel {
        self.verdict.set(verdict);
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

/// L2 norm `[1]` over all gradients together, on their device.
pub fn global_norm(model: &AvseModel, gradients: &GradientsParams, device: &Device) -> Tensor<1> {
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
    let sum = match is_cpu(device) {
        true => (!squares.sums.is_empty()).then(|| Tensor::cat(squares.sums, 0).sum()),
        // Fused; joining them would be a kernel for each.
        false => squares.sums.into_iter().reduce(|sum, square| sum + square),
    };
    sum.unwrap_or_else(|| Tensor::zeros([1], &device.clone().inner())).sqrt()
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
