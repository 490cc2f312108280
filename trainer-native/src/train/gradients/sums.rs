//! Gradients of several graphs, added up.

use avse_core::AvseModel;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{FloatDType, Tensor};

use crate::Result;
use crate::train::collective::Collective;
use crate::train::factor::Factor;

/// f32 sums by parameter.
pub struct Sums {
    total: GradientsParams,
    /// What the next gradients are multiplied by.
    pub factor: Factor,
}

impl Sums {
    /// Nothing so far.
    pub fn new() -> Self {
        Self { total: GradientsParams::new(), factor: Factor::Number(1.0) }
    }

    /// Adds `factor` times these gradients of `model`'s parameters.
    pub fn add(&mut self, mut gradients: GradientsParams, model: &AvseModel) {
        model.visit(&mut Add { sums: self, gradients: &mut gradients });
    }

    /// The sums.
    pub fn into_gradients(self) -> GradientsParams {
        self.total
    }
}

struct Add<'a> {
    sums: &'a mut Sums,
    gradients: &'a mut GradientsParams,
}

impl ModuleVisitor for Add<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return };
        let gradient = match FloatDType::from(gradient.dtype()) {
            FloatDType::F32 => gradient,
            _ => gradient.cast(FloatDType::F32),
        };
        let gradient = self.sums.factor.times(gradient);
        let total = &mut self.sums.total;
        let sum = match total.remove::<D>(param.id) {
            Some(before) => before + gradient,
            None => gradient,
        };
        total.register(param.id, sum);
    }
}

/// The sums over all replicas.
///
/// # Errors
/// As [`Collective::sum`].
pub fn over_replicas(
    gradients: GradientsParams,
    model: &AvseModel,
    collective: &dyn Collective,
    rank: usize,
) -> Result<GradientsParams> {
    if collective.world() == 1 {
        return Ok(gradients);
    }
    let mut flat = Flatten { gradients, tensors: Vec::new() };
    model.visit(&mut flat);
    let sums = collective.sum(rank, flat.tensors)?;
    let mut restore =
        Restore { sums: sums.into_iter(), from: flat.gradients, to: GradientsParams::new() };
    model.visit(&mut restore);
    Ok(restore.to)
}

struct Flatten {
    gradients: GradientsParams,
    tensors: Vec<Tensor<1>>,
}

impl ModuleVisitor for Flatten {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let length = gradient.shape().num_elements();
            self.tensors.push(gradient.reshape([length]));
        }
    }
}

struct Restore<I> {
    sums: I,
    from: GradientsParams,
    to: GradientsParams,
}

impl<I: Iterator<Item = Tensor<1>>> ModuleVisitor for Restore<I> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(own) = self.from.remove::<D>(param.id)
            && let Some(sum) = self.sums.next()
        {
            self.to.register(param.id, sum.reshape(own.dims()));
        }
    }
}
