//! What a rebuild keeps, drops and reads again.

use std::fs;
use std::time::{Duration, SystemTime};

#[cfg(unix)]
use serde_json::json;

#[cfg(unix)]
use super::keys;
use super::{counts, scores};
use crate::support::{Fixture, avse};

/// What follows the header of a safetensors file.
fn numbers(file: &[u8]) -> &[u8] {
    let (length, rest) = file.split_first_chunk().unwrap();
    &rest[u64::from_le_bytes(*length) as usize..]
}

/// What cannot be seen is kept; a source of which nothing is left may be a disk that is away.
#[cfg(unix)]
#[test]
fn what_is_out_of_sight_is_not_gone() {
    let fixture = Fixture::trained();
    for (name, level) in [("a", 10), ("b", 60), ("c", 110)] {
        fixture.picture(&format!("shop/img/{name}.png"), level);
    }
    let lines = |names: &[&str]| -> String {
        names.iter().map(|name| format!("{{\"image\": \"img/{name}.png\"}}\n")).collect()
    };
    fixture.write("shop/items.jsonl", lines(&["a", "b", "c"]));
    fixture.build("gallery", &["--items", &fixture.arg("shop/items.jsonl")]);

    fs::remove_file(fixture.path("shop/img/c.png")).unwrap();
    let report = fixture.build("gallery", &[]);
    assert_eq!(counts(&report), [0, 0, 1, 2, 0, 0]);
    assert_eq!(report["unreadable"][0]["key"], "img/c.png");

    // The folder's name is there and is no folder: no word about what was in it.
    fs::rename(fixture.path("shop/img"), fixture.path("shop/away")).unwrap();
    fixture.write("shop/img", "");
    let report = fixture.build("gallery", &["--max-errors", "100%"]);
    assert_eq!(counts(&report), [0, 0, 0, 2, 0, 0]);
    assert_eq!(report["unreadable"].as_array().unwrap().len(), 3);

    fs::remove_file(fixture.path("shop/img")).unwrap();
    fixture.index("build", "gallery", &[]).fails_with(&["items.jsonl", "a.png", "--allow-empty"]);
    assert_eq!(keys(&fixture.search("gallery", &["something"])).len(), 2);
    let report = fixture.build("gallery", &["--allow-empty"]);
    assert_eq!((counts(&report), &report["items"]), ([0, 0, 2, 0, 0, 0], &json!(0)));

    fs::rename(fixture.path("shop/away"), fixture.path("shop/img")).unwrap();
    assert_eq!(counts(&fixture.build("gallery", &[])), [2, 0, 0, 0, 2, 0]);
    // Looked at, but not read: no word about it either.
    #[cfg(target_os = "linux")]
    {
        let (place, aside) = (fixture.path("shop/img/b.png"), fixture.path("shop/img/aside"));
        fs::rename(&place, &aside).unwrap();
        std::os::unix::fs::symlink("/proc/self/mem", &place).unwrap();
        let report = fixture.build("gallery", &["--max-errors", "2"]);
        assert_eq!(counts(&report), [0, 0, 0, 2, 0, 0]);
        assert_eq!(report["unreadable"][1]["key"], "img/b.png");
        fs::remove_file(&place).unwrap();
        fs::rename(&aside, &place).unwrap();
    }
    // Damaged since: it is gone from the gallery, and counted.
    fixture.write("shop/img/b.png", "no picture");
    let report = fixture.build("gallery", &["--max-errors", "2"]);
    assert_eq!(counts(&report), [0, 0, 1, 1, 0, 0]);
}

/// Files of one size and one time of change are told apart by their place, and by reading where that is asked for.
#[test]
fn files_alike_from_outside_are_told_apart() {
    let fixture = Fixture::trained();
    fixture.picture("a.bmp", 10);
    fixture.picture("b.bmp", 200);
    let time = SystemTime::now() - Duration::from_secs(1000);
    let date = |name: &str| {
        let file = fs::File::options().write(true).open(fixture.path(name)).unwrap();
        file.set_modified(time).unwrap();
    };
    date("a.bmp");
    date("b.bmp");
    fixture.write("items.jsonl", r#"{"image": "a.bmp", "key": "one"}"#);
    fixture.build("gallery", &["--items", &fixture.arg("items.jsonl")]);
    let score = || scores(&fixture.search("gallery", &["--image", &fixture.arg("b.bmp")]))[0];
    let other = score();
    fixture.write("items.jsonl", r#"{"image": "b.bmp", "key": "one"}"#);
    assert_eq!(counts(&fixture.build("gallery", &[])), [0, 1, 0, 0, 1, 0]);
    let same = score();
    assert!(same > other, "{same} {other}");

    fs::copy(fixture.path("a.bmp"), fixture.path("b.bmp")).unwrap();
    date("b.bmp");
    assert_eq!(counts(&fixture.build("gallery", &[])), [0, 0, 0, 1, 0, 0]);
    assert_eq!(counts(&fixture.build("gallery", &["--reread"])), [0, 1, 0, 0, 1, 0]);
    assert!((score() - same).abs() < 1e-3);
    assert_eq!(counts(&fixture.build("gallery", &["--reread"])), [0, 0, 0, 1, 0, 0]);
}

/// What a damaged gallery was made of is known all the same.
#[test]
fn a_damaged_gallery_is_made_anew_as_it_was() {
    let fixture = Fixture::trained();
    fixture.picture("photos/a.png", 10);
    fixture.picture("more/b.png", 200);
    let options = ["--precision", "f32", &fixture.arg("photos")];
    fixture.build("gallery", &options);
    fixture.index("add", "gallery", &[&fixture.arg("more")]).succeeds();
    let sound = fixture.read("gallery/embeddings.safetensors");
    let mut rotten = sound.clone();
    *rotten.last_mut().unwrap() ^= 16;
    fixture.write("gallery/embeddings.safetensors", rotten);
    fixture.picture("more/c.png", 100);
    let more = fixture.arg("more");
    for (command, source) in [("build", &[][..]), ("add", &[more.as_str()])] {
        let expected = ["embeddings.safetensors", "sha256", "index build", "--replace"];
        fixture.index(command, "gallery", source).fails_with(&expected);
    }
    fs::remove_file(fixture.path("more/c.png")).unwrap();
    // Without a model named, it has to be that of the gallery and not the demo's.
    let gallery = fixture.arg("gallery");
    let again = || {
        avse(["index", "build", "--gallery", &gallery, "--replace", "--json", "--gpu-id", "cpu"])
    };
    fs::rename(fixture.path("run/best"), fixture.path("run/away")).unwrap();
    again().fails_with(&["best", "--model"]);
    fs::rename(fixture.path("run/away"), fixture.path("run/best")).unwrap();
    let report = again().succeeds().json();
    assert_eq!((counts(&report), &report["precision"]), ([2, 0, 0, 0, 2, 0], &"f32".into()));
    // The header counts the generation; all numbers are as they were.
    let anew = fixture.read("gallery/embeddings.safetensors");
    assert_eq!(numbers(&anew), numbers(&sound));
}
