//! Exports for a web page: what they hold, that they agree with native searches, what is refused.

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

use super::support::{CAPTIONS, Fixture, Outcome, avse};

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
        Avse::from_files(files, &Device::flex()).unwrap()
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

#[test]
fn an_export_holds_what_pages_expect() {
    let fixture = Fixture::trained();
    let before = names(&fixture.path(""));
    let report = fixture.export_split(&["--domain", "small squares", "--thumbnails", "16"]);
    let page: Value = serde_json::from_slice(&fixture.read("site/avse.json")).unwrap();
    let expected = json!({
        "format": "avse-web", "version": 1, "model": "model/", "domain": "small squares",
        "created_by": concat!("avse ", env!("CARGO_PKG_VERSION")),
        "galleries": [
            { "name": "pictures", "path": "pictures/", "kind": "images", "items": IMAGES },
            { "name": "captions", "path": "captions/", "kind": "captions", "items": IMAGES * CAPTIONS },
        ],
    });
    assert_eq!(page, expected);
    let (files, at) = (&report["files"], |path: &str| fixture.path("site").join(path));
    let listed: Vec<(String, u64)> = serde_json::from_value(files.clone()).unwrap();
    let paths: Vec<&str> = listed.iter().map(|(path, _)| path.as_str()).collect();
    let galleries = ["embeddings.safetensors", "items.jsonl", "manifest.json"];
    let mut wanted = vec!["avse.json".to_string()];
    wanted.extend(galleries.map(|name| format!("captions/{name}")));
    let bundle = ["config.json", "manifest.json", "model.safetensors", "tokenizer.json"];
    wanted.extend(bundle.map(|name| format!("model/{name}")));
    wanted.extend(galleries.map(|name| format!("pictures/{name}")));
    wanted.extend(["thumbnails.bin", "thumbnails.json"].map(|name| format!("pictures/{name}")));
    assert_eq!(paths, wanted);
    for (path, bytes) in &listed {
        assert_eq!(fs::metadata(at(path)).unwrap().len(), *bytes);
        // Nothing says where on this machine it was made.
        let content = String::from_utf8_lossy(&fs::read(at(path)).unwrap()).into_owned();
        assert!(!content.contains(&fixture.arg("")), "{path}");
    }

    let (model, manifest) = fixture.bundle();
    assert_eq!((manifest.precision, manifest.towers), (Precision::F16, Towers::Both));
    assert!(model.has_image_tower());
    let pictures = fixture.gallery("pictures");
    pictures.expect_model(&manifest.fingerprint()).unwrap();
    assert_eq!((pictures.len(), pictures.spec().kind), (IMAGES, GalleryKind::Images));
    assert!(pictures.sources().is_empty() && pictures.is_exact());
    let item = pictures.items().get(3).unwrap();
    assert_eq!((item.key.as_str(), item.path.as_deref()), ("test3", Some("test3.png")));
    assert_eq!(item.caption.as_deref(), Some("Picture 3 of test, sentence 0."));
    assert_eq!((item.bytes, item.modified, item.metadata.len()), (None, None, 0));
    let captions = fixture.gallery("captions");
    captions.expect_model(&manifest.fingerprint()).unwrap();
    let item = captions.items().get(7).unwrap();
    assert_eq!(item.caption.as_deref(), Some("Picture 1 of test, sentence 2."));
    assert_eq!((item.key.as_str(), &item.metadata["image"]), ("8", &json!("test1")));

    for (row, thumbnail) in fixture.thumbnails().iter().enumerate() {
        let small = RgbImage::decode(thumbnail, &DecodeLimits::default()).unwrap();
        // The picture is 20 + row pixels wide and 24 high.
        let longer = (20 + row).max(24) as f64;
        let side = |length: f64| (length * 16.0 / longer).round() as usize;
        assert_eq!((small.width(), small.height()), (side(20.0 + row as f64), side(24.0)));
    }
    // Nothing is left beside it.
    let mut after = names(&fixture.path(""));
    after.retain(|name| name != "site");
    assert_eq!(after, before);
}

