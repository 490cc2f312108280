//! A loaded model and the galleries that are open.

use std::str::FromStr;

use avse_core::Avse;
use avse_core::gallery::{
    ContentHash, Gallery, GalleryFiles, GalleryKind, GallerySpec, Item, ModelTag, StoredPrecision,
};
use avse_core::image::ImageTower;
use avse_core::image::pixels::RgbImage;
use avse_core::similarity::reference::unit_blocks;
use avse_core::similarity::{Blocks, Hit, Matching};
use avse_core::weights::{BundleFiles, Manifest};
use burn::tensor::Tensor;
use serde_json::{Value, json};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::device::Place;
use crate::failure::{Failure, Result};
use crate::header::Header;
use crate::shelf::{OpenGallery, Shelf};
use crate::values::{BundleParts, GalleryParts, from_js, object_of_bytes, to_js};

/// From this many rows on a WebGPU device searches; below, the processor has answered before a
/// device would have begun.
#[cfg(feature = "gpu")]
const GPU_ROWS: usize = 10_000;

/// A loaded model and the galleries that are open. Embeddings are unit blocks, one row of
/// `blocks * blockSize` numbers.
#[wasm_bindgen]
pub struct Engine {
    avse: Avse,
    manifest: Manifest,
    place: Place,
    shelf: Shelf,
}

#[wasm_bindgen]
impl Engine {
    /// Loads a bundle whose files are what its manifest says. `device` is `cpu`, or in the build
    /// that has it `webgpu`. `hashed`: the caller has compared the files' hashes with the manifest's.
    pub async fn create(files: BundleParts, device: String, hashed: bool) -> Result<Engine> {
        std::panic::set_hook(Box::new(|info| report(&info.to_string())));
        // What is wrong with the files is said before a device is asked for: a second device in the
        // same worker is refused, so the caller could not try again with better files.
        let bundle = BundleFiles::from(&files);
        let bundle = if hashed { bundle.hashed_by_caller()? } else { bundle.verify()? };
        let place = Place::open(&device).await?;
        let (avse, manifest) = Avse::from_files(bundle, &place.device)?;
        Ok(Self { avse, manifest, place, shelf: Shelf::default() })
    }

    /// What is known of the model.
    #[wasm_bindgen(unchecked_return_type = "EngineInfo")]
    pub fn info(&self) -> Result<JsValue> {
        let config = &self.avse.config;
        let grid = ImageTower::grid(config);
        to_js(&json!({
            "device": self.place.name,
            "adapter": self.place.adapter,
            "simd": cfg!(target_feature = "simd128"),
            "fingerprint": self.manifest.fingerprint(),
            "precision": self.manifest.precision.to_string(),
            "embedSize": config.embed_size,
            "blockSize": config.block_size,
            "imageBlocks": config.image_blocks(),
            "captionBlocks": config.caption_blocks(),
            "imageSize": config.image_size,
            "views": config.sampling.views,
            "grid": { "side": grid.side, "classToken": grid.class_token },
            "kept": config.sampling.kept(grid, false),
            "parameters": self.avse.parameters(),
            "maxTokens": self.avse.max_tokens(),
            "vocabulary": self.avse.tokenizer.vocab_size(),
            "hasImageTower": self.avse.has_image_tower(),
        }))
    }

    /// The embedding of a sentence.
    #[wasm_bindgen(js_name = encodeText)]
    pub async fn encode_text(&self, text: String) -> Result<Vec<f32>> {
        self.blocks(self.avse.encode_texts(&[&text])).await
    }

    /// The word pieces of a sentence as the network sees them, `[CLS]` first.
    #[wasm_bindgen(js_name = wordPieces)]
    pub fn word_pieces(&self, text: &str) -> Vec<String> {
        let tokenizer = &self.avse.tokenizer;
        let piece = |id| tokenizer.id_to_token(id).unwrap_or_default().to_owned();
        tokenizer.encode(text).into_iter().map(piece).collect()
    }

    /// The size that the header of a PNG, JPEG, WebP, GIF or BMP file states, in pixels; nothing is decoded.
    #[wasm_bindgen(js_name = imageSize, unchecked_return_type = "{ width: number; height: number; format: string }")]
    pub fn image_size(&self, file: &[u8]) -> Result<JsValue> {
        let Header { width, height, format } = Header::of(file)?;
        to_js(&json!({ "width": width, "height": height, "format": format }))
    }

