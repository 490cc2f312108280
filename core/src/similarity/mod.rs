//! Asymmetric embedding optimal matching (AEOM): the similarity of an image and a caption.
//!
//! [`reference`](mod@reference) is the plain form, in differentiable tensor operations. The engines score
//! [`Blocks`] in host or device memory and are tested against it: [`cpu`] needs nothing but the
//! processor, `gpu` (a cargo feature) runs on what WebGPU reaches. [`quantised`] proves how far 8-bit scores can be from exact ones.

mod blocks;
pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;
mod matching;
pub mod quantised;
pub mod reference;
mod stored;
mod top_k;

pub use blocks::{BlockShape, Blocks, Direction, normalise};
pub use matching::Matching;
pub use quantised::{QuantisedBlocks, QuantisedView};
pub use stored::{GalleryView, Stored};
pub use top_k::{Hit, TopK};