#[test]
fn exports_rank_as_native_searches_do() {
    let fixture = Fixture::trained();
    let data = fixture.arg("data");
    let split = ["--dataset", "f30k", "--data_path", &data];
    let picture = fixture.image("test4.png");
    let text = "Picture 2 of test, sentence 1.";
    for (weights, gallery) in [("f32", "f32"), ("f16", "f16"), ("int8", "f16"), ("f16", "int8")] {
        let report =
            fixture.export_split(&["--precision", weights, "--gallery-precision", gallery]);
        assert_eq!((&report["pictures"], &report["captions"]), (&json!(6), &json!(30)));
        // A gallery that is built natively with the exported bundle.
        let own = format!("own-{weights}-{gallery}");
        fixture.index_by("site/model", &own, &[&split[..], &["--precision", gallery]].concat());
        let native = fixture.search_by(&own, "site/model", &[text]).succeeds().json();
        let exported = fixture.search_by("site/pictures", "site/model", &[text]).succeeds().json();
        check_hits(&hits(&exported), &hits(&native));
        // The way that a page goes: bytes, one sentence, unit blocks.
        let (avse, manifest) = fixture.bundle();
        assert_eq!(manifest.precision.to_string(), weights);
        let blocks = unit_blocks(avse.encode_texts(&[text]), avse.config.block_size);
        let blocks = blocks.into_data().try_to_vec::<f32>().unwrap();
        let query = Blocks::new(&blocks, GalleryKind::Captions.shape(&avse.config)).unwrap();
        let found = fixture.gallery("pictures").search(GalleryKind::Captions, query, 100).unwrap();
        let found: Vec<_> =
            found[0].iter().map(|hit| (hit.item.key.clone(), f64::from(hit.score))).collect();
        check_hits(&found, &hits(&native));
        // A picture finds captions.
        let own = format!("captions-{weights}-{gallery}");
        let options = ["--precision", gallery, "--kind", "captions"];
        fixture.index_by("site/model", &own, &[&split[..], &options].concat());
        let asked = ["--image", picture.to_str().unwrap()];
        let native = fixture.search_by(&own, "site/model", &asked).succeeds().json();
        let exported = fixture.search_by("site/captions", "site/model", &asked).succeeds().json();
        check_hits(&hits(&exported), &hits(&native));
    }
}

