//! Galleries: built, kept up to date, searched, and refused.

mod kept;
mod searching;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use npyz::NpyFile;
use serde_json::{Value, json};

use super::support::{CAPTIONS, Fixture, Outcome, avse, command, outcome};

/// Images of the test split.
const IMAGES: usize = 6;

impl Fixture {
    /// `avse index <command>` on the gallery `name` with the trained bundle, as JSON.
    fn index(&self, command: &str, name: &str, options: &[&str]) -> Outcome {
        let (model, gallery) = (self.arg("run/best"), self.arg(name));
        let fixed = ["index", command, "--model", &model, "--gallery", &gallery, "--json"];
        avse([&fixed, options, &["--gpu-id", "cpu"]].concat())
    }

    fn build(&self, name: &str, options: &[&str]) -> Value {
        self.index("build", name, options).succeeds().json()
    }

    /// The gallery `name` of the test split.
    fn build_split(&self, name: &str, options: &[&str]) -> Value {
        let data = self.arg("data");
        self.build(name, &[&["--dataset", "f30k", "--data_path", &data], options].concat())
    }

    fn ask(&self, name: &str, question: &[&str]) -> Outcome {
        let gallery = self.arg(name);
        avse([&["search", "--gallery", &gallery, "--gpu-id", "cpu"], question].concat())
    }

    fn search(&self, name: &str, question: &[&str]) -> Value {
        self.ask(name, &[question, &["--json", "-k", "100"]].concat()).succeeds().json()
    }

    /// The score matrix of the test split, images x captions, by the plain path.
    fn matrix(&self) -> Vec<f32> {
        let (bytes, _) = self.scores("run/best");
        NpyFile::new(bytes.as_slice()).unwrap().into_vec().unwrap()
    }

    fn picture(&self, name: &str, level: u8) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixel = |x, y| image::Rgb([level, (x * 8) as u8 ^ level, (y * 9) as u8]);
        image::RgbImage::from_fn(30, 20, pixel).save(path).unwrap();
    }
}

/// Counts of a report: added, changed, removed, unchanged, encoded, reused.
fn counts(report: &Value) -> [u64; 6] {
    ["added", "changed", "removed", "unchanged", "encoded", "reused"]
        .map(|name| report[name].as_u64().unwrap())
}

fn keys(answer: &Value) -> Vec<&str> {
    let hits = answer["hits"].as_array().unwrap();
    hits.iter().map(|hit| hit["key"].as_str().unwrap()).collect()
}

fn scores(answer: &Value) -> Vec<f32> {
    let hits = answer["hits"].as_array().unwrap();
    hits.iter().map(|hit| hit["score"].as_f64().unwrap() as f32).collect()
}

/// Hits are `expected`, best first, within rounding.
#[track_caller]
fn check_scores(answer: &Value, mut expected: Vec<f32>, tolerance: f32) {
    expected.sort_by(|a, b| b.total_cmp(a));
    let found = scores(answer);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < tolerance, "{found} instead of {expected}");
    }
}

