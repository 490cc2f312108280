//! Exponential moving average of the weights.

use std::collections::HashMap;

use avse_core::AvseModel;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// The averaged network; evaluating it is steadier than the last step's weights.
pub struct WeightAverage {
    decay: f64,
    updates: usize,
    model: AvseModel,
}

impl WeightAverage {
    /// Starts at `model` (without autodiff).
    pub fn new(model: AvseModel, decay: f64) -> Self {
        Self { decay, updates: 0, model }
    }

    /// Goes on from an average of `updates` updates.
    pub fn resume(model: AvseModel, decay: f64, updates: usize) -> Self {
        Self { decay, updates, model }
    }

    /// Number of updates so far.
    pub fn updates(&self) -> usize {
        self.updates
    }

    /// Moves the average towards `model` (without autodiff).
    pub fn update(&mut self, model: &AvseModel) {
        self.updates += 1;
        // Early on the average follows quickly, or the random start would stay in it.
        let count = self.updates as f64;
        let decay = self.decay.min((1.0 + count) / (10.0 + count));
        let mut values = Values::default();
        model.visit(&mut values);
        let mut blend = Blend { values: values.0, decay };
        self.model = self.model.clone().map(&mut blend);
    }

    /// The averaged network.
    pub fn model(&self) -> &AvseModel {
        &self.model
    }
}

/// Every parameter's values, flat, by id.
#[derive(Default)]
struct Values(HashMap<ParamId, Tensor<1>>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let count = value.shape().num_elements();
        self.0.insert(param.id, value.reshape([count]));
    }
}

struct Blend {
    values: HashMap<ParamId, Tensor<1>>,
    decay: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(value) = self.values.remove(&param.id) else { return param };
        let decay = self.decay;
        param.map(|average| {
            let value = value.reshape(average.dims());
            average.mul_scalar(decay) + value.mul_scalar(1.0 - decay)
        })
    }
}