#[test]
fn the_loss_is_measured() {
    let fixture = Fixture::trained();
    let rsum =
        fixture.eval("run/best", &[]).succeeds().json()["sets"][0]["metrics"]["rsum"].clone();
    let exact = ["--precision", "f32", "--gallery-precision", "f32"];
    let report = fixture.export_split(&exact);
    let recall = &report["loss"]["recall"];
    assert_eq!((&recall["before"]["rsum"], &recall["after"]), (&rsum, &recall["before"]));
    let report = fixture.export_split(&["--precision", "int8"]);
    let recall = &report["loss"]["recall"];
    assert_eq!(recall["before"]["rsum"], rsum);
    // What is written is what the written bundle measures: embeddings differ by their rounding.
    let written = fixture.eval("site/model", &[]).succeeds().json();
    let written = written["sets"][0]["metrics"]["rsum"].as_f64().unwrap();
    assert!((recall["after"]["rsum"].as_f64().unwrap() - written).abs() < 10.0, "{recall}");

    let data = fixture.arg("data");
    let said = fixture.export(&["--dataset", "f30k", "--data_path", &data, "--precision", "int8"]);
    let said = said.succeeds().stdout;
    let before = format!("rSum {:.1} before, ", rsum.as_f64().unwrap());
    for part in [&before, "source bundle", "int8 weights, f16 gallery", "total bytes", "avse.json"]
    {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    // Without a dataset: how far both agree, on the captions that there are.
    fixture.write("words.txt", "a red square\n\na blue one\n");
    let (images, words) = (fixture.image(""), fixture.arg("words.txt"));
    let folder = ["--images", images.to_str().unwrap(), "--captions", &words];
    let report = fixture.export(&[&folder[..], &["--json"]].concat()).succeeds().json();
    let agreement = &report["loss"]["agreement"];
    assert_eq!(agreement["sentences"], 2);
    assert_eq!((&agreement["pictures"], &agreement["hits"]), (&json!(18), &json!(10)));
    assert!(agreement["share"].as_f64().unwrap() > 0.5, "{agreement}");
    assert_eq!(fixture.gallery("captions").items().get(1).unwrap().key, "3");
    let said = fixture.export(&folder).succeeds().stdout;
    assert!(said.contains("of the 10 best of 18 pictures"), "{said}");
}

#[test]
fn text_alone_needs_no_image_tower() {
    let fixture = Fixture::trained();
    let report = fixture.export_split(&["--text-only", "--precision", "int8"]);
    assert_eq!((&report["captions"], &report["towers"]), (&json!(0), &json!(["text"])));
    assert_eq!(names(&fixture.path("site")), ["avse.json", "model", "pictures"]);
    let weights = StateDict::read_safetensors(fixture.path("site/model/model.safetensors"));
    assert!(weights.unwrap().names().all(|name| name.starts_with("txt_enc.")));
    let (avse_, manifest) = fixture.bundle();
    assert!(!avse_.has_image_tower() && manifest.towers == Towers::Text);
    // The pictures are encoded by the source, in full precision.
    let data = fixture.arg("data");
    fixture.index_by("run/best", "own", &["--dataset", "f30k", "--data_path", &data]);
    let own = Gallery::open(fixture.path("own")).unwrap();
    let exported = fixture.gallery("pictures");
    for row in 0..IMAGES {
        assert_eq!(own.embedding(row).unwrap(), exported.embedding(row).unwrap());
    }
    let ask = |question: &[&str]| fixture.search_by("site/pictures", "site/model", question);
    assert_eq!(hits(&ask(&["a square"]).succeeds().json()).len(), IMAGES);
    let picture = fixture.image("test1.png");
    ask(&["--image", picture.to_str().unwrap()]).fails_with(&["site/model", "text alone"]);
    fixture.eval("site/model", &[]).fails_with(&["text alone"]);
    let (model, out) = (fixture.arg("site/model"), fixture.arg("converted"));
    avse(["convert", "--from", &model, "--to", "bundle", "--out", &out])
        .fails_with(&["site/model", "text tower alone"]);
}

#[test]
fn a_gallery_is_encoded_anew_or_kept() {
    let fixture = Fixture::trained();
    fixture.train("other", &["--num_epochs", "1", "--seed", "5"]).succeeds();
    let images = fixture.image("");
    let images = images.to_str().unwrap();
    fixture.index_by("run/best", "gallery", &[images]);
    let gallery = fixture.arg("gallery");
    let options = ["--gallery", &gallery, "--json"];
    let report = fixture.export(&options).succeeds().json();
    assert_eq!((&report["kept_embeddings"], &report["unreachable"]), (&json!(false), &json!(0)));
    assert_eq!((&report["pictures"], &report["captions"]), (&json!(18), &json!(0)));
    fixture.gallery("pictures").expect_model(&fixture.bundle().1.fingerprint()).unwrap();
    assert!(fixture.thumbnails().iter().all(|thumbnail| !thumbnail.is_empty()));
    assert!(!fixture.text("site/pictures/items.jsonl").contains("modified"));

    // One of the pictures is gone: what is embedded stays as it is, with the exported tag.
    fs::remove_file(fixture.image("test2.png")).unwrap();
    let report = fixture.export(&options).succeeds().json();
    assert_eq!((&report["kept_embeddings"], &report["unreachable"]), (&json!(true), &json!(1)));
    assert_eq!((&report["pictures"], &report["without_thumbnail"]), (&json!(18), &json!(1)));
    let (kept, own) = (fixture.gallery("pictures"), Gallery::open(&gallery).unwrap());
    kept.expect_model(&fixture.bundle().1.fingerprint()).unwrap();
    for row in 0..own.len() {
        assert_eq!(own.embedding(row).unwrap(), kept.embedding(row).unwrap());
    }
    let empty = fixture.thumbnails().iter().filter(|thumbnail| thumbnail.is_empty()).count();
    assert_eq!(empty, 1);
    let said = fixture.export(&options[..2]).succeeds().stdout;
    assert!(said.contains("embeddings were kept") && said.contains("1 of its pictures"), "{said}");
    // Of another bundle they cannot be kept.
    let (other, out) = (fixture.arg("other/best"), fixture.arg("site"));
    let wrong = ["export-web", "--gallery", &gallery, "--model", &other, "--out", &out];
    avse(wrong).fails_with(&[&gallery, "1 of its 18 pictures", "another model"]);
    // An export stands there still; and without pictures to encode all is kept.
    assert_eq!(fixture.gallery("pictures").len(), 18);
    let report = fixture.export(&[&options[..], &["--text-only"]].concat()).succeeds().json();
    assert_eq!(report["kept_embeddings"], true);
    // A gallery of 8-bit blocks gives no more than it has.
    fixture.index_by("run/best", "eight", &[images, "--precision", "int8"]);
    let eight = fixture.arg("eight");
    let report = fixture.export(&["--gallery", &eight, "--text-only", "--json"]).succeeds().json();
    assert_eq!(report["gallery_precision"], "int8");
}

#[test]
fn captions_come_from_anywhere() {
    let fixture = Fixture::trained();
    let data = fixture.arg("data");
    let kind = ["--dataset", "f30k", "--data_path", &data, "--kind", "captions"];
    fixture.index_by("run/best", "sentences", &kind);
    let images = fixture.image("");
    let images = images.to_str().unwrap();
    let sentences = fixture.arg("sentences");
    fixture.export(&["--images", images, "--captions", &sentences]).succeeds();
    let captions = fixture.gallery("captions");
    assert_eq!(captions.len(), IMAGES * CAPTIONS);
    captions.expect_model(&fixture.bundle().1.fingerprint()).unwrap();
    fixture.export_split(&["--captions", "none", "--thumbnails", "0"]);
    assert_eq!(names(&fixture.path("site")), ["avse.json", "model", "pictures"]);
    assert_eq!(names(&fixture.path("site/pictures")).len(), 3);

    let refused = |options: &[&str], parts: &[&str]| {
        fixture.export(&[&["--images", images], options].concat()).fails_with(parts);
    };
    refused(&["--captions", "dataset"], &["--captions dataset", "no dataset"]);
    refused(&["--captions", &fixture.arg("nowhere.txt")], &["nowhere.txt"]);
    refused(&["--captions", images], &["manifest.json"]);
    let wrong = ["--gallery", &sentences];
    fixture.export(&wrong).fails_with(&["sentences", "gallery of captions", "--captions"]);
    fixture.write("credits.json", "[{\"what\": \"squares\", \"by\": \"us\"}]");
    let credits = fixture.arg("credits.json");
    refused(&["--credits", &credits], &["credits.json", "licence"]);
    fixture
        .write("credits.json", "[{\"what\": \"squares\", \"by\": \"us\", \"licence\": \"MIT\"}]");
    fixture.export(&["--images", images, "--credits", &credits]).succeeds();
    let page: Value = serde_json::from_slice(&fixture.read("site/avse.json")).unwrap();
    assert_eq!(page["credits"], json!([{ "what": "squares", "by": "us", "licence": "MIT" }]));
    assert!(page.get("domain").is_none());
}

#[test]
fn hostile_pictures_are_left_out() {
    let fixture = Fixture::trained();
    fixture.write("data/flickr30k-images/test2.png", "no picture");
    // A PNG of 60,000 x 60,000 pixels in its header.
    let sound = fs::read(fixture.image("test3.png")).unwrap();
    let mut bomb = sound.clone();
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    fixture.write("data/flickr30k-images/test3.png", bomb);
    fixture.write("data/flickr30k-images/test5.png", &sound[..sound.len() / 2]);
    let report = fixture.export_split(&[]);
    assert_eq!((&report["pictures"], &report["captions"]), (&json!(3), &json!(15)));
    let unreadable = report["unreadable"].as_array().unwrap();
    let keys: Vec<_> = unreadable.iter().map(|problem| problem["key"].clone()).collect();
    assert_eq!(keys, ["test2", "test3", "test5"]);
    let items = fixture.gallery("pictures");
    let keys: Vec<_> = items.items().iter().map(|item| item.unwrap().key).collect();
    assert_eq!(
        (keys, fixture.thumbnails().len()),
        (vec!["test0".into(), "test1".into(), "test4".to_string()], 3)
    );
    let data = fixture.arg("data");
    let said = fixture.export(&["--dataset", "f30k", "--data_path", &data]).succeeds().stderr;
    assert!(said.contains("3 could not be read") && said.contains("test2: "), "{said}");

    fs::create_dir(fixture.path("bad")).unwrap();
    fixture.write("bad/a.png", "no picture");
    let bad = fixture.arg("bad");
    fixture.export(&["--images", &bad]).fails_with(&["none of 1 pictures", "a.png"]);
    fs::remove_file(fixture.path("bad/a.png")).unwrap();
    fixture.export(&["--images", &bad]).fails_with(&["no pictures", &bad]);
}

#[test]
fn a_folder_that_is_no_export_is_not_replaced() {
    let fixture = Fixture::trained();
    fs::create_dir(fixture.path("site")).unwrap();
    fixture.write("site/thesis.txt", "years of work");
    let images = fixture.image("");
    let images = ["--images", images.to_str().unwrap()];
    fixture.export(&images).fails_with(&["site", "is no export"]);
    assert_eq!(names(&fixture.path("site")), ["thesis.txt"]);
    fs::remove_file(fixture.path("site/thesis.txt")).unwrap();
    fixture.export(&images).succeeds();
    // What fails later leaves the old export, and nothing else.
    let manifest = fixture.text("site/avse.json");
    fixture.export(&["--images", &fixture.arg("nowhere")]).fails_with(&["nowhere"]);
    assert_eq!(fixture.text("site/avse.json"), manifest);
    assert!(names(&fixture.path("")).iter().all(|name| !name.starts_with('.')));
}

/// Random weights of the published sizes: ViT-B/16 and BERT-base, in 256 pixels.
#[test]
#[ignore = "some minutes, 4 GB of memory and 2 GB of disk"]
fn a_model_of_published_size_is_exported() {
    use avse_core::AvseModel;
    use avse_core::config::{BertConfig, ImageBackboneConfig, ModelConfig, VitConfig};
    use avse_core::text::tokenizer::CaptionTokenizer;

    let fixture = Fixture::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vocabulary = root.join("../tests/fixtures/parity/bert-base-uncased-vocab.txt");
    let tokenizer = CaptionTokenizer::from_vocab(&fs::read_to_string(vocabulary).unwrap()).unwrap();
    let config = ModelConfig {
        embed_size: 1024,
        block_size: 256,
        image_size: 256,
        sampling: Default::default(),
        pooling: Default::default(),
        image: ImageBackboneConfig::Vit(VitConfig::default()),
        text: BertConfig::default(),
        text_dropout: 0.2,
    };
    let model = AvseModel::new(&config, &Device::flex()).unwrap();
    let best = fixture.path("run/best");
    fs::create_dir_all(best.parent().unwrap()).unwrap();
    Avse::new(config, model, tokenizer).unwrap().save(&best, Precision::F32).unwrap();
    let images = fixture.image("");
    let images = images.to_str().unwrap();
    let mut sizes = Vec::new();
    for options in [&[][..], &["--text-only"]] {
        for precision in ["f16", "int8"] {
            let fixed = ["--images", images, "--json", "--precision", precision];
            let report = fixture.export(&[&fixed[..], options].concat()).succeeds().json();
            let files: Vec<(String, u64)> =
                serde_json::from_value(report["files"].clone()).unwrap();
            let weights = files.iter().find(|(path, _)| path == "model/model.safetensors").unwrap();
            println!("{precision} {options:?}: {} bytes, {}", weights.1, report["loss"]);
            sizes.push(weights.1);
        }
    }
    // f16, int8, and the same without the image tower.
    assert!(sizes[0] > 390_000_000 && sizes[1] < sizes[0] * 11 / 20, "{sizes:?}");
    assert!(sizes[2] < sizes[0] * 3 / 5 && sizes[3] < sizes[2] * 11 / 20, "{sizes:?}");
}

/// The export of the demo's model and pictures, for the test that has them at hand.
pub fn export_demo() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("site");
    let arguments = ["export-web", "--precision", "int8", "--json", "--gpu-id", "cpu", "--out"];
    let arguments = arguments.map(String::from).into_iter();
    let report = avse(arguments.chain([out.to_str().unwrap().to_string()])).succeeds().json();
    assert_eq!((&report["pictures"], &report["captions"]), (&json!(1000), &json!(5000)));
    let recall = &report["loss"]["recall"];
    let rsum = |side: &str| recall[side]["rsum"].as_f64().unwrap();
    assert!(rsum("before") > 250.0 && (rsum("before") - rsum("after")).abs() < 5.0, "{recall}");
    let page: Value = serde_json::from_slice(&fs::read(out.join("avse.json")).unwrap()).unwrap();
    assert_eq!(page["domain"], "drawings of emoji");
    assert_eq!(page["unseen_kinds"], json!(["keywords", "shortcodes"]));
    let credits = page["credits"].as_array().unwrap();
    // Four designers, three lists of words.
    assert_eq!(credits.len(), 7, "{credits:?}");
    assert!(credits.iter().any(|credit| credit["licence"].as_str().unwrap().contains("BY-SA")));
}
