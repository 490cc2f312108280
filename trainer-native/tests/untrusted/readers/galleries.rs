//! Galleries, as a page is given them.

use avse_core::gallery::{
    Gallery, GalleryFiles, GalleryKind, GalleryManifest, GallerySpec, Item, ModelTag,
    StoredPrecision,
};
use avse_core::similarity::{BlockShape, Blocks};
use avse_core::weights::FileEntry;

use super::parts;

const SHAPE: BlockShape = BlockShape { blocks: 2, width: 4 };

/// A gallery whose manifest is right about the other files: the hash of a changed one would end the reading at once.
pub fn gallery(bytes: &[u8]) -> bool {
    let [manifest, embeddings, items] = parts::split(bytes);
    let path = std::path::Path::new("manifest.json");
    let Ok(mut read) = GalleryManifest::from_json(manifest, path) else { return false };
    for (name, content) in [("embeddings.safetensors", embeddings), ("items.jsonl", items)] {
        read.files.insert(name.into(), FileEntry::of_bytes(content));
    }
    let files = GalleryFiles {
        manifest: serde_json::to_vec(&read).unwrap(),
        embeddings: embeddings.to_vec(),
        items: items.to_vec(),
    };
    let Ok(gallery) = Gallery::from_bytes(files) else { return false };
    assert_eq!(gallery.items().len(), gallery.len());
    for row in 0..gallery.len() {
        let _ = gallery.items().get(row);
    }
    let _ = gallery.embeddings(0..gallery.len());
    gallery.view().is_ok()
}

/// In each precision, of pictures and of sentences.
pub fn galleries() -> Vec<Vec<u8>> {
    let values: Vec<f32> = (0..24).map(|value| value as f32 / 24.0 - 0.3).collect();
    let items: Vec<Item> = (0..3)
        .map(|row| Item {
            key: format!("{row}.jpg"),
            caption: Some("a man".into()),
            ..Item::default()
        })
        .collect();
    let kinds = [GalleryKind::Images, GalleryKind::Captions];
    let precisions = [StoredPrecision::F32, StoredPrecision::F16, StoredPrecision::Int8];
    let both = kinds.into_iter().flat_map(|kind| precisions.map(|precision| (kind, precision)));
    both.map(|(kind, precision)| {
        let model = ModelTag { fingerprint: "a test".into(), path: None };
        let spec = GallerySpec { kind, shape: SHAPE, precision, model };
        let gallery = Gallery::build(spec, Blocks::new(&values, SHAPE).unwrap(), &items).unwrap();
        let files = gallery.to_bytes().unwrap();
        parts::join(&[&files.manifest, &files.embeddings, &files.items])
    })
    .collect()
}
