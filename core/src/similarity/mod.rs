//! Asymmetric embedding optimal matching (AEOM): the similarity of an image and a caption.
//!
//! [`reference`](mod@reference) is the plain form, in differentiable tensor operations. The engines score
//! [`Blocks`] in host or device memory and are tested against it.

mod blocks;
pub mod reference;
mod top_k;

pub use blocks::{BlockShape, Blocks, Direction, normalise};
pub use top_k::{Hit, TopK};
