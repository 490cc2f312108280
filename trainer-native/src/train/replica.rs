//! The network on one device, and how it takes a step.

use avse_core::AvseModel;
use avse_core::config::ModelConfig;
use avse_core::weights::{Naming, load_into, state_dict_of};
use burn::tensor::{Device, StreamId, Tensor};

use super::collective::Collective;
use super::factor::Factor;
use super::figures::{Figures, StepReport};
use super::gradients::{Input, Method, Place};
use super::loader::Batch;
use super::objective::Objective;
use super::optimiser::{Optimiser, global_norm};
use super::parameter_ids::{ids_of, with_ids};
use super::precision::{DeviceScale, LossScale};
use super::verdict::{Count, Verdict};
use crate::Result;

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
    /// What its gradients are scaled by in f16, after the steps whose figures have been read.
    pub scale: LossScale,
    /// The same after all steps, where the device decides about overflows.
    device_scale: Option<DeviceScale>,
    /// Steps whose figures are read together; 1: in each step, before the weights change.
    log_every: usize,
    figures: Figures,
    /// Where its work is queued in a thread of its own, and the copies of its batches: the same for the whole
    /// run, since Burn keeps a pool of memory for each.
    pub(super) streams: [StreamId; 2],
}

/// What all replicas do in a step.
pub struct StepPlan<'a> {
    /// Its number, from 1.
    pub step: usize,
    /// What is minimised.
    pub objective: Objective<'a>,
    /// How the gradients are computed.
    pub method: Method,
    /// The heads' learning rate.
    pub rate: f64,
    /// Seed of the step's draws.
    pub seed: u64,
}

impl Replica {
    /// A replica on an autodiff device, which reads its steps' figures when there are `log_every` of them. With Muon
    /// in f16 it reads each step: only the host can skip a step that overflowed there.
    pub fn new(
        (rank, device): (usize, Device),
        model: AvseModel,
        optimiser: Optimiser,
        scale: LossScale,
        log_every: usize,
    ) -> Self {
        let forgetful = scale.moves && !optimiser.can_skip();
        Self {
            rank,
            device,
            model,
            optimiser,
            scale,
            device_scale: None,
            log_every: if forgetful { 1 } else { log_every.max(1) },
            figures: Figures::default(),
            streams: [StreamId::allocate(), StreamId::allocate()],
        }
    }

    /// Forward, backward and update on this replica's batch. By value, so that each parameter's
    /// old values are free as soon as it has new ones.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when the loss or the gradient is not a number and that is known already,
    /// [`crate::Error::ReplicaGone`] when another replica has failed.
    pub fn step(
        self,
        batch: &Batch,
        plan: &StepPlan<'_>,
        collective: &dyn Collective,
    ) -> Result<Self> {
        let pixels = plan.objective.pixels(batch, &self.device);
        self.step_with(batch, pixels, plan, collective)
    }

    /// [`Replica::step`] with the pictures `[B, 3, R, R]` on the autodiff device already.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn step_with(
        mut self,
        batch: &Batch,
        pixels: Tensor<4>,
        plan: &StepPlan<'_>,
        collective: &dyn Collective,
    ) -> Result<Self> {
        if self.log_every > 1 && self.scale.moves && self.device_scale.is_none() {
            self.device_scale = Some(DeviceScale::new(&self.scale, &self.device));
        }
        let scale = match &self.device_scale {
            Some(there) => Factor::Tensor(there.factor.clone()),
            None => Factor::Number(self.scale.factor as f32),
        };
        let place =
            Place { device: &self.device, collective, rank: self.rank, seed: plan.seed, scale };
        let input = Input { batch, pixels };
        let (gradients, loss) =
            plan.method.gradients(&self.model, input, &plan.objective, &place)?;
        let norm = self.agreed(global_norm(&self.model, &gradients, &self.device), collective)?;
        self.figures.add(plan.step, plan.rate, loss.clone(), norm.clone());
        let limit = self.optimiser.clip_limit();
        let verdict = if self.log_every > 1 {
            self.unread_verdict(loss, norm, limit)
        } else {
            self.figures.read(&mut self.scale, false)?;
            match self.figures.last() {
                Some(StepReport { gradient_norm, skipped: false, .. }) => {
                    let skipped = Count::Number(self.scale.skipped);
                    Verdict::of_number(*gradient_norm as f32, limit, skipped)
                }
                _ => return Ok(self),
            }
        };
        self.model = self.optimiser.update(self.model, gradients, verdict, plan.rate);
        Ok(self)
    }

    /// The verdict on gradients of which nothing is known here yet.
    fn unread_verdict(&mut self, loss: Tensor<1>, norm: Tensor<1>, limit: f32) -> Verdict {
        let finite_norm = norm.clone().is_finite();
        let is_sound = finite_norm.clone().bool_and(loss.is_finite());
        let skipped = match &self.device_scale {
            Some(there) => Count::Tensor(there.skipped.clone()),
            None => Count::Number(self.scale.skipped),
        };
        let scale = self.device_scale.take();
        self.device_scale = scale.map(|there| there.after(finite_norm.bool_not()));
        Verdict::of_tensor(norm, limit, is_sound, skipped)
    }

    /// Whether so many steps have been taken that their figures should be read.
    pub fn should_read(&self) -> bool {
        self.figures.len() >= self.log_every
    }

    /// Whether steps have been taken whose figures were not handed over.
    pub fn has_unread(&self) -> bool {
        self.figures.len() > 0
    }

    /// Waits for the steps taken so far and hands over their figures, in order.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when a loss or a gradient was not a number, by which no weights have been changed.
    /// Also when the device failed, or what `each` returns.
    pub fn read(&mut self, each: &mut dyn FnMut(&StepReport) -> Result<()>) -> Result<()> {
        let outcome = self.figures.read(&mut self.scale, self.device_scale.is_some());
        self.figures.hand_over(each)?;
        outcome
    }

    /// The mean of the norms `[1]` that all replicas found, who hold the same gradients: devices may round
    /// differently, and weights that are clipped differently drift apart.
    fn agreed(&self, norm: Tensor<1>, collective: &dyn Collective) -> Result<Tensor<1>> {
        match collective.world() {
            1 => Ok(norm),
            world => {
                let sums = collective.sum(self.rank, vec![norm])?;
                let sum = sums.into_iter().next().ok_or_else(super::collective::differ)?;
                Ok(sum.div_scalar(world as f32))
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
