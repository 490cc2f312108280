//! Where an export's pictures and captions come from, and what is refused.

use super::*;

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
        assert_eq!(own.embeddings(row..row + 1).unwrap(), kept.embeddings(row..row + 1).unwrap());
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
    let report = fixture.export_split(&["--max-errors", "50%"]);
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
    let split = ["--dataset", "f30k", "--data_path", &data, "--max-errors", "3"];
    let said = fixture.export(&split).succeeds().stderr;
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
    // Nine icon sets, three lists of words.
    assert_eq!(credits.len(), 12, "{credits:?}");
    assert!(credits.iter().any(|credit| credit["licence"].as_str().unwrap().contains("BY-SA")));
}
