//! Byte order marks, other encodings than UTF-8, compressed files, and keys that stand there twice, in every form.

use serde_json::json;
use trainer_native::data::ProblemKind::BadRecord;

use super::support::{Folder, captions, image, karpathy};

const MARK: &[u8] = b"\xef\xbb\xbf";

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Every file with text in it: its name, and what is in it.
fn files() -> Vec<(&'static str, String)> {
    let line = |image: &str, caption: &str| json!({"image": image, "caption": caption}).to_string();
    vec![
        ("k.json", karpathy(json!([image(0, "test", &["a"]), image(1, "test", &["b"])]))),
        ("t.csv", "image,caption\n0.png,a\n1.png,b\n".into()),
        ("t.tsv", "image\tcaption\n0.png\ta\n1.png\tb\n".into()),
        ("l.jsonl", line("0.png", "a") + "\n" + &line("1.png", "b")),
    ]
}

#[test]
fn a_byte_order_mark_is_passed_over_and_utf16_is_named() {
    let folder = Folder::new();
    for (name, text) in files() {
        folder.write(name, [MARK, text.as_bytes()].concat());
        let split = folder.open("f30k", name).split("test").unwrap();
        assert_eq!(split.captions, ["a", "b"], "{name}");
        for wide in [utf16(&text), utf16(&text)[2..].to_vec()] {
            folder.write(name, wide);
            let error = folder.error(name);
            assert!(
                error.contains(name) && error.contains("UTF-16 text: save it as UTF-8"),
                "{error}"
            );
        }
    }
    // A spreadsheet under another name.
    folder.write("sheet.csv", b"PK\x03\x04\x14\0");
    assert!(folder.error("sheet.csv").contains("is to be saved as CSV in UTF-8"));
}

#[test]
fn the_official_layout_with_marks() {
    let folder = Folder::new();
    let write = |mark: &[u8]| {
        let text = |text: &str| [mark, text.as_bytes()].concat();
        folder.write("f30k/test_ids.txt", text("7\n8\n"));
        folder.write("f30k/test_caps.txt", text("a\nb\n"));
        folder.write("f30k/id_mapping.json", text("{\"7\": \"0.png\", \"8\": \"1.png\"}"));
    };
    write(MARK);
    let split = folder.open("f30k", "f30k").split("test").unwrap();
    assert_eq!(captions(&split), [("7".into(), vec!["a"]), ("8".into(), vec!["b"])]);
    folder.write("f30k/id_mapping.json", utf16("{\"7\": \"0.png\"}"));
    assert!(folder.error("f30k").contains("id_mapping.json: no JSON object: this is UTF-16 text"));
    write(b"");
    folder.write("f30k/test_caps.txt", utf16("a\nb\n"));
    let error = folder.open("f30k", "f30k").split("test").unwrap_err().to_string();
    assert!(error.contains("test_caps.txt: this is UTF-16 text"), "{error}");
}

#[test]
fn a_key_that_stands_there_twice_hides_nothing() {
    let folder = Folder::new();
    folder.write("a.jsonl", "{\"image\": \"0.png\", \"caption\": \"a\", \"caption\": \"b\"}\n");
    let error = folder.error("a.jsonl");
    assert!(
        error.contains("line 1: no JSON object: the key \"caption\" stands there twice"),
        "{error}"
    );
    let one = image(0, "test", &["a"]).to_string();
    folder.write("a.json", format!("{{\"images\": [{one}], \"images\": [{one}]}}"));
    assert!(folder.error("a.json").contains("`images` stands there twice"));
    let twice = one.replacen('{', "{\"split\": \"val\", ", 1);
    folder.write("b.json", format!("{{\"images\": [{twice}]}}"));
    let error = folder.error("b.json");
    assert!(error.contains("\"split\" stands there twice"), "{error}");
}

#[test]
fn lines_of_json_as_they_come() {
    let folder = Folder::new();
    let line = |image: &str| json!({"image": image, "caption": "a"}).to_string();
    let joined = format!("\u{feff}{}\r\n\r\n  \n\u{feff}{}\n", line("0.png"), line("1.png"));
    folder.write("a.jsonl", joined);
    assert_eq!(folder.open("f30k", "a.jsonl").split("test").unwrap().images.len(), 2);
    for bad in [
        "{\"image\": \"0.png\", \"caption\": NaN}",
        "{\"image\": \"0.png\", \"caption\": \"\\ud800\"}",
        "{\"image\": \"0.png\", \"caption\": \"a\nb\"}",
        "[]",
        "{\"image\": \"0.png\"} {\"image\": \"1.png\"}",
    ] {
        folder.write("b.jsonl", format!("{}\n{bad}\n", line("0.png")));
        let error = folder.error("b.jsonl");
        assert!(error.contains("b.jsonl: line 2: no JSON object"), "{bad}: {error}");
    }
}

#[test]
fn compressed_files_are_named() {
    let folder = Folder::new();
    let start = |bytes: &[u8]| [bytes, &[7; 600]].concat();
    for (number, (magic, program)) in [
        (b"\x1f\x8b\x08\0".as_slice(), "gunzip"),
        (b"\x28\xb5\x2f\xfd", "unzstd"),
        (b"BZh9", "bunzip2"),
        (b"\xfd7zXZ\0", "unxz"),
    ]
    .into_iter()
    .enumerate()
    {
        for ending in ["tar", "tar.gz", "csv", "jsonl", "json"] {
            let name = format!("c{number}.{ending}");
            folder.write(&name, start(magic));
            let error = folder.error(&name);
            assert!(
                error.contains(&name)
                    && error.contains("compressed with")
                    && error.contains(program),
                "{error}"
            );
        }
    }
    // Beside others, or in their place.
    folder.tar("w/train-0.tar", &[("0.png", &folder.png(0)), ("0.txt", b"a")]);
    folder.write("w/train-1.tar.gz", start(b"\x1f\x8b"));
    folder.write("w/notes.gz", start(b"\x1f\x8b"));
    let (problems, text) = folder.problems("w");
    assert_eq!(problems, [(BadRecord, "train-1.tar.gz".into(), None)], "{text}");
    folder.write("only/0.tgz", start(b"\x1f\x8b"));
    assert!(folder.error("only").contains("0.tgz: it is compressed"));
    folder.write("tables/train.csv", "image,caption\n0.png,a\n");
    folder.write("tables/val.csv.zst", start(b"\x28\xb5\x2f\xfd"));
    assert!(folder.error("tables").contains("val.csv.zst: it is compressed"));
}
