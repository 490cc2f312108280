//! A gallery: the embeddings of a collection, stored in a folder and searched.
//!
//! | file | holds |
//! |---|---|
//! | `embeddings.safetensors` | the tensors below, one row an item |
//! | `items.jsonl` | what each row is: one [`Item`] a line, as JSON |
//! | `manifest.json` | format version, kind, shape, model, sources; size and sha256 of the other two |
//!
//! | tensor | type and shape | for |
//! |---|---|---|
//! | `blocks_i8` | i8 `[N, blocks, width]` | the first pass of a search |
//! | `scales` | f32 `[N, blocks]` | what a block's integers are multiplied by |
//! | `residuals` | f32 `[N, blocks]` | the norm of what a block lost by it: bounds the first pass's error |
//! | `blocks_f16` or `blocks_f32` | `[N, blocks, width]` | the exact scores of what the first pass leaves |
//!
//! The first three are made from the blocks *as stored*, so that a search is exact in their
//! terms. A gallery without the last tensor is smaller, and its scores are approximate.
//!
//! Natively [`Gallery::open`] maps the files into memory and `GalleryWriter` writes new generations
//! that replace the old one at once; in a browser [`Gallery::from_bytes`] takes the files'
//! contents.

mod bytes;
mod collection;
mod content_hash;
mod item;
mod layout;
mod manifest;
mod search;
#[cfg(not(target_family = "wasm"))]
mod store;
#[cfg(test)]
mod tests;

pub use collection::{Gallery, GalleryFiles};
pub use content_hash::ContentHash;
pub use item::{Item, Items};
pub use manifest::{GalleryKind, GalleryManifest, GallerySpec, ModelTag, Source, StoredPrecision};
pub use search::Found;
#[cfg(not(target_family = "wasm"))]
pub use store::{GalleryWriter, Row};
