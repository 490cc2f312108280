//! Galleries on disk: opened by mapping, written in generations.
//!
//! A new generation is written beside the old one under names that start with `.next-`, and
//! brought to the disk. Then the manifest is renamed to its place: from this moment the gallery is
//! the new one. Then the other two files are renamed to theirs. Whoever opens the gallery takes
//! each file that fits the manifest from either name, so that a writer killed at any moment leaves
//! the old or the new generation, whole.
//!
//! Embeddings that are not part of a generation yet wait in `.spool`, from where the next
//! writer takes them up if this one is killed.

mod open;
mod publish;
mod spool;
mod stamp;
mod writer;

pub use writer::{GalleryWriter, Row};

#[cfg(test)]
mod tests;
