//! What crosses the border to JavaScript.

use avse_core::gallery::GalleryFiles;
use avse_core::weights::BundleFiles;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::failure::{Failure, Result};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** The contents of a bundle's files. */
export interface BundleParts { manifest: Uint8Array; config: Uint8Array; weights: Uint8Array; tokenizer: Uint8Array }
/** The contents of a gallery's files. */
export interface GalleryParts { manifest: Uint8Array; embeddings: Uint8Array; items: Uint8Array }
/** What is known of a loaded model; sizes are counts of numbers, blocks or pixels. */
export interface EngineInfo {
  device: "cpu" | "webgpu"; adapter: string; simd: boolean; fingerprint: string; precision: string;
  embedSize: number; blockSize: number; imageBlocks: number; captionBlocks: number; imageSize: number; views: number;
  grid: { side: number; classToken: boolean }; kept: number; parameters: number; maxTokens: number; vocabulary: number; hasImageTower: boolean;
}
/** What is known of an open gallery. */
export interface GalleryInfo { kind: "images" | "captions"; items: number; precision: string; exact: boolean; shape: { blocks: number; width: number }; fingerprint: string }
/** A row that a query found. */
export interface EngineHit { index: number; score: number; key: string; caption?: string; path?: string; metadata?: Record<string, unknown> }
/** What a row is. */
export interface EngineItem { key: string; caption?: string; path?: string; metadata?: Record<string, unknown>; sha256: string; bytes?: number }
/** Which blocks of a pair matched. */
export interface EngineMatching { products: number[]; chosen: number[]; score: number }
"#;

#[wasm_bindgen]
extern "C" {
    /// The contents of a bundle's files.
    #[wasm_bindgen(typescript_type = "BundleParts")]
    pub type BundleParts;
    #[wasm_bindgen(method, getter)]
    fn manifest(this: &BundleParts) -> Vec<u8>;
    #[wasm_bindgen(method, getter)]
    fn config(this: &BundleParts) -> Vec<u8>;
    #[wasm_bindgen(method, getter)]
    fn weights(this: &BundleParts) -> Vec<u8>;
    #[wasm_bindgen(method, getter)]
    fn tokenizer(this: &BundleParts) -> Vec<u8>;

    /// The contents of a gallery's files.
    #[wasm_bindgen(typescript_type = "GalleryParts")]
    pub type GalleryParts;
    #[wasm_bindgen(method, getter, js_name = manifest)]
    fn gallery_manifest(this: &GalleryParts) -> Vec<u8>;
    #[wasm_bindgen(method, getter)]
    fn embeddings(this: &GalleryParts) -> Vec<u8>;
    #[wasm_bindgen(method, getter)]
    fn items(this: &GalleryParts) -> Vec<u8>;
}

impl From<&BundleParts> for BundleFiles {
    fn from(parts: &BundleParts) -> Self {
        Self {
            manifest: parts.manifest(),
            config: parts.config(),
            weights: parts.weights(),
            tokenizer: parts.tokenizer(),
        }
    }
}

impl From<&GalleryParts> for GalleryFiles {
    fn from(parts: &GalleryParts) -> Self {
        Self {
            manifest: parts.gallery_manifest(),
            embeddings: parts.embeddings(),
            items: parts.items(),
        }
    }
}

/// A JavaScript object of what serialises as one.
pub fn to_js(value: &impl Serialize) -> Result<JsValue> {
    let json = serde_json::to_string(value).map_err(Failure::internal)?;
    js_sys::JSON::parse(&json).map_err(|_| Failure::internal("JSON that JavaScript cannot read"))
}

/// The content of a JavaScript object; `what` is what errors call it.
pub fn from_js<T: DeserializeOwned>(value: &JsValue, what: &str) -> Result<T> {
    let json = js_sys::JSON::stringify(value).ok().and_then(|json| json.as_string());
    let json = json.ok_or_else(|| Failure::new("format", format!("{what} is no plain object")))?;
    serde_json::from_str(&json).map_err(|e| Failure::new("format", format!("{what}: {e}")))
}

/// An object of byte arrays.
pub fn object_of_bytes(parts: [(&str, &[u8]); 3]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, bytes) in parts {
        // Setting a property of a fresh object cannot fail.
        let _ = js_sys::Reflect::set(&object, &name.into(), &js_sys::Uint8Array::from(bytes));
    }
    object.into()
}
