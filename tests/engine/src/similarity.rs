//! `avse_core::similarity` without what needs Burn or a GPU.

#[path = "../../../core/src/similarity/blocks.rs"]
mod blocks;
#[path = "../../../core/src/similarity/cpu/mod.rs"]
pub mod cpu;
#[path = "../../../core/src/similarity/matching.rs"]
mod matching;
#[path = "../../../core/src/similarity/quantised.rs"]
pub mod quantised;
#[path = "../../../core/src/similarity/stored.rs"]
mod stored;
#[path = "../../../core/src/similarity/top_k.rs"]
mod top_k;

pub use blocks::{BlockShape, Blocks, Direction, normalise};
pub use matching::Matching;
pub use quantised::{QuantisedBlocks, QuantisedView};
pub use stored::{GalleryView, Stored};
pub use top_k::{Hit, TopK};
