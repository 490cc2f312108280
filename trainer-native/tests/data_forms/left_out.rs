//! Records that cannot be used: left out one by one where that is allowed, and never guessed.

use serde_json::json;
use trainer_native::data::Dataset;

use super::support::{Folder, captions, image, karpathy};

/// What is left out of a dataset, and the ids that stay.
fn opened(folder: &Folder, name: &str) -> Result<(Vec<String>, Vec<String>), String> {
    let dataset = Dataset::open_skipping(&folder.spec("f30k", name)).map_err(|e| e.to_string())?;
    let split = dataset.split("test").map_err(|e| e.to_string())?;
    let broken = dataset.broken_in(Some("test")).chain(dataset.broken_in(None));
    let mut keys: Vec<String> = broken.map(|problem| problem.key.clone()).collect();
    keys.sort();
    Ok((keys, captions(&split).into_iter().map(|(id, _)| id).collect()))
}

#[test]
fn a_record_that_cannot_be_used_is_left_out_by_its_name() {
    let folder = Folder::new();
    let table = ["image,caption", "0.png,a", "1.png,", "2.png,b,c", ",d", "5.png,e"];
    folder.write("pairs.csv", table.join("\n"));
    folder.write("pairs.tsv", table.join("\n").replace(',', "\t"));
    let lines = [
        r#"{"image": "0.png", "caption": "a"}"#,
        r#"{"image": "1.png", "caption": "#,
        r#"{"image": "2.png", "caption": 3}"#,
        r#"{"caption": "d"}"#,
        r#"{"image": "5.png", "caption": "e"}"#,
    ];
    folder.write("pairs.jsonl", lines.join("\n"));
    let mut images = vec![image(0, "test", &["a"]), json!({"filename": "1.png"})];
    images.push(image(2, "test", &[]));
    images.push(image(5, "test", &["e"]));
    folder.write("dataset.json", karpathy(json!(images)));
    let png = folder.png(0);
    let members: [(&str, &[u8]); 7] = [
        ("a.png", &png),
        ("a.txt", b"a"),
        ("b.png", &png),
        ("b.txt", b""),
        ("c.heics", b"x"),
        ("e.png", &png),
        ("e.txt", b"e"),
    ];
    folder.tar("0.tar", &members);

    let lines = |name: &str, numbers: &[usize]| -> Vec<String> {
        numbers.iter().map(|number| format!("{name} line {number}")).collect()
    };
    for (name, left_out, stay) in [
        ("pairs.csv", lines("pairs.csv", &[3, 4, 5]), ["0.png", "5.png"]),
        ("pairs.tsv", lines("pairs.tsv", &[3, 4, 5]), ["0.png", "5.png"]),
        ("pairs.jsonl", lines("pairs.jsonl", &[2, 3, 4]), ["0.png", "5.png"]),
        (
            "dataset.json",
            vec!["dataset.json images[1]".into(), "dataset.json images[2] (\"2.png\")".into()],
            ["100", "105"],
        ),
        ("0.tar", vec!["0.tar key \"b\"".into(), "0.tar key \"c\"".into()], ["0/a", "0/e"]),
    ] {
        let (keys, ids) = opened(&folder, name).unwrap();
        assert_eq!(keys, left_out, "{name}");
        assert_eq!(ids, stay, "{name}");
        // Nothing is left out where nobody allowed it.
        assert!(Dataset::open(&folder.spec("f30k", name)).is_err(), "{name}");
    }
}

#[test]
fn what_may_hide_other_records_is_never_left_out() {
    let folder = Folder::new();
    for (name, content, part) in [
        ("open.csv", "image,caption\n0.png,a\n1.png,\"b\n2.png,c\n", "not closed"),
        ("shut.csv", "image,caption\n0.png,\"a\n1.png,\"b\n2.png,c\n", "closing quote"),
        ("lines.csv", "image,caption\n0.png,a\n1.png,\"b\n2\",c\n", "3 fields"),
        ("cell.tsv", "caption\timage\na\t1.png\n\"two\nlines\"\t0.png\n", "1 fields"),
        ("some.csv", "image,caption,split\n0.png,a,test\n1.png,b,\n", "no split"),
        ("none.csv", "image,caption\n0.png,\n", "empty caption"),
    ] {
        folder.write(name, content);
        let error = opened(&folder, name).unwrap_err();
        assert!(error.contains(part), "{name}: {error}");
    }
    let png = folder.png(0);
    folder.tar("whole.tar", &[("a.png", &png), ("a.txt", b"a")]);
    let whole = std::fs::read(folder.path("whole.tar")).unwrap();
    folder.write("cut.tar", &whole[..whole.len() - 1200]);
    assert!(opened(&folder, "cut.tar").unwrap_err().contains("truncated"));
}

#[test]
fn files_of_a_split_in_another_form_are_named() {
    let folder = Folder::new();
    folder.write("set/train.csv", "image,caption\n0.png,a\n");
    folder.write("set/val.tsv", "image\tcaption\n1.png\tb\n");
    assert!(folder.error("set").contains("val.tsv: its split would be left out"));
    // The same split in two forms is one that is read.
    folder.write("set/val.csv", "image,caption\n1.png,b\n");
    assert_eq!(folder.open("f30k", "set").split_names(), ["train", "dev"]);
    // What macOS puts beside files is nothing.
    let png = folder.png(0);
    folder.tar("shards/train-0.tar", &[("a.png", &png), ("a.txt", b"a")]);
    folder.write("shards/._train-0.tar", [0, 5, 22, 7]);
    assert_eq!(folder.open("f30k", "shards").split_names(), ["train"]);
}
