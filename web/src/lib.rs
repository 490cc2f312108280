//! AVSE for browser pages: `avse-core` behind a wasm-bindgen interface.
//!
//! [`Engine`] is what the worker of the npm package (`web/package`) calls: a loaded model with the
//! galleries that are open. It knows no DOM, no network and no threads; files come in as bytes.
//! One crate makes two builds: for the processor alone, and (`gpu`) for WebGPU as well.
#![deny(missing_docs)]

mod device;
mod engine;
mod failure;
mod header;
mod shelf;
mod values;

pub use engine::Engine;
pub use failure::Failure;
pub use values::{BundleParts, GalleryParts};

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of this package, `major.minor.patch`.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
