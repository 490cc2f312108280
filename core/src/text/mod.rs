//! From captions to text embeddings.

pub mod augmentation;
mod bert;
pub mod tokenizer;
mod tower;

pub use bert::{Bert, BertLayer};
pub use tower::TextTower;
