use super::*;
use crate::similarity::{BlockShape, Blocks};
use crate::weights::FileEntry;

pub(super) const SHAPE: BlockShape = BlockShape { blocks: 2, width: 8 };

pub(super) fn spec(precision: StoredPrecision) -> GallerySpec {
    let model = ModelTag { fingerprint: "ab".repeat(32), path: None };
    GallerySpec { kind: GalleryKind::Images, shape: SHAPE, precision, model }
}

/// Rows that differ by `seed`, of about unit blocks.
pub(super) fn values(seed: usize, rows: usize) -> Vec<f32> {
    (0..rows * SHAPE.size()).map(|at| ((at * 37 + seed * 101) % 97) as f32 / 194.0 - 0.25).collect()
}

pub(super) fn item(name: &str) -> Item {
    let mut item = Item {
        key: format!("{name}.png"),
        sha256: ContentHash::of(name.as_bytes()),
        bytes: Some(12),
        ..Item::default()
    };
    item.metadata.insert("title".into(), format!("\"{name}\"\n").into());
    item
}

fn gallery(precision: StoredPrecision) -> (Gallery, Vec<Item>) {
    let items: Vec<Item> = (0..5).map(|at| item(&format!("p{at}"))).collect();
    let values = values(1, 5);
    let blocks = Blocks::new(&values, SHAPE).unwrap();
    (Gallery::build(spec(precision), blocks, &items).unwrap(), items)
}

#[test]
fn what_was_built_is_read_back_and_found() {
    for precision in [StoredPrecision::F32, StoredPrecision::F16, StoredPrecision::Int8] {
        let (built, items) = gallery(precision);
        let gallery = Gallery::from_bytes(built.to_bytes().unwrap()).unwrap();
        assert_eq!(gallery.manifest(), built.manifest());
        assert_eq!(gallery.items().iter().collect::<crate::Result<Vec<_>>>().unwrap(), items);
        assert_eq!(gallery.is_exact(), precision != StoredPrecision::Int8);
        let query: Vec<f32> = values(1, 5)[3 * SHAPE.size()..4 * SHAPE.size()].to_vec();
        let query = Blocks::new(&query, SHAPE).unwrap();
        let found = gallery.search(GalleryKind::Images, query, 9).unwrap().remove(0);
        assert_eq!(found.len(), 5);
        assert_eq!(found[0].item, items[3]);
        let plain: f32 = query.values().iter().map(|value| value * value).sum();
        assert!((found[0].score - plain).abs() < 0.02, "{} is not {plain}", found[0].score);
    }
}

#[test]
fn a_gallery_grows_in_memory() {
    let (whole, items) = gallery(StoredPrecision::F16);
    let values = values(1, 5);
    let (first, rest) = values.split_at(2 * SHAPE.size());
    let blocks = |values| Blocks::new(values, SHAPE).unwrap();
    let small = Gallery::build(spec(StoredPrecision::F16), blocks(first), &items[..2]).unwrap();
    let grown = small.append(blocks(rest), &items[2..]).unwrap();
    assert_eq!(grown.manifest().generation, 2);
    assert_eq!(grown.items().as_bytes(), whole.items().as_bytes());
    assert_eq!(grown.table().columns, whole.table().columns);
    assert!(small.append(blocks(rest), &items).is_err());
}

#[test]
fn what_starts_at_an_odd_place_is_copied() {
    let bytes = bytes::aligned_copy(b"eleven byte");
    assert_eq!(&bytes[..], b"eleven byte");
    assert!(bytes.as_ptr().addr().is_multiple_of(8));
}

#[test]
fn every_changed_byte_is_refused() {
    let (built, _) = gallery(StoredPrecision::F16);
    let files = || built.to_bytes().unwrap();
    let refused = |files| Gallery::from_bytes(files).unwrap_err().to_string();
    for at in 0..files().embeddings.len() {
        let mut files = files();
        files.embeddings[at] ^= 1 << (at % 8);
        assert!(refused(files).contains("embeddings.safetensors: sha256"));
    }
    let mut shorter = files();
    shorter.embeddings.pop();
    assert!(refused(shorter).contains("bytes, but the manifest says"));
    let mut items = files();
    items.items[3] ^= 1;
    assert!(refused(items).contains("items.jsonl: sha256"));
}

