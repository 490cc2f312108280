//! Training losses.

mod regulariser;
mod triplet;

pub use regulariser::{Regulariser, RegulariserForm};
pub use triplet::{Negatives, TripletLoss};
