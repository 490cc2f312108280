//! Exports for a web page: what they hold, that they agree with native searches, what is refused.

mod contents;
pub mod sources;

use std::fs;
use std::path::Path;

use avse_core::Avse;
use avse_core::gallery::{Gallery, GalleryFiles, GalleryKind};
use avse_core::image::pixels::{DecodeLimits, RgbImage};
use avse_core::similarity::Blocks;
use avse_core::similarity::reference::unit_blocks;
use avse_core::weights::{BundleFiles, FileEntry, Manifest, Precision, StateDict, Towers};
use burn::tensor::Device;
use serde_json::{Value, json};

use crate::support::{CAPTIONS, Fixture, Outcome, avse};

/// Images of the test split.
const IMAGES: usize = 6;

impl Fixture {
    /// `avse export-web` of the trained bundle into the folder `site`.
    fn export(&self, options: &[&str]) -> Outcome {
        let (model, out) = (self.arg("run/best"), self.arg("site"));
        let fixed = ["export-web", "--model", &model, "--out", &out, "--gpu-id", "cpu"];
        avse([&fixed, options].concat())
    }

    /// The same of the test split, as JSON.
    fn export_split(&self, options: &[&str]) -> Value {
        let data = self.arg("data");
        let split = ["--dataset", "f30k", "--data_path", &data, "--json"];
        self.export(&[&split, options].concat()).succeeds().json()
    }

    /// The exported bundle, as a browser loads it.
    fn bundle(&self) -> (Avse, Manifest) {
        let file = |name: &str| self.read(&format!("site/model/{name}"));
        let files = BundleFiles {
            manifest: file("manifest.json"),
            config: file("config.json"),
            weights: file("model.safetensors"),
            tokenizer: file("tokenizer.json"),
        };
        Avse::from_files(files.verify().unwrap(), &Device::flex()).unwrap()
    }

    /// An exported gallery, likewise.
    fn gallery(&self, name: &str) -> Gallery {
        let file = |file: &str| self.read(&format!("site/{name}/{file}"));
        Gallery::from_bytes(GalleryFiles {
            manifest: file("manifest.json"),
            embeddings: file("embeddings.safetensors"),
            items: file("items.jsonl"),
        })
        .unwrap()
    }

    /// The thumbnails of the pictures, empty ones too.
    fn thumbnails(&self) -> Vec<Vec<u8>> {
        let index: Value =
            serde_json::from_slice(&self.read("site/pictures/thumbnails.json")).unwrap();
        let bytes = self.read("site/pictures/thumbnails.bin");
        assert_eq!((&index["format"], &index["version"]), (&json!("avse-thumbnails"), &json!(1)));
        assert_eq!(index["file"], serde_json::to_value(FileEntry::of_bytes(&bytes)).unwrap());
        let mut start = 0;
        let mut cut = |end: &Value| {
            let end = end.as_u64().unwrap() as usize;
            let thumbnail = bytes[start..end].to_vec();
            start = end;
            thumbnail
        };
        let thumbnails = index["ends"].as_array().unwrap().iter().map(&mut cut).collect();
        assert_eq!(start, bytes.len());
        thumbnails
    }

    fn search_by(&self, gallery: &str, model: &str, question: &[&str]) -> Outcome {
        let (gallery, model) = (self.arg(gallery), self.arg(model));
        let fixed = ["search", "--gallery", &gallery, "--model", &model, "--json", "-k", "100"];
        avse([&fixed, question, &["--gpu-id", "cpu"]].concat())
    }

    fn index_by(&self, model: &str, gallery: &str, options: &[&str]) {
        let (model, gallery) = (self.arg(model), self.arg(gallery));
        let fixed = ["index", "build", "--model", &model, "--gallery", &gallery, "--gpu-id", "cpu"];
        avse([&fixed, options].concat()).succeeds();
    }
}

/// Key and score of every hit, best first.
fn hits(answer: &Value) -> Vec<(String, f64)> {
    let hits = answer["hits"].as_array().unwrap().iter();
    hits.map(|hit| (hit["key"].as_str().unwrap().into(), hit["score"].as_f64().unwrap())).collect()
}

#[track_caller]
fn check_hits(found: &[(String, f64)], expected: &[(String, f64)]) {
    assert_eq!(found.len(), expected.len());
    for ((key, score), (name, value)) in found.iter().zip(expected) {
        assert!((score - value).abs() < 1e-5 && key == name, "{found:?} instead of {expected:?}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
