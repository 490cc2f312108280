//! WebDataset shards.

use std::fs;

use trainer_native::data::ProblemKind::*;
use trainer_native::data::picture;

use super::support::{Folder, captions};

#[test]
fn shards_are_read_where_they_are() {
    let folder = Folder::new();
    let pngs = [0, 1, 2].map(|number| folder.png(number));
    folder.tar(
        "shards/s-00.tar",
        &[
            ("a.png", &pngs[0]),
            ("a.txt", b"one\ntwo\n"),
            ("b/c.d.png", b"another kind of member"),
            ("b/c.PNG", &pngs[1]),
            ("b/c.json", br#"{"captions": ["three"], "caption": "four", "width": 3}"#),
        ],
    );
    let long = format!("{}/a", "folder".repeat(30));
    let (png, txt) = (format!("{long}.png"), format!("{long}.txt"));
    folder.tar("shards/s-01.tar", &[(&png, &pngs[2]), (&txt, b"five")]);
    for place in ["shards", "shards/s-{00..01}.tar"] {
        let dataset = folder.open("f30k", place);
        assert_eq!(dataset.images, folder.path("shards"));
        let split = dataset.split("test").unwrap();
        let expected = [
            ("s-00/a".to_owned(), vec!["one", "two"]),
            ("s-00/b/c".to_owned(), vec!["four", "three"]),
            (format!("s-01/{long}"), vec!["five"]),
        ];
        assert_eq!(captions(&split), expected);
        for (image, png) in split.images.iter().zip(&pngs) {
            assert_eq!(&picture::read(&image.path).unwrap(), png);
            assert_eq!(picture::stat(&image.path).unwrap().bytes, png.len() as u64);
        }
        assert_eq!(folder.problems(place).0, []);
    }
    let gone = folder.path("shards/s-00.tar/z.png");
    assert!(picture::read(&gone).unwrap_err().to_string().contains("no member \"z.png\""));
    let error = folder.error("shards/s-{00..02}.tar");
    assert!(error.contains("s-02.tar"), "{error}");
}

#[test]
fn names_of_shards_say_the_split() {
    let folder = Folder::new();
    let (png, other) = (folder.png(0), folder.png(1));
    folder.tar("w/train-000.tar", &[("0.png", &png), ("0.txt", b"a")]);
    folder.tar("w/val/000.tar", &[("0.png", &other), ("0.txt", b"b")]);
    let dataset = folder.open("f30k", "w");
    assert_eq!(dataset.split_names(), ["train", "dev"]);
    assert_eq!(dataset.split("train").unwrap().captions, ["a"]);
    assert_eq!(dataset.split("dev").unwrap().images[0].id, "val/000/0");
    assert_eq!(folder.problems("w").0, []);
    // Or a field of the sample's JSON.
    let sample = br#"{"caption": "c", "split": "test"}"#;
    folder.tar("x/000.tar", &[("0.png", &png), ("0.json", sample)]);
    assert_eq!(folder.open("f30k", "x").split_names(), ["test"]);
}

#[test]
fn what_is_wrong_with_shards() {
    let folder = Folder::new();
    let png = folder.png(0);
    let members: [(&str, &[u8]); 9] = [
        ("a.png", &png),
        ("a.txt", b"a"),
        ("b.txt", b"no picture"),
        ("c.png", &png),
        ("d.png", &png),
        ("d.json", b"{\"caption\": "),
        ("a.json", b"{}"),
        ("e.png", b"no picture at all"),
        ("e.txt", b"e"),
    ];
    folder.tar("a/0.tar", &members);
    let (problems, text) = folder.problems("a");
    let kinds: Vec<_> = problems.into_iter().map(|(kind, ..)| kind).collect();
    let expected = [BadRecord, BadRecord, BadRecord, NoCaption, BrokenImage];
    assert_eq!(kinds, expected, "{text}");
    for part in [
        "0.tar: key \"b\": no picture (.jpg, .png, .webp and others)",
        "0.tar: key \"d\": \"d.json\": no JSON object",
        "0.tar: key \"a\": its members do not stand together",
        "0.tar: key \"c\": no caption",
        "e.png",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }

    let whole = fs::read(folder.path("a/0.tar")).unwrap();
    // Within a member, between two members, within the end mark's first block, nothing at all.
    for (number, cut) in [512 + 10, 1024, 0].into_iter().enumerate() {
        let name = format!("cut{number}/0.tar");
        folder.write(&name, &whole[..cut]);
        let error = folder.error(&name);
        assert!(error.contains("0.tar") && error.contains("truncated"), "{cut}: {error}");
    }
    folder.write("no.tar", vec![b'x'; 2000]);
    let error = folder.error("no.tar");
    assert!(error.contains("no.tar"), "{error}");
    folder.write("zeros.tar", vec![0; 1024]);
    assert!(folder.error("zeros.tar").contains("the tar file is empty"));
}