    /// The embedding of a picture: `width * height` pixels RGBA, not premultiplied, rows from the top.
    #[wasm_bindgen(js_name = encodeImage)]
    pub async fn encode_image(&self, width: u32, height: u32, rgba: &[u8]) -> Result<Vec<f32>> {
        self.expect_image_tower()?;
        let image = RgbImage::from_rgba(width as usize, height as usize, rgba)?;
        self.blocks(self.avse.encode_images(&[image])).await
    }

    /// Throws `refused` where pictures cannot be encoded: asked before one is decoded.
    #[wasm_bindgen(js_name = expectImageTower)]
    pub fn expect_image_tower(&self) -> Result<()> {
        let refused = |error: avse_core::Error| Failure::new("refused", error.to_string());
        self.avse.expect_image_tower().map_err(refused)
    }

    /// The patches that each view keeps, `views * kept` of them, row by row on the grid.
    #[wasm_bindgen(js_name = viewPatches)]
    pub fn view_patches(&self) -> Vec<u32> {
        let config = &self.avse.config;
        config.sampling.fixed_plan(ImageTower::grid(config), 1).indices
    }

    /// Opens a gallery that this model made; its handle. `hashed` as in [`Engine::create`].
    #[wasm_bindgen(js_name = openGallery)]
    pub fn open_gallery(&self, files: GalleryParts, hashed: bool) -> Result<u32> {
        let files = GalleryFiles::from(&files);
        let gallery =
            if hashed { Gallery::from_hashed_bytes(files)? } else { Gallery::from_bytes(files)? };
        gallery.expect_model(&self.manifest.fingerprint())?;
        Ok(self.shelf.put(gallery))
    }

    /// An empty gallery of `images` or `captions`; its handle.
    #[wasm_bindgen(js_name = createGallery)]
    pub fn create_gallery(&self, kind: &str) -> Result<u32> {
        let kind = kind_of(kind)?;
        let shape = kind.shape(&self.avse.config);
        let model = ModelTag { fingerprint: self.manifest.fingerprint(), path: None };
        let spec = GallerySpec { kind, shape, precision: StoredPrecision::F32, model };
        Ok(self.shelf.put(Gallery::build(spec, Blocks::new(&[], shape)?, &[])?))
    }

    /// What is known of a gallery.
    #[wasm_bindgen(js_name = galleryInfo, unchecked_return_type = "GalleryInfo")]
    pub fn gallery_info(&self, handle: u32) -> Result<JsValue> {
        let (spec, items) = self.shelf.about(handle)?;
        to_js(&json!({
            "kind": spec.kind,
            "items": items,
            "precision": spec.precision,
            "exact": spec.precision != StoredPrecision::Int8,
            "shape": spec.shape,
            "fingerprint": spec.model.fingerprint,
        }))
    }

    /// Adds a row: its embedding, what it is (`key`, and `caption`, `path`, `metadata` as wanted), and the SHA-256 of
    /// what was encoded, in hexadecimal digits.
    pub fn add(
        &self,
        handle: u32,
        blocks: &[f32],
        #[wasm_bindgen(unchecked_param_type = "Partial<EngineItem>")] item: JsValue,
        sha256: &str,
    ) -> Result<()> {
        let mut item: Value = from_js(&item, "item")?;
        let hash = ContentHash::from_str(sha256).map_err(|e| Failure::new("format", e))?;
        item["sha256"] = Value::String(hash.to_string());
        let item: Item = serde_json::from_value(item)
            .map_err(|e| Failure::new("format", format!("item: {e}")))?;
        self.shelf.add(handle, blocks, item)
    }

    /// Takes a row out; later ones move up.
    #[wasm_bindgen(js_name = removeRow)]
    pub fn remove_row(&self, handle: u32, row: usize) -> Result<()> {
        self.shelf.remove_row(handle, row)
    }

    /// The best `k` rows for an embedding of `asked`: `captions` or `images`.
    #[wasm_bindgen(unchecked_return_type = "EngineHit[]")]
    pub async fn search(
        &self,
        handle: u32,
        asked: String,
        blocks: Vec<f32>,
        k: usize,
    ) -> Result<JsValue> {
        let (gallery, asked) = (self.shelf.get(handle)?, kind_of(&asked)?);
        let query = Blocks::new(&blocks, asked.shape(&self.avse.config))?;
        let hits = self.rank(&gallery, asked, query, k).await?;
        let rows: Vec<Value> = hits
            .into_iter()
            .map(|hit| {
                let item = gallery.content.items().get(hit.index)?;
                let mut row = json!({ "index": hit.index, "score": hit.score, "key": item.key });
                if let Some(caption) = item.caption {
                    row["caption"] = caption.into();
                }
                if let Some(path) = item.path {
                    row["path"] = path.into();
                }
                if !item.metadata.is_empty() {
                    row["metadata"] = Value::Object(item.metadata);
                }
                Ok(row)
            })
            .collect::<Result<_>>()?;
        to_js(&rows)
    }

