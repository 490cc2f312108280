//! What is minimised, in numbers.

use avse_core::loss::{ContrastiveLoss, Regulariser, TripletLoss};
use serde::{Deserialize, Serialize};

use super::range::{above, not_below};
use crate::Result;

/// Parts of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of the triplet loss.
    pub triplet_weight: f64,
    /// Margin of the triplet loss.
    pub triplet: TripletLoss,
    /// First epochs in which all negatives count; afterwards the hardest.
    pub all_negatives_epochs: usize,
    /// Dimension-wise regulariser.
    pub regulariser: Regulariser,
    /// Contrastive loss, not in the official recipe.
    pub contrastive: Option<ContrastiveLoss>,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            triplet_weight: 1.0,
            triplet: TripletLoss::default(),
            all_negatives_epochs: 1,
            regulariser: Regulariser::default(),
            contrastive: None,
        }
    }
}

impl LossConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) naming the option or the key.
    pub fn validate(&self) -> Result<()> {
        not_below("--margin", self.triplet.margin)?;
        not_below("loss.triplet_weight", self.triplet_weight)?;
        not_below("loss.regulariser.off_diagonal", self.regulariser.off_diagonal)?;
        not_below("loss.regulariser.weight", self.regulariser.weight)?;
        if let Some(contrastive) = &self.contrastive {
            not_below("loss.contrastive.weight", contrastive.weight)?;
            above("loss.contrastive.temperature", contrastive.temperature)?;
        }
        Ok(())
    }
}
