//! AVSE for browser pages: `avse-core` behind a wasm-bindgen interface.
//!
//! Planned: loading a bundle, opening a gallery, searching by text and by
//! image in a worker, on WebGPU where there is one and on WebAssembly SIMD
//! elsewhere. For now this crate keeps the core compiling for `wasm32`.
#![deny(missing_docs)]

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of this package, `major.minor.patch`.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