    /// What a row is.
    #[wasm_bindgen(unchecked_return_type = "EngineItem")]
    pub fn item(&self, handle: u32, row: usize) -> Result<JsValue> {
        to_js(&self.shelf.item(handle, row)?)
    }

    /// The embedding of a row.
    #[wasm_bindgen(js_name = rowBlocks)]
    pub fn row_blocks(&self, handle: u32, row: usize) -> Result<Vec<f32>> {
        self.shelf.row_blocks(handle, row)
    }

    /// Which blocks of an image and a caption match.
    #[wasm_bindgen(unchecked_return_type = "EngineMatching")]
    pub fn explain(&self, image: &[f32], caption: &[f32]) -> Result<JsValue> {
        let shape = |kind: GalleryKind| kind.shape(&self.avse.config);
        let image = Blocks::new(image, shape(GalleryKind::Images))?;
        let caption = Blocks::new(caption, shape(GalleryKind::Captions))?;
        let Matching { products, chosen, score } = Matching::of(image, caption)?;
        to_js(&json!({ "products": products, "chosen": chosen, "score": score }))
    }

    /// The contents of a gallery's files, to be stored.
    #[wasm_bindgen(js_name = galleryFiles, unchecked_return_type = "GalleryParts")]
    pub fn gallery_files(&self, handle: u32) -> Result<JsValue> {
        let files = self.shelf.get(handle)?.content.to_bytes()?;
        Ok(object_of_bytes([
            ("manifest", &files.manifest),
            ("embeddings", &files.embeddings),
            ("items", &files.items),
        ]))
    }

    /// Closes a gallery and frees its memory.
    #[wasm_bindgen(js_name = closeGallery)]
    pub fn close_gallery(&self, handle: u32) {
        self.shelf.remove(handle);
    }

    /// Destroys the WebGPU device as a driver's reset would, for tests; nothing on the processor.
    #[wasm_bindgen(js_name = loseDevice)]
    pub fn lose_device(&self) {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.place.gpu {
            gpu.device().destroy();
        }
    }
}

impl Engine {
    /// Unit blocks in memory of embeddings on the device.
    async fn blocks(&self, embeddings: Tensor<2>) -> Result<Vec<f32>> {
        let blocks = unit_blocks(embeddings, self.avse.config.block_size);
        let data = blocks.into_data_async().await.map_err(|e| self.place.failure(e))?;
        let values = data.try_to_vec::<f32>().map_err(|e| self.place.failure(e))?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(self.place.failure("the network gave numbers that are not finite"));
        }
        Ok(values)
    }

    /// Large galleries are searched where the network runs; the hits are the same.
    async fn rank(
        &self,
        gallery: &OpenGallery,
        asked: GalleryKind,
        query: Blocks<'_>,
        k: usize,
    ) -> Result<Vec<Hit>> {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.place.gpu
            && gallery.content.len() >= GPU_ROWS
        {
            let view = gallery.content.view()?;
            if let (Some(precise), Some(quantised)) = (view.precise, view.quantised) {
                let direction = gallery.content.direction(asked);
                let uploaded = gallery.uploaded(gpu, quantised).await?;
                let k = k.min(gallery.content.len());
                let hits = gpu.search_exact(&uploaded, precise, query, direction, k).await?;
                return Ok(hits.into_iter().next().unwrap_or_default());
            }
        }
        Ok(gallery.content.rank(asked, query, k)?.into_iter().next().unwrap_or_default())
    }
}

fn kind_of(name: &str) -> Result<GalleryKind> {
    match name {
        "images" => Ok(GalleryKind::Images),
        "captions" => Ok(GalleryKind::Captions),
        _ => Err(Failure::new("internal", format!("`{name}` is neither images nor captions"))),
    }
}

#[wasm_bindgen]
extern "C" {
    /// Where the message of a panic is found: what JavaScript gets is `unreachable` alone.
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn report(message: &str);
}
