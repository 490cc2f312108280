//! Lists and settings.

use avse_core::gallery::{GalleryKind, Source};
use trainer_native::data::{ImageEntry, Split};
use trainer_native::evaluate::Positives;
use trainer_native::gallery;
use trainer_native::train::TrainConfig;

use super::scratch;

/// What a gallery is made of, an object a line.
pub fn items(bytes: &[u8]) -> bool {
    let path = scratch::file("items.jsonl", bytes).to_string_lossy().into_owned();
    let source = Source::Items { path };
    let _ = gallery::usual_kind(&source);
    let kinds = [GalleryKind::Images, GalleryKind::Captions];
    kinds.map(|kind| gallery::list(&source, kind).is_ok()).contains(&true)
}

/// Pictures and sentences.
pub fn item_lists() -> Vec<Vec<u8>> {
    let texts = [
        "{\"image\": \"1.jpg\", \"caption\": \"a\", \"price\": 3.5, \"tags\": [\"x\"]}\n{\"image\": \"2.jpg\", \"key\": \"two\"}\n",
        "{\"caption\": \"a man\"}\n{\"caption\": \"a cat\", \"key\": 7}\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// Further positives of an evaluation.
pub fn positives(bytes: &[u8]) -> bool {
    let split = Split {
        name: "test".into(),
        images: ["7", "9"]
            .map(|id| ImageEntry { id: id.into(), path: format!("{id}.jpg").into() })
            .into(),
        captions: ["a man", "a cat", "two dogs"].map(str::to_owned).into(),
        image_of_caption: vec![0, 0, 1],
        kinds: None,
    };
    Positives::read(&scratch::file("positives.json", bytes), &split).is_ok()
}

/// In one direction and in both.
pub fn positive_lists() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"image_to_text": {"7": [0, 1, 2], "9": [2]}}"#,
        r#"{"image_to_text": {"7": [0, 1]}, "text_to_image": {"0": ["7", "9"], "2": []}}"#,
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// A run.
pub fn run(bytes: &[u8]) -> bool {
    let path = scratch::file("run.toml", bytes);
    let overlaid = TrainConfig::default().overlaid(&path);
    TrainConfig::read(&path).is_ok() || overlaid.is_ok()
}

/// The one of the tests.
pub fn runs() -> Vec<Vec<u8>> {
    vec![include_bytes!("../../../../tests/fixtures/tiny.toml").to_vec()]
}
