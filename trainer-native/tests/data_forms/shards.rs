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
        "0.tar: key \"a\": its members do not stand together, or the key stands there twice; pack them in the order",
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
        let what = if cut == 0 { "empty" } else { "truncated" };
        assert!(error.contains("0.tar") && error.contains(what), "{cut}: {error}");
    }
    folder.write("no.tar", vec![b'x'; 2000]);
    let error = folder.error("no.tar");
    assert!(error.contains("no.tar"), "{error}");
    folder.write("zeros.tar", vec![0; 1024]);
    assert!(folder.error("zeros.tar").contains("the tar file is empty"));
}

#[test]
fn members_that_cannot_be_told_apart_or_read_are_named() {
    let folder = Folder::new();
    let png = folder.png(0);
    type Members<'a> = &'a [(&'a str, &'a [u8])];
    let cases: [(Members<'_>, &str); 6] = [
        (
            &[("1.png", &png), ("1.jpg", &png), ("1.txt", b"a")],
            "two pictures, \"1.png\" and \"1.jpg\"",
        ),
        (
            &[("1.png", &png), ("1.txt", b"a"), ("1.txt", b"b")],
            "two texts, \"1.txt\" and \"1.txt\"",
        ),
        (&[("1.ico", &png), ("1.txt", b"a")], "convert the pictures to JPEG or PNG"),
        (&[("1.png", &png), ("1.txt", b"\xff\xfea\0")], "\"1.txt\": this is UTF-16 text"),
        (
            &[("1.png", &png), ("1.json", b"{\"caption\": \"a\", \"caption\": \"b\"}")],
            "stands there twice",
        ),
        (&[("1.png", &png), ("1.json", b"\xff\xfe{\0}\0")], "\"1.json\": this is UTF-16 text"),
    ];
    for (number, (members, reason)) in cases.into_iter().enumerate() {
        let name = format!("{number}.tar");
        folder.tar(&name, members);
        assert!(folder.error(&name).contains(reason), "{}", folder.error(&name));
    }
    folder.tar(
        "fine.tar",
        &[
            ("1.bmp", b"BM"),
            ("1.txt", b"\xef\xbb\xbfa\r\n\nb"),
            ("2.png", &png),
            ("2.json", b"\xef\xbb\xbf{\"caption\": \"c\"}"),
        ],
    );
    let split = folder.open("f30k", "fine.tar").split("test").unwrap();
    assert_eq!(split.captions, ["a", "b", "c"]);
}
