//! What an export holds, and that it searches as the native program does.

use super::*;

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
        assert_eq!(
            own.embeddings(row..row + 1).unwrap(),
            exported.embeddings(row..row + 1).unwrap()
        );
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
