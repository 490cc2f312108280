//! Where a run stands, and what its steps are counted in.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::precision::{LossScale, Precision};
use crate::data::Split;
use crate::{Error, Result};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Steps taken since the start.
    pub step: usize,
    /// The epoch in progress.
    pub epoch: usize,
    /// Steps taken in it.
    pub step_of_epoch: usize,
    /// Sum of their losses.
    pub loss_of_epoch: f64,
    /// Captions of it that were cut.
    pub truncated_of_epoch: usize,
    /// Seconds that they took.
    pub seconds_of_epoch: f64,
    /// Seconds of these spent waiting for data.
    pub waited_of_epoch: f64,
    /// Best validation rSum; `None` before the first.
    pub best: Option<f64>,
    /// Updates of the averaged weights.
    pub average_updates: usize,
    /// Gradient scale of f16.
    pub scale: LossScale,
    /// Seconds since the start of the run, interruptions left out.
    pub elapsed: f64,
    /// What the steps are counted in; `None` in checkpoints of older versions.
    #[serde(default)]
    pub share: Option<Share>,
}

/// What the batches of a run depend on beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Devices, each of which takes a batch a step.
    pub devices: usize,
    /// Captions of the training split.
    pub captions: usize,
    /// SHA-256 of these and of the images they belong to; `None` in checkpoints of older versions.
    #[serde(default)]
    pub sha256: Option<String>,
}

impl Share {
    /// Of a run on so many devices with this training split.
    pub fn of(devices: usize, split: &Split) -> Self {
        let mut hash = Sha256::new();
        // A zero byte is in no caption and no id, so the parts cannot be moved against each other.
        for (caption, image) in split.captions.iter().zip(&split.image_of_caption) {
            for part in [split.images[*image].id.as_str(), caption.as_str()] {
                hash.update(part);
                hash.update([0]);
            }
        }
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { devices, captions: split.captions.len(), sha256: Some(sha256) }
    }

    /// Checks that a run of this share may go on with another.
    ///
    /// # Errors
    /// [`Error::Usage`] saying what differs.
    pub fn check_resumable(&self, now: &Self) -> Result<()> {
        let Self { devices, captions, sha256 } = self;
        if *devices != now.devices {
            return Err(Error::Usage(format!(
                "--resume: the run was started on {devices} device(s), not {}: a step would not see the same \
                 captions; give --gpu-id and --multi_gpu as before",
                now.devices
            )));
        }
        if *captions != now.captions {
            return Err(Error::Usage(format!(
                "--resume: the run was started with {captions} training captions, not {}: --data_path \
                 must hold the same set",
                now.captions
            )));
        }
        if sha256.is_some() && *sha256 != now.sha256 {
            return Err(Error::Usage(format!(
                "--resume: the run was started with {captions} other training captions, or with the same \
                 in another order: --data_path must hold the same set"
            )));
        }
        Ok(())
    }
}

impl Position {
    /// Where every run begins.
    pub fn start(precision: Precision, share: Share) -> Self {
        Self {
            step: 0,
            epoch: 0,
            step_of_epoch: 0,
            loss_of_epoch: 0.0,
            truncated_of_epoch: 0,
            seconds_of_epoch: 0.0,
            waited_of_epoch: 0.0,
            best: None,
            average_updates: 0,
            scale: LossScale::new(precision),
            elapsed: 0.0,
            share: Some(share),
        }
    }

    /// At the first step of `epoch`.
    pub fn begin_epoch(&mut self, epoch: usize) {
        self.epoch = epoch;
        (self.step_of_epoch, self.loss_of_epoch) = (0, 0.0);
        self.truncated_of_epoch = 0;
        (self.seconds_of_epoch, self.waited_of_epoch) = (0.0, 0.0);
    }
}
