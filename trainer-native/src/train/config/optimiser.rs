//! The optimiser's settings: AdamW, clipping, and how the learning rate goes.

use serde::{Deserialize, Serialize};

use super::range::{above, not_below};
use crate::{Error, Result};

/// AdamW, its schedule and gradient clipping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimiserConfig {
    /// Learning rate of the heads.
    pub learning_rate: f64,
    /// The backbones' rate as a share of the heads'.
    pub backbone_share: f64,
    /// Decoupled weight decay, on every parameter.
    pub weight_decay: f64,
    /// What updates the backbones' weight matrices.
    pub matrices: MatrixUpdate,
    /// Steps over which the rate rises from 0.
    pub warmup_steps: usize,
    /// How the rate falls.
    pub schedule: Schedule,
    /// Largest global gradient norm.
    pub grad_clip: f64,
    /// Which norm is clipped.
    pub clip: Clip,
    /// Decay of the averaged weights that are evaluated and saved; 0 turns averaging off.
    pub average_decay: f64,
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        Self {
            learning_rate: 2e-4,
            backbone_share: 0.1,
            weight_decay: 1e-4,
            matrices: MatrixUpdate::AdamW,
            warmup_steps: 0,
            schedule: Schedule::default(),
            grad_clip: 2.0,
            clip: Clip::True,
            average_decay: 0.0,
        }
    }
}

/// What updates the weight matrices of the backbones' layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MatrixUpdate {
    /// As everything else, and as the official code.
    #[default]
    AdamW,
    /// Muon: momentum made orthogonal, scaled to AdamW's step size. Backbones from scratch
    /// learn faster with it.
    Muon,
}

/// Fall of the learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum Schedule {
    /// Times `factor` at each of `epochs` (counted from 0).
    Step {
        /// Epochs before which the rate falls.
        epochs: Vec<usize>,
        /// What it is multiplied by.
        factor: f64,
    },
    /// A half cosine over the whole run down to `last` times the rate.
    Cosine {
        /// Share of the rate that is left at the end.
        last: f64,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Step { epochs: vec![9, 15, 20, 25], factor: 0.3 }
    }
}

/// Which gradient norm is clipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Clip {
    /// The gradient's own norm.
    #[default]
    True,
    /// The norm of the fp16-scaled gradient, as the official code does: the true norm is
    /// capped at `grad_clip / 65536`.
    Official,
}

impl Clip {
    /// The largest true norm that passes.
    pub fn limit(self, grad_clip: f64) -> f64 {
        match self {
            Self::True => grad_clip,
            Self::Official => grad_clip / 65_536.0,
        }
    }
}

impl OptimiserConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the option or the key.
    pub fn validate(&self) -> Result<()> {
        above("--learning_rate", self.learning_rate)?;
        above("--grad_clip", self.grad_clip)?;
        not_below("optimiser.backbone_share", self.backbone_share)?;
        not_below("optimiser.weight_decay", self.weight_decay)?;
        match self.schedule {
            Schedule::Step { factor, .. } => above("--decay_rate", factor)?,
            Schedule::Cosine { last } => not_below("optimiser.schedule.last", last)?,
        }
        if !(0.0..1.0).contains(&self.average_decay) {
            return Err(Error::Usage("optimiser.average_decay: must be in [0, 1)".into()));
        }
        Ok(())
    }

    /// The heads' learning rate at a step.
    pub fn rate_at(&self, progress: Progress) -> f64 {
        let warmup = if progress.step < self.warmup_steps {
            (progress.step + 1) as f64 / self.warmup_steps as f64
        } else {
            1.0
        };
        let fall = match &self.schedule {
            Schedule::Step { epochs, factor } => {
                let falls = epochs.iter().filter(|epoch| progress.epoch >= **epoch).count();
                factor.powi(falls as i32)
            }
            Schedule::Cosine { last } => {
                let done = progress.step as f64 / progress.steps.max(1) as f64;
                last + (1.0 - last) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        };
        self.learning_rate * warmup * fall
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Epoch, counted from 0.
    pub epoch: usize,
    /// Steps taken since the start.
    pub step: usize,
    /// Steps of the whole run.
    pub steps: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schedule() {
        let optimiser = OptimiserConfig::default();
        let rate = |epoch| optimiser.rate_at(Progress { epoch, step: epoch, steps: 30 });
        assert_eq!(rate(0), 2e-4);
        assert_eq!(rate(8), 2e-4);
        assert!((rate(9) - 6e-5).abs() < 1e-12);
        assert!((rate(29) - 2e-4 * 0.3f64.powi(4)).abs() < 1e-12);
    }

    #[test]
    fn cosine_with_warmup() {
        let optimiser = OptimiserConfig {
            learning_rate: 1.0,
            warmup_steps: 10,
            schedule: Schedule::Cosine { last: 0.1 },
            ..Default::default()
        };
        let rate = |step| optimiser.rate_at(Progress { epoch: 0, step, steps: 100 });
        assert!((rate(0) - 0.1).abs() < 1e-9);
        assert!((rate(50) - 0.55).abs() < 1e-9);
        assert!((rate(100) - 0.1).abs() < 1e-9);
    }
}
