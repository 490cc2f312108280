//! What commands are given to read: the same rules for all of them, and what they say where there is nothing to read.

use std::fs;

use serde_json::Value;

use super::support::{CAPTIONS, Fixture, avse};

/// The test split as a table.
fn write_table(fixture: &Fixture) {
    let ids = fixture.text("data/f30k/test_ids.txt");
    let captions = fixture.text("data/f30k/test_caps.txt");
    let row = |(id, caption): (&str, &str)| format!("{id}.png,\"{caption}\"\n");
    let rows: String = ids.lines().zip(captions.lines()).map(row).collect();
    fixture.write("pairs.csv", format!("image,caption\n{rows}"));
}

#[test]
fn the_place_of_a_dataset_is_enough() {
    let fixture = Fixture::trained();
    write_table(&fixture);
    let (table, images) = (fixture.arg("pairs.csv"), fixture.arg("data/flickr30k-images"));
    let model = fixture.arg("run/best");
    let common = ["--model", &model, "--gpu-id", "cpu", "--json"];
    let place = ["--data_path", &table, "--images", &images];
    let mut written = Vec::new();
    for name in [[].as_slice(), &["--dataset", "f30k"]] {
        let out = fixture.arg("out.npy");
        let encode = [&["encode", "--out", &out], name, &place, &common].concat();
        let report = avse(encode).succeeds().json();
        assert_eq!(report["shape"][0], 6);
        written.push(fixture.read("out.npy"));
    }
    assert!(written[0] == written[1]);
    let gallery = fixture.arg("gallery");
    let build = ["index", "build", "--gallery", &gallery, "--kind", "captions"];
    let report = avse([build.as_slice(), &place, &common].concat()).succeeds().json();
    assert_eq!(report["items"], 6 * CAPTIONS);
    let site = fixture.arg("site");
    let web = ["export-web", "--out", &site, "--thumbnails", "0"];
    let report = avse([web.as_slice(), &place, &common].concat()).succeeds().json();
    assert_eq!((&report["pictures"], &report["captions"]), (&6.into(), &(6 * CAPTIONS).into()));

    // A split or pictures without a dataset are of nothing.
    let out = fixture.arg("other.npy");
    for options in [["--split", "test"], ["--images", &images]] {
        let encode = [["encode", "--out", &out].as_slice(), &options, &common].concat();
        avse(encode).fails_with(&["--dataset or --data_path"]);
    }
    avse(["encode", &table, "--out", &out]).fails_with(&["pairs.csv", "with --data_path"]);
    avse(["encode", "--out", &out]).fails_with(&["--data_path, --dataset or --items"]);
}

#[test]
fn where_there_is_no_gallery_is_said_how_to_make_one() {
    let fixture = Fixture::new();
    let gallery = fixture.arg("my gallery");
    let quoted = format!("avse index build ~/Pictures --gallery '{gallery}'");
    let expected =
        [gallery.as_str(), "there is no gallery (no manifest.json): make one first", &quoted];
    avse(["search", "x", "--gallery", &gallery]).fails_with(&expected);
    fs::create_dir(fixture.path("my gallery")).unwrap();
    avse(["search", "x", "--gallery", &gallery]).fails_with(&expected);
    avse(["index", "info", &gallery]).fails_with(&expected);
    avse(["index", "info", "--verify", &gallery]).fails_with(&expected);
    avse(["export-web", "--out", &fixture.arg("site"), "--gallery", &gallery])
        .fails_with(&expected);
}

#[test]
fn pictures_of_other_formats_are_counted() {
    let fixture = Fixture::trained();
    let (folder, model) = (fixture.arg("pictures"), fixture.arg("run/best"));
    fs::create_dir_all(fixture.path("pictures/below")).unwrap();
    fs::copy(fixture.image("test0.png"), fixture.path("pictures/0.png")).unwrap();
    for name in ["1.psd", "below/2.PSD", "below/3.jp2", "notes.txt"] {
        fixture.write(&format!("pictures/{name}"), "x");
    }
    let expected = [
        "2 files of format Photoshop document are left out: convert the pictures to JPEG or PNG",
        "1 file of format JPEG 2000 is left out",
    ];
    let out = fixture.arg("out.npy");
    let common = ["--model", &model, "--gpu-id", "cpu"];
    let encode = avse([["encode", &folder, "--out", &out].as_slice(), &common].concat()).succeeds();
    let gallery = fixture.arg("gallery");
    let build = [["index", "build", &folder, "--gallery", &gallery].as_slice(), &common].concat();
    let built = avse(&build).succeeds();
    for line in expected {
        assert!(encode.stderr.contains(line), "{}", encode.stderr);
        assert!(built.stderr.contains(line), "{}", built.stderr);
    }
    let report = avse([build.as_slice(), &["--json"]].concat()).succeeds().json();
    assert_eq!((&report["items"], &report["unread_formats"][0]["files"]), (&1.into(), &1.into()));
    fs::remove_file(fixture.path("pictures/0.png")).unwrap();
    let site = fixture.arg("site");
    let empty = fixture.arg("empty");
    let commands = [
        vec!["encode", &folder, "--out", &out],
        vec!["index", "build", &folder, "--gallery", &empty],
        vec!["export-web", "--images", &folder, "--out", &site],
    ];
    for command in commands {
        avse([command.as_slice(), &common].concat()).fails_with(&expected);
    }
}

