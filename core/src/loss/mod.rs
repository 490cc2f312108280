//! Training losses.

mod contrastive;
mod regulariser;
mod triplet;

pub use contrastive::ContrastiveLoss;
pub use regulariser::{Regulariser, RegulariserForm};
pub use triplet::{Negatives, TripletLoss};
