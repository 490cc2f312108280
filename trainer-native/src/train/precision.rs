//! Numbers of half the size in the backbones.

use avse_core::AvseModel;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};

use crate::device::describe;
use crate::{Error, Result};

/// What the backbones compute in. Weights, heads, loss and optimiser are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single.
    #[default]
    F32,
    /// Half with the range of f32.
    Bf16,
    /// Half; gradients are scaled to stay in its range.
    F16,
}

impl Precision {
    /// The type of the backbones' numbers.
    pub fn dtype(self) -> FloatDType {
        match self {
            Self::F32 => FloatDType::F32,
            Self::Bf16 => FloatDType::BF16,
            Self::F16 => FloatDType::F16,
        }
    }

    /// Checks that all devices compute in it; others would give anything.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the device.
    pub fn check(self, devices: &[Device]) -> Result<()> {
        match devices.iter().find(|device| !device.supports_dtype(self.dtype())) {
            None => Ok(()),
            Some(device) => {
                let name = describe(device);
                Err(Error::Usage(format!("--precision: {name} does not compute in it")))
            }
        }
    }

    /// The network with its backbones' weights in this type, each a leaf of the graph under its
    /// parameter's id. Layer norms keep f32, see [`avse_core::layers::normalise`].
    pub fn copy(self, model: &AvseModel) -> AvseModel {
        let mut model = model.clone();
        if self != Self::F32 {
            let mut cast = Cast { dtype: self.dtype(), containers: Vec::new() };
            model.image.backbone = model.image.backbone.map(&mut cast);
            model.text.bert = model.text.bert.map(&mut cast);
        }
        model
    }
}

struct Cast {
    dtype: FloatDType,
    containers: Vec<String>,
}

impl ModuleMapper for Cast {
    fn enter_module(&mut self, _name: &str, container: &str) {
        self.containers.push(container.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.containers.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.containers.last().is_some_and(|container| container.contains("LayerNorm")) {
            return param;
        }
        let value = param.val().inner().cast(self.dtype);
        Param::initialized(param.id, Tensor::from_inner(value).require_grad())
    }
}

/// Steps without overflow after which the scale is doubled (as PyTorch's GradScaler).
const PATIENCE: u32 = 2000;
/// The first scale of f16, as PyTorch's.
const START: f64 = 65_536.0;

/// What gradients are multiplied by on their way through the backbones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossScale {
    /// The factor.
    pub factor: f64,
    /// Steps since it was last changed.
    steady: u32,
    /// Whether it moves; without f16 it is 1 for ever.
    pub moves: bool,
    /// Steps that the device skipped.
    #[serde(default, alias = "left_out")]
    pub skipped: usize,
}

impl LossScale {
    /// The scale that a run in `precision` begins with.
    pub fn new(precision: Precision) -> Self {
        let moves = precision == Precision::F16;
        Self { factor: if moves { START } else { 1.0 }, steady: 0, moves, skipped: 0 }
    }

    /// After a step with finite gradients.
    pub fn passed(&mut self) {
        self.steady += 1;
        if self.moves && self.steady >= PATIENCE {
            (self.factor, self.steady) = (self.factor * 2.0, 0);
        }
    }

    /// After gradients that overflowed: whether a smaller scale may help, so that the step is
    /// skipped and the run goes on.
    pub fn overflowed(&mut self) -> bool {
        if !self.moves || self.factor <= 1.0 {
            return false;
        }
        (self.factor, self.steady) = (self.factor / 2.0, 0);
        true
    }
}

/// The scale of f16 where the device decides about overflows: it goes the same way as [`LossScale`], which
/// follows when it is told.
#[derive(Clone, Debug)]
pub struct DeviceScale {
    /// `[1]`, the factor.
    pub factor: Tensor<1>,
    /// `[1]`, steps since it was last changed.
    steady: Tensor<1>,
    /// `[1]`, steps that were skipped.
    pub skipped: Tensor<1>,
}

impl DeviceScale {
    /// Goes on from `scale`.
    pub fn new(scale: &LossScale, device: &Device) -> Self {
        let device = device.clone().inner();
        let one = |number: f32| Tensor::full([1], number, &device);
        Self {
            factor: one(scale.factor as f32),
            steady: one(scale.steady as f32),
            skipped: one(scale.skipped as f32),
        }
    }

    /// After a step that overflowed, or did not (`[1]`).
    pub fn after(self, overflowed: Tensor<1, Bool>) -> Self {
        let Self { factor, steady, skipped } = self;
        let steady = steady.add_scalar(1.0);
        let patient = steady.clone().greater_equal_scalar(PATIENCE as f32);
        let grown = patient.bool_and(overflowed.clone().bool_not());
        let up = factor.clone().mask_where(grown.clone(), factor.clone().mul_scalar(2.0));
        Self {
            factor: up.mask_where(overflowed.clone(), factor.div_scalar(2.0)),
            steady: steady.mask_fill(grown.bool_or(overflowed.clone()), 0.0),
            skipped: skipped + overflowed.float(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_falls_on_overflow_and_rises_again() {
        let mut scale = LossScale::new(Precision::F16);
        assert!(scale.overflowed());
        assert_eq!(scale.factor, START / 2.0);
        (0..PATIENCE).for_each(|_| scale.passed());
        assert_eq!(scale.factor, START);
        while scale.overflowed() {}
        assert_eq!(scale.factor, 1.0);
        assert!(!LossScale::new(Precision::Bf16).overflowed());
    }

    #[test]
    fn the_device_goes_the_same_way() {
        let mut here = LossScale::new(Precision::F16);
        let device = Device::flex();
        let mut there = DeviceScale::new(&here, &device);
        let mut skipped = 0;
        for step in 0..5000 {
            let overflowed = step % 2100 < 3;
            match overflowed {
                true => assert!(here.overflowed()),
                false => here.passed(),
            }
            skipped += u32::from(overflowed);
            let number = if overflowed { 1.0 } else { 0.0 };
            let flag = Tensor::<1>::full([1], number, &device).greater_scalar(0.5);
            there = there.after(flag);
            let factor = there.factor.clone().into_scalar::<f32>();
            assert_eq!((f64::from(factor), step), (here.factor, step));
        }
        assert_eq!(there.skipped.into_scalar::<f32>(), skipped as f32);
    }
}
