//! A folder with pictures, and what is found in files beside them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use trainer_native::data::{Dataset, DatasetSpec, ProblemKind, Split, VerifyOptions, verify};

/// A folder with pictures `img/0.png` to `img/5.png`.
pub struct Folder {
    root: TempDir,
}

impl Folder {
    pub fn new() -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("img")).unwrap();
        for number in 0..6u32 {
            let pixel = image::Rgb([number as u8 * 40, 7, 9]);
            let picture = image::RgbImage::from_pixel(3 + number, 2, pixel);
            picture.save(root.path().join(format!("img/{number}.png"))).unwrap();
        }
        Self { root }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    pub fn spec(&self, dataset: &str, name: &str) -> DatasetSpec {
        let images = Some(self.path("img"));
        DatasetSpec { name: dataset.into(), data_path: self.path(name), images }
    }

    pub fn open(&self, dataset: &str, name: &str) -> Dataset {
        Dataset::open(&self.spec(dataset, name)).unwrap()
    }

    pub fn error(&self, name: &str) -> String {
        Dataset::open(&self.spec("f30k", name)).unwrap_err().to_string()
    }

    /// What `verify` finds, as (kind, file, line), and the messages.
    pub fn problems(&self, name: &str) -> (Vec<(ProblemKind, String, Option<usize>)>, String) {
        let spec = self.spec("f30k", name);
        let found = verify(&VerifyOptions { spec, splits: Vec::new(), decode: true }).unwrap();
        let file = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = found.to_string();
        (found.problems.into_iter().map(|p| (p.kind, file(&p.file), p.line)).collect(), text)
    }

    /// Writes a tar file of (name, content).
    pub fn tar(&self, name: &str, members: &[(&str, &[u8])]) {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, *content).unwrap();
        }
        self.write(name, tar.into_inner().unwrap());
    }

    pub fn png(&self, number: usize) -> Vec<u8> {
        fs::read(self.path(&format!("img/{number}.png"))).unwrap()
    }
}

/// Captions of every image of a split.
pub fn captions(split: &Split) -> Vec<(String, Vec<&str>)> {
    let mut all: Vec<_> = split.images.iter().map(|image| (image.id.clone(), vec![])).collect();
    for (caption, &image) in split.captions.iter().zip(&split.image_of_caption) {
        all[image].1.push(caption.as_str());
    }
    all
}

pub fn karpathy(images: serde_json::Value) -> String {
    json!({"images": images, "dataset": "coco"}).to_string()
}

pub fn image(number: u64, split: &str, raw: &[&str]) -> serde_json::Value {
    let sentences: Vec<_> =
        raw.iter().map(|raw| json!({"raw": raw, "tokens": ["x"], "sentid": 1})).collect();
    json!({
        "filename": format!("{number}.png"), "imgid": number + 100, "split": split,
        "sentences": sentences, "sentids": [1]
    })
}