#[test]
fn a_rebuild_touches_only_what_changed() {
    let fixture = Fixture::trained();
    for (name, level) in [("a.png", 10), ("b.jpg", 60), ("deep/er/c.webp", 110), ("d.bmp", 160)] {
        fixture.picture(&format!("photos/{name}"), level);
    }
    fixture.picture("photos/.hidden.png", 9);
    fixture.picture("photos/.thumbnails/a.png", 9);
    fixture.write("photos/notes.txt", "no picture");
    fixture.write("photos/broken.png", "no picture either");
    let photos = fixture.arg("photos");
    let first = fixture.build("gallery", &[&photos]);
    assert_eq!(counts(&first), [4, 0, 0, 0, 4, 0]);
    assert_eq!(first["unreadable"][0]["key"], "broken.png");
    assert_eq!(first["unreadable"].as_array().unwrap().len(), 1);
    let before = fixture.search("gallery", &["something"]);

    // Without a source the gallery knows where it is from; nothing new means nothing written.
    let manifest = fixture.read("gallery/manifest.json");
    let again = fixture.build("gallery", &[]);
    assert_eq!(counts(&again), [0, 0, 0, 4, 0, 0]);
    assert_eq!(
        (&again["written"], fixture.read("gallery/manifest.json")),
        (&json!(false), manifest)
    );

    // A file that was only written again keeps its embedding.
    let file = fs::File::options().write(true).open(fixture.path("photos/a.png")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(1000)).unwrap();
    let touched = fixture.build("gallery", &[]);
    assert_eq!((counts(&touched), &touched["written"]), ([0, 0, 0, 4, 0, 0], &json!(true)));
    assert_eq!(scores(&fixture.search("gallery", &["something"])), scores(&before));

    fixture.picture("photos/a.png", 210);
    fs::remove_file(fixture.path("photos/b.jpg")).unwrap();
    fs::rename(fixture.path("photos/d.bmp"), fixture.path("photos/deep/moved.bmp")).unwrap();
    fs::copy(fixture.path("photos/deep/er/c.webp"), fixture.path("photos/copy.webp")).unwrap();
    fixture.picture("photos/new.png", 240);
    let changed = fixture.build("gallery", &[&photos]);
    assert_eq!(counts(&changed), [3, 1, 2, 1, 2, 2]);
    let answer = fixture.search("gallery", &["something"]);
    let mut found = keys(&answer);
    found.sort_unstable();
    assert_eq!(found, ["a.png", "copy.webp", "deep/er/c.webp", "deep/moved.bmp", "new.png"]);
    // The result is that of a build from nothing.
    fixture.build("fresh", &[&photos]);
    let fresh = fixture.search("fresh", &["something"]);
    assert_eq!(keys(&fresh), keys(&answer));
    check_scores(&answer, scores(&fresh), 1e-3);
    let names = |folder| {
        let entries = fs::read_dir(fixture.path(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(
        names("gallery"),
        [".lock", "embeddings.safetensors", "items.jsonl", "manifest.json"]
    );
}

#[test]
fn a_picture_is_indexed_upright() {
    let fixture = Fixture::trained();
    fixture.picture("upright.jpg", 77);
    // Turned by a quarter to the left, with and without a word about it in the file.
    let upright = image::open(fixture.path("upright.jpg")).unwrap();
    fs::create_dir(fixture.path("photos")).unwrap();
    upright.rotate270().save(fixture.path("photos/lying.jpg")).unwrap();
    let lying = fixture.read("photos/lying.jpg");
    // Exif, big endian, one directory with one entry: orientation (0x0112), SHORT, 1, 6.
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let segment = [&[0xff, 0xe1][..], &(exif.len() as u16 + 2).to_be_bytes(), exif].concat();
    fixture.write("photos/turned.jpg", [&lying[..2], &segment, &lying[2..]].concat());
    fixture.build("gallery", &[&fixture.arg("photos"), "--precision", "f32"]);
    let answer = fixture.search("gallery", &["--image", &fixture.arg("upright.jpg")]);
    assert_eq!(keys(&answer), ["turned.jpg", "lying.jpg"]);
    assert!(scores(&answer)[0] > 3.95, "{answer}");
}

#[test]
fn sources_are_added_and_replaced() {
    let fixture = Fixture::trained();
    fixture.picture("one/a.png", 10);
    fixture.picture("two/a.png", 60);
    let (one, two) = (fixture.arg("one"), fixture.arg("two"));
    fixture.build("gallery", &[&one]);
    let refused = fixture.index("build", "gallery", &[&two]);
    refused.fails_with(&[&one, "avse index add", "--replace"]);
    let added = fixture.index("add", "gallery", &[&two]).succeeds().json();
    assert_eq!(counts(&added), [1, 0, 0, 1, 1, 0]);
    let answer = fixture.search("gallery", &["something"]);
    let mut paths: Vec<_> = answer["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["path"].as_str().unwrap())
        .collect();
    paths.sort_unstable();
    let canonical = |folder| fixture.path(folder).join("a.png").canonicalize().unwrap();
    assert_eq!(paths, [canonical("one").to_str().unwrap(), canonical("two").to_str().unwrap()]);
    let replaced = fixture.build("gallery", &[&two, "--replace"]);
    assert_eq!(counts(&replaced), [0, 0, 1, 1, 0, 0]);
    // A folder that cannot be found is not one whose pictures were deleted.
    fs::rename(fixture.path("two"), fixture.path("away")).unwrap();
    fixture.index("build", "gallery", &[]).fails_with(&[&two]);
    assert_eq!(keys(&fixture.search("gallery", &["something"])), ["a.png"]);
}

#[test]
fn lists_of_items_keep_what_they_say() {
    let fixture = Fixture::trained();
    fixture.picture("shop/img/a.png", 10);
    fixture.picture("shop/img/b.png", 90);
    let list = "{\"image\": \"img/a.png\", \"key\": \"p1\", \"price\": 12, \"caption\": \"a cup\"}\n\
                {\"image\": \"img/b.png\", \"tags\": [\"x\"]}\n{\"image\": \"img/gone.png\"}\n";
    fixture.write("shop/items.jsonl", list);
    let items = fixture.arg("shop/items.jsonl");
    let report = fixture.build("gallery", &["--items", &items]);
    assert_eq!(counts(&report), [2, 0, 0, 0, 2, 0]);
    assert_eq!(report["unreadable"][0]["key"], "img/gone.png");
    let answer = fixture.search("gallery", &["a cup"]);
    let hits = answer["hits"].as_array().unwrap();
    let hit = hits.iter().find(|hit| hit["key"] == "p1").unwrap();
    assert_eq!((&hit["caption"], &hit["metadata"]), (&json!("a cup"), &json!({"price": 12})));
    assert!(hit["path"].as_str().unwrap().ends_with("img/a.png"));
    // Another price is no other picture.
    fixture.write("shop/items.jsonl", list.replace("12", "13"));
    let report = fixture.build("gallery", &[]);
    assert_eq!((counts(&report), &report["written"]), ([0, 0, 0, 2, 0, 0], &json!(true)));
    let answer = fixture.search("gallery", &["a cup"]);
    assert!(answer.to_string().contains("{\"price\":13}"), "{answer}");

    let list = "{\"caption\": \"a cup\"}\n{\"caption\": \"a cat\"}\n{\"caption\": \"a cup\"}\n";
    fixture.write("texts.jsonl", list);
    let report = fixture.build("texts", &["--items", &fixture.arg("texts.jsonl")]);
    assert_eq!((&report["kind"], counts(&report)), (&json!("captions"), [3, 0, 0, 0, 2, 0]));
    // A line more at the start gives all others another key, and no other embedding.
    fixture.write("texts.jsonl", format!("{{\"caption\": \"new\"}}\n{list}"));
    let report = fixture.build("texts", &[]);
    assert_eq!(report["encoded"], 1);
    assert_eq!(fixture.search("texts", &["a cat"])["hits"][0]["key"], "3");
    fixture.write("texts.jsonl", "{\"caption\": \"a\"}\nno JSON\n");
    let stop = ["--on-error", "stop"];
    fixture.index("build", "texts", &stop).fails_with(&["texts.jsonl line 2", "no JSON"]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let fixture = Fixture::trained();
    fixture.train("other", &["--num_epochs", "1", "--seed", "5"]).succeeds();
    fixture.picture("photos/a.png", 10);
    let photos = fixture.arg("photos");
    let gallery = fixture.arg("gallery");
    fixture.ask("gallery", &["x"]).fails_with(&[&gallery, "manifest.json"]);
    fixture.index("build", "gallery", &[]).fails_with(&[&gallery, "no gallery yet"]);
    fixture.index("build", "photos", &[&photos]).fails_with(&[&photos, "is no gallery"]);
    fixture.index("build", "gallery", &[&fixture.arg("nowhere")]).fails_with(&["nowhere"]);
    fs::create_dir(fixture.path("empty")).unwrap();
    fixture.index("build", "gallery", &[&fixture.arg("empty")]).fails_with(&["nothing to index"]);
    fixture.build("gallery", &[&photos]);

    let other = fixture.arg("other/best");
    let wrong = ["x", "--model", &other];
    fixture.ask("gallery", &wrong).fails_with(&["another model", "fingerprint"]);
    let build = ["index", "build", "--gallery", &gallery, "--model", &other, "--gpu-id", "cpu"];
    avse(build).fails_with(&["another model"]);
    fixture.index("build", "gallery", &["--precision", "f32"]).fails_with(&["precision is f16"]);
    avse([&build[..], &[&photos, "--replace"]].concat()).succeeds();
    fixture.ask("gallery", &wrong).succeeds();
    // The bundle goes: so does the way to ask.
    fs::rename(fixture.path("other/best"), fixture.path("moved")).unwrap();
    fixture.ask("gallery", &["x"]).fails_with(&["other/best", "--model"]);
    fixture.ask("gallery", &["x", "--model", &fixture.arg("moved")]).succeeds();

    let path = fixture.arg("gallery/embeddings.safetensors");
    let sound = fixture.read("gallery/embeddings.safetensors");
    let mut bytes = sound.clone();
    *bytes.last_mut().unwrap() ^= 16;
    fixture.write("gallery/embeddings.safetensors", &bytes);
    let ask = || fixture.ask("gallery", &["x", "--model", &fixture.arg("moved")]);
    ask().fails_with(&[&path, "sha256", "manifest"]);
    fixture.write("gallery/embeddings.safetensors", &bytes[..bytes.len() / 2]);
    ask().fails_with(&[&path, "bytes", "manifest"]);
    fixture.write("gallery/embeddings.safetensors", &sound);
    let manifest = fixture.text("gallery/manifest.json");
    fixture.write("gallery/manifest.json", manifest.replace("\"version\": 1", "\"version\": 9"));
    ask().fails_with(&["manifest.json", "`version` is 9"]);
    fixture.write("gallery/manifest.json", manifest);
    avse(["index", "info", &gallery, "--verify"]).succeeds();
    ask().succeeds();
}

#[test]
fn embeddings_are_written_for_other_programs() {
    let fixture = Fixture::trained();
    fs::write(fixture.image("broken.png"), "no picture").unwrap();
    let encode = |out: &str, options: &[&str]| {
        let (model, out) = (fixture.arg("run/best"), fixture.arg(out));
        let fixed = ["encode", "--model", &model, "--out", &out, "--json", "--gpu-id", "cpu"];
        avse([&fixed, options].concat())
    };
    let data = fixture.arg("data");
    let split = ["--dataset", "f30k", "--data_path", &data];
    let report = encode("images.npy", &split).succeeds().json();
    assert_eq!(report["shape"], json!([IMAGES, 4, 16]));
    encode("captions.safetensors", &[&split[..], &["--kind", "captions"]].concat()).succeeds();
    let file = fixture.read("images.npy");
    let images: Vec<f32> = NpyFile::new(file.as_slice()).unwrap().into_vec().unwrap();
    let file = fixture.read("captions.safetensors");
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    let captions = tensors.tensor("embeddings").unwrap();
    assert_eq!(captions.shape(), [IMAGES * CAPTIONS, 2, 16]);
    let captions: Vec<f32> = captions
        .data()
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    // What the help says of the rows is so.
    let matrix = fixture.matrix();
    for (at, expected) in matrix.iter().enumerate() {
        let (image, caption) = (at / (IMAGES * CAPTIONS), at % (IMAGES * CAPTIONS));
        let image = &images[image * 64..][..64];
        let best = |block: &[f32]| {
            let dot = |other: &[f32]| block.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
            image.chunks(16).map(dot).fold(f32::NEG_INFINITY, f32::max)
        };
        let score: f32 = captions[caption * 32..][..32].chunks(16).map(best).sum();
        assert!((score - expected).abs() < 1e-4, "{score} instead of {expected}");
    }
    let items: Value = serde_json::from_slice(&fixture.read("images.npy.items.json")).unwrap();
    assert_eq!(items["items"][2]["key"], "test2");
    let folder = fixture.image("");
    let folder = folder.to_str().unwrap();
    let report = encode("folder.npy", &[folder]).succeeds().json();
    assert_eq!(report["unreadable"][0]["key"], "broken.png");
    assert_eq!(report["shape"][0], 18);
    encode("folder.txt", &[folder]).fails_with(&["folder.txt", ".npy"]);
    encode("folder.npy", &[]).fails_with(&["say what to encode"]);
}

#[test]
fn the_benchmark_runs() {
    let fixture = Fixture::new();
    let (folder, report) = (fixture.arg(""), fixture.arg("bench.json"));
    let size = ["--items", "300", "--blocks", "4", "--width", "32", "--queries", "5"];
    let fixed = ["bench", "gallery", "--folder", &folder, "--json", &report];
    avse([&fixed[..], &size].concat()).succeeds();
    let report: Value = serde_json::from_slice(&fixture.read("bench.json")).unwrap();
    assert_eq!((&report["found"], &report["items"]), (&json!(5), &json!(300)));
    let left = fs::read_dir(fixture.path("")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("avse-bench")), "{left:?}");
}
