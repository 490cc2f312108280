//! From captions to text embeddings.

mod bert;
mod tower;

pub use bert::{Bert, BertLayer};
pub use tower::TextTower;