/// Names of files may hold anything but a slash.
#[cfg(unix)]
#[test]
fn names_steer_no_terminal() {
    let fixture = Fixture::trained();
    let (folder, model) = (fixture.arg("pictures"), fixture.arg("run/best"));
    fs::create_dir(fixture.path("pictures")).unwrap();
    let name = "a\u{1b}[31m\n\u{9b}b\u{202e}.png";
    fs::copy(fixture.image("test0.png"), fixture.path("pictures").join(name)).unwrap();
    fixture.write(&format!("pictures/broken{name}"), "no picture");
    let gallery = fixture.arg("gallery");
    let common = ["--gallery", &gallery, "--gpu-id", "cpu"];
    let build = ["index", "build", &folder, "--model", &model, "--max-errors", "5"];
    let built = avse([build.as_slice(), &common].concat()).succeeds();
    let table = avse([["search", "x"].as_slice(), &common].concat()).succeeds();
    let json = avse([["search", "x", "--json"].as_slice(), &common].concat()).succeeds();
    fixture.write("pairs.csv", format!("image,caption\n\"{name}\",a\n\"gone{name}\",b\n"));
    let pairs = fixture.arg("pairs.csv");
    let verify = avse(["data", "verify", "--data_path", &pairs, "--images", &folder]);
    let error = avse(["search", "x", "--gallery", &fixture.arg(name)]);
    let spelt = "a\\u{1b}[31m\\n\\u{9b}b\\u{202e}.png";
    assert!(table.stdout.contains(spelt), "{}", table.stdout);
    assert!(built.stderr.contains(&format!("broken{spelt}")), "{}", built.stderr);
    assert!(verify.stdout.contains("gonea\\u{1b}"), "{}", verify.stdout);
    assert!(error.stderr.contains(spelt), "{}", error.stderr);
    assert_eq!(json.json()["hits"][0]["key"], name);
    for text in [built.stderr, built.stdout, table.stdout, json.stdout, verify.stdout, error.stderr]
    {
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text:?}");
    }
}

/// A byte order mark, which editors on Windows write, and UTF-16.
#[test]
fn marks_before_json_and_toml() {
    let fixture = Fixture::trained();
    let mark = |text: &str| format!("\u{feff}{text}");
    let wide =
        |text: &str| mark(text).encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let positives = fixture.arg("positives.json");
    let text = "{\"image_to_text\": {\"test0\": [7]}}";
    fixture.write("positives.json", mark(text));
    let report = fixture.eval("run/best", &["--positives", &positives]).succeeds().json();
    assert!(report["positives"] != Value::Null, "{report}");
    fixture.write("positives.json", wide(text));
    fixture
        .eval("run/best", &["--positives", &positives])
        .fails_with(&["positives.json: this is UTF-16"]);

    let (out, model, items) =
        (fixture.arg("out.npy"), fixture.arg("run/best"), fixture.arg("items.jsonl"));
    let encode = ["encode", "--items", &items, "--out", &out, "--model", &model, "--gpu-id", "cpu"];
    let line = "{\"caption\": \"a\", \"n\": 0.1}\n";
    fixture.write("items.jsonl", mark(line));
    avse(encode).succeeds();
    for (content, part) in [
        (wide(line), "items.jsonl: this is UTF-16"),
        (
            b"{\"caption\": \"a\", \"n\": 1, \"n\": 2}".to_vec(),
            "line 1: no JSON object: the key \"n\" stands there twice",
        ),
        (b"{\"caption\": \"a\", \"key\": 1.5}".to_vec(), "line 1: `key` is 1.5"),
        (b"{\"caption\": \"a\", \"n\": 123456789012345678901}".to_vec(), "too many digits"),
    ] {
        fixture.write("items.jsonl", content);
        avse(encode).fails_with(&[part]);
    }

    let config = fixture.text("tiny.toml");
    fixture.write("tiny.toml", wide(&config));
    fixture.train("other", &[]).fails_with(&["tiny.toml: this is UTF-16 text: save it as UTF-8"]);
    fixture.write("tiny.toml", mark(&config));
    fixture.train("other", &["--num_epochs", "1"]).succeeds();
}