#[test]
fn hashes_are_the_callers_where_it_says_so() {
    let (built, _) = gallery(StoredPrecision::F16);
    let mut files = built.to_bytes().unwrap();
    *files.embeddings.last_mut().unwrap() ^= 1;
    let opened = Gallery::from_hashed_bytes(files).unwrap();
    assert_eq!(opened.len(), built.len());
    let mut shorter = built.to_bytes().unwrap();
    shorter.items.pop();
    let error = Gallery::from_hashed_bytes(shorter).unwrap_err().to_string();
    assert!(error.contains("items.jsonl: ") && error.contains("manifest says"), "{error}");
}

#[test]
fn a_manifest_that_lies_is_refused() {
    let (built, _) = gallery(StoredPrecision::F16);
    let refused = |change: fn(&mut serde_json::Value)| {
        let mut files = built.to_bytes().unwrap();
        let mut manifest = serde_json::from_slice(&files.manifest).unwrap();
        change(&mut manifest);
        files.manifest = serde_json::to_vec(&manifest).unwrap();
        Gallery::from_bytes(files).unwrap_err().to_string()
    };
    assert!(refused(|m| m["version"] = 2.into()).contains("`version` is 2; this program reads 1"));
    assert!(refused(|m| m["format"] = "avse-bundle".into()).contains("not `avse-gallery`"));
    assert!(refused(|m| m["items"] = 4.into()).contains("tensor `blocks_i8`"));
    assert!(refused(|m| m["precision"] = "f32".into()).contains("blocks_f32"));
    assert!(refused(|m| m["shape"]["width"] = 7.into()).contains("multiple of 4"));
    assert!(refused(|m| m["files"] = serde_json::json!({})).contains("embeddings.safetensors"));
    assert!(refused(|m| m["kind"] = "sounds".into()).contains("sounds"));
}

#[test]
fn a_line_that_is_no_item_is_named() {
    let mut files = gallery(StoredPrecision::F16).0.to_bytes().unwrap();
    let text = String::from_utf8(files.items).unwrap().replace("{\"key\":\"p3.png\"", "{\"kee\":3");
    let mut manifest = GalleryManifest::from_json(&files.manifest, "".as_ref()).unwrap();
    manifest.files.insert("items.jsonl".into(), FileEntry::of_bytes(text.as_bytes()));
    files.items = text.into_bytes();
    files.manifest = serde_json::to_vec(&manifest).unwrap();
    let gallery = Gallery::from_bytes(files).unwrap();
    assert!(gallery.items().get(2).is_ok());
    assert!(gallery.items().get(3).unwrap_err().to_string().contains("items.jsonl: line 4"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let values = values(0, 2);
    let blocks = Blocks::new(&values, SHAPE).unwrap();
    let one = [item("a")];
    assert!(Gallery::build(spec(StoredPrecision::F16), blocks, &one).is_err());
    let mut other = spec(StoredPrecision::F16);
    other.shape.width = 4;
    assert!(Gallery::build(other, blocks, &[item("a"), item("b")]).is_err());
    // Too large for half precision, not for single.
    let large = [1e6; SHAPE.blocks * SHAPE.width];
    let large = Blocks::new(&large, SHAPE).unwrap();
    assert!(Gallery::build(spec(StoredPrecision::F16), large, &one).is_err());
    let gallery = Gallery::build(spec(StoredPrecision::F32), large, &one).unwrap();
    let narrow = Blocks::new(&[0.5; 8], BlockShape { blocks: 2, width: 4 }).unwrap();
    let refused = gallery.search(GalleryKind::Captions, narrow, 1).unwrap_err().to_string();
    assert!(refused.contains("width 4, the gallery of width 8"), "{refused}");
    let refused = gallery.expect_model("cd").unwrap_err().to_string();
    assert!(refused.contains("built by another model"), "{refused}");
}

#[test]
fn a_gallery_may_be_empty() {
    let blocks = Blocks::new(&[], SHAPE).unwrap();
    let built = Gallery::build(spec(StoredPrecision::F16), blocks, &[]).unwrap();
    let gallery = Gallery::from_bytes(built.to_bytes().unwrap()).unwrap();
    let query = values(0, 1);
    let query = Blocks::new(&query, SHAPE).unwrap();
    assert_eq!(gallery.search(GalleryKind::Captions, query, 3).unwrap(), [[]]);
}
