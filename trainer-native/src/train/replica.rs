//! The network on one device, and how it takes a step.

use avse_core::AvseModel;
use avse_core::config::ModelConfig;
use avse_core::weights::{Naming, load_into, state_dict_of};
use burn::tensor::Device;

use super::EXPLODED;
use super::collective::{Collective, sum_of};
use super::gradients::{Method, Place};
use super::loader::Batch;
use super::objective::Objective;
use super::optimiser::{Optimiser, global_norm};
use super::parameter_ids::{ids_of, with_ids};
use super::precision::LossScale;
use crate::{Error, Result};

/// One of the networks that train together. All hold the same weights after every step, since
/// all apply the same gradients.
pub struct Replica {
    /// Its number, from 0.
    pub rank: usize,
    /// Its autodiff device.
    pub device: Device,
    /// Its weights.
    pub model: AvseModel,
    /// Its optimiser.
    pub optimiser: Optimiser,
    /// What its gradients are scaled by in f16.
    pub scale: LossScale,
}

/// What all replicas do in a step.
pub struct StepPlan<'a> {
    /// What is minimised.
    pub objective: Objective<'a>,
    /// How the gradients are computed.
    pub method: Method,
    /// The heads' learning rate.
    pub rate: f64,
    /// Seed of the step's draws.
    pub seed: u64,
}

/// What one step did.
#[derive(Clone, Copy, Debug)]
pub struct StepReport {
    /// Total loss of the batch (of all replicas).
    pub loss: f64,
    /// Global gradient norm before clipping.
    pub gradient_norm: f64,
    /// Whether f16 overflowed, so that the weights stayed as they were.
    pub skipped: bool,
}

impl Replica {
    /// Forward, backward and update on this replica's batch. By value, so that each parameter's
    /// old values are free as soon as it has new ones.
    ///
    /// # Errors
    /// [`Error::Usage`] when the loss or the gradient is not a number, [`Error::ReplicaGone`] when
    /// another replica has failed.
    pub fn step(
        mut self,
        batch: &Batch,
        plan: &StepPlan<'_>,
        collective: &dyn Collective,
    ) -> Result<(Self, StepReport)> {
        let place = Place {
            device: &self.device,
            collective,
            rank: self.rank,
            seed: plan.seed,
            scale: self.scale.factor,
        };
        let computed = plan.method.compute(&self.model, batch, &plan.objective, &place)?;
        let loss = computed.loss;
        let gradient_norm =
            self.agreed(global_norm(&self.model, &computed.gradients), collective)?;
        if !gradient_norm.is_finite() && self.scale.overflowed() {
            return Ok((self, StepReport { loss, gradient_norm, skipped: true }));
        }
        finite("loss", loss)?;
        finite("gradient norm", gradient_norm)?;
        self.scale.passed();
        let gradients = computed.gradients;
        self.model = self.optimiser.update(self.model, gradients, gradient_norm, plan.rate);
        Ok((self, StepReport { loss, gradient_norm, skipped: false }))
    }

    /// The mean of the norms that all replicas found, who hold the same gradients: devices may round
    /// differently, and weights that are clipped differently drift apart.
    fn agreed(&self, norm: f64, collective: &dyn Collective) -> Result<f64> {
        match collective.world() {
            1 => Ok(norm),
            world => {
                let sum = sum_of(collective, self.rank, &self.device, norm as f32)?;
                Ok(f64::from(sum) / world as f64)
            }
        }
    }
}

/// A copy of a network on another device, under the same parameter ids. A clone would share the
/// running statistics of its batch norms.
///
/// # Errors
/// When the device has no room for it.
pub fn replicate(model: &AvseModel, config: &ModelConfig, device: &Device) -> Result<AvseModel> {
    let fresh = AvseModel::new(config, device)?;
    let weights = state_dict_of(model, Naming::OFFICIAL)?;
    let (copy, _) = load_into(fresh, weights, Naming::OFFICIAL)?;
    Ok(with_ids(copy, ids_of(model).into_iter()))
}

fn finite(what: &str, value: f64) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Error::Usage(format!("the {what} became {value}: training stopped. {EXPLODED}")))
}
