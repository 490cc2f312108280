//! Datasets in other forms than the official layout: Karpathy's JSON, tables, JSONL, shards; and the
//! official layout written out of the first.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use trainer_native::data::{
    CaptionLimit, Dataset, DatasetSpec, PrepareOptions, Prepared, ProblemKind, Split,
    VerifyOptions, picture, prepare, verify,
};

use ProblemKind::*;

/// A folder with pictures `img/0.png` to `img/5.png`.
struct Folder {
    root: TempDir,
}

impl Folder {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("img")).unwrap();
        for number in 0..6u32 {
            let pixel = image::Rgb([number as u8 * 40, 7, 9]);
            let picture = image::RgbImage::from_pixel(3 + number, 2, pixel);
            picture.save(root.path().join(format!("img/{number}.png"))).unwrap();
        }
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    fn spec(&self, dataset: &str, name: &str) -> DatasetSpec {
        let images = Some(self.path("img"));
        DatasetSpec { name: dataset.into(), data_path: self.path(name), images }
    }

    fn open(&self, dataset: &str, name: &str) -> Dataset {
        Dataset::open(&self.spec(dataset, name)).unwrap()
    }

    fn error(&self, name: &str) -> String {
        Dataset::open(&self.spec("f30k", name)).unwrap_err().to_string()
    }

    /// What `verify` finds, as (kind, file, line), and the messages.
    fn problems(&self, name: &str) -> (Vec<(ProblemKind, String, Option<usize>)>, String) {
        let spec = self.spec("f30k", name);
        let found = verify(&VerifyOptions { spec, splits: Vec::new(), decode: true }).unwrap();
        let file = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = found.to_string();
        (found.problems.into_iter().map(|p| (p.kind, file(&p.file), p.line)).collect(), text)
    }

    /// Writes a tar file of (name, content).
    fn tar(&self, name: &str, members: &[(&str, &[u8])]) {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, *content).unwrap();
        }
        self.write(name, tar.into_inner().unwrap());
    }

    fn png(&self, number: usize) -> Vec<u8> {
        fs::read(self.path(&format!("img/{number}.png"))).unwrap()
    }
}

/// Captions of every image of a split.
fn captions(split: &Split) -> Vec<(String, Vec<&str>)> {
    let mut all: Vec<_> = split.images.iter().map(|image| (image.id.clone(), vec![])).collect();
    for (caption, &image) in split.captions.iter().zip(&split.image_of_caption) {
        all[image].1.push(caption.as_str());
    }
    all
}

fn karpathy(images: serde_json::Value) -> String {
    json!({"images": images, "dataset": "coco"}).to_string()
}

fn image(number: u64, split: &str, raw: &[&str]) -> serde_json::Value {
    let sentences: Vec<_> =
        raw.iter().map(|raw| json!({"raw": raw, "tokens": ["x"], "sentid": 1})).collect();
    json!({
        "filename": format!("{number}.png"), "imgid": number + 100, "split": split,
        "sentences": sentences, "sentids": [1]
    })
}

#[test]
fn karpathys_restval_is_trained_on() {
    let folder = Folder::new();
    let images = json!([
        image(0, "test", &["a cat", "one cat\n"]),
        image(1, "restval", &["a dog"]),
        image(2, "train", &["a cow", "a bull", "two"]),
        image(3, "val", &["a hen"]),
    ]);
    folder.write("dataset_coco.json", karpathy(images));
    // By its own name, and by the folder that holds it.
    for place in ["dataset_coco.json", ""] {
        let coco = folder.open("coco", place);
        let train = coco.split("train").unwrap();
        let expected = [("101", vec!["a dog"]), ("102", vec!["a cow", "a bull", "two"])];
        assert_eq!(captions(&train), expected.map(|(id, words)| (id.to_owned(), words)));
        // By the name of the file and by that of the official layout.
        for name in ["test", "testall"] {
            let test = coco.split(name).unwrap();
            assert_eq!(test.name, "testall");
            assert_eq!(captions(&test), [("100".into(), vec!["a cat", "one cat"])]);
            assert_eq!(test.images[0].path, folder.path("img").join("0.png"));
        }
        assert_eq!(coco.split("dev").unwrap().captions, ["a hen"]);
        assert_eq!(coco.split_names(), ["train", "dev", "testall"]);
    }
    let error = folder.open("coco", "dataset_coco.json").split("new").unwrap_err().to_string();
    assert!(error.contains("no split \"new\"") && error.contains("train (2 images)"), "{error}");
}

#[test]
fn what_is_wrong_with_karpathys_json() {
    let folder = Folder::new();
    folder.write("broken.json", "{\"images\": [\n{\"filename\": \"a.png\", \n");
    let error = folder.error("broken.json");
    assert!(error.contains("broken.json") && error.contains("line 3"), "{error}");
    folder.write("other.json", "{\"annotations\": []}");
    assert!(folder.error("other.json").contains("missing field `images`"));
    let mut no_split = image(1, "train", &["a"]);
    no_split.as_object_mut().unwrap().remove("split");
    let mut outside = image(2, "train", &["a"]);
    outside["filepath"] = "../..".into();
    let images = json!([
        image(0, "train", &["a"]),
        no_split,
        outside,
        image(3, "train", &[]),
        image(77, "train", &["a"])
    ]);
    folder.write("bad.json", karpathy(images));
    let (problems, text) = folder.problems("bad.json");
    let kinds: Vec<_> = problems.into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [BadRecord, BadRecord, NoCaption, MissingImage], "{text}");
    for part in [
        "images[1]: missing field `split`",
        "images[2] (\"2.png\"): \"../../2.png\" is not a file below",
        "images[3] (\"3.png\"): no caption",
        "77.png",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let error = folder.error("bad.json");
    assert!(error.contains("images[1]") && error.contains("and 2 more"), "{error}");
}

const CSV: &str = "\u{feff}Image, caption ,note,split\r\n\
    0.png,\"a cat, \"\"asleep\"\"\",x,train\r\n\
    1.png,\"a dog\non two lines\",x,val\r\n\
    0.png,one more cat,x,train\r\n\
    2.png,a cow,x,test\r\n";

#[test]
fn tables_with_quotes_and_any_number_of_captions() {
    let folder = Folder::new();
    folder.write("pairs.csv", CSV);
    folder.write("pairs.tsv", "caption\timage\tsplit\na, cat\t0.png\ttrain\n");
    let csv = folder.open("f30k", "pairs.csv");
    assert_eq!(csv.split_names(), ["train", "dev", "test"]);
    let train = csv.split("train").unwrap();
    assert_eq!(captions(&train), [("0.png".into(), vec!["a cat, \"asleep\"", "one more cat"])]);
    assert_eq!(csv.split("val").unwrap().captions, ["a dog on two lines"]);
    let tsv = folder.open("f30k", "pairs.tsv").split("train").unwrap();
    assert_eq!(captions(&tsv), [("0.png".into(), vec!["a, cat"])]);
    assert_eq!(folder.problems("pairs.csv").0, []);

    // Without --images, names are relative to the file.
    let mut spec = folder.spec("f30k", "pairs.csv");
    spec.images = None;
    let train = Dataset::open(&spec).unwrap().split("train").unwrap();
    assert_eq!(train.images[0].path, folder.path("0.png"));
}

#[test]
fn a_table_without_splits_is_one_and_files_can_be_splits() {
    let folder = Folder::new();
    folder.write("all.csv", "image,caption\n0.png,a\n1.png,b\n");
    let all = folder.open("f30k", "all.csv");
    assert_eq!(all.split("test").unwrap().images.len(), 2);
    assert!(all.without_splits().unwrap().contains("all of its 2 images"));
    folder.write("set/train.csv", "image,caption\n0.png,a\n");
    folder.write("set/val.csv", "image,caption\n1.png,b\n2.png,c\n");
    let set = folder.open("f30k", "set");
    assert_eq!(set.split_names(), ["train", "dev"]);
    assert_eq!(set.split("dev").unwrap().captions, ["b", "c"]);
    assert_eq!(set.without_splits(), None);
}

#[test]
fn what_is_wrong_with_tables() {
    let folder = Folder::new();
    folder.write("a.csv", "image,text\n0.png,a\n");
    let error = folder.error("a.csv");
    let expected = "a.csv: line 1: no column `caption`; the first line names image, text";
    assert!(error.contains(expected), "{error}");
    folder.write("empty.csv", "image,caption\n");
    assert!(folder.error("empty.csv").contains("no image with a caption"));
    let table = b"image,caption,split\n0.png,a,train\n1.png,b\n,c,train\n2.png, ,train\n\
        3.png,\xff,train\n77.png,d,train\n0.png,e,test\n4.png,f,\n"
        .as_slice();
    folder.write("b.csv", table);
    let (problems, text) = folder.problems("b.csv");
    let expected = [
        (NotUtf8, 6),
        (BadRecord, 3),
        (BadRecord, 4),
        (BadRecord, 9),
        (NoCaption, 5),
        (SharedImage, 8),
        (MissingImage, 7),
    ];
    let expected = expected.map(|(kind, line)| (kind, "b.csv".to_owned(), Some(line)));
    assert_eq!(problems, expected, "{text}");
    assert!(text.contains("2 fields, but 3 columns"), "{text}");
    assert!(text.contains("no split, but others have one"), "{text}");
}

#[test]
fn jsonl_with_one_caption_or_many() {
    let folder = Folder::new();
    folder.write(
        "a.jsonl",
        "{\"image\": \"0.png\", \"captions\": [\"a\", \"b\"], \"split\": \"train\"}\n\n\
         {\"image\": \"1.png\", \"caption\": \"c\", \"split\": \"dev\", \"n\": 3}\n\
         {\"image\": \"0.png\", \"caption\": \"d\", \"split\": \"train\"}",
    );
    let train = folder.open("f30k", "a.jsonl").split("train").unwrap();
    assert_eq!(captions(&train), [("0.png".into(), vec!["a", "b", "d"])]);
    folder.write(
        "b.jsonl",
        "{\"image\": \"0.png\", \"caption\": \"a\"}\n{\"image\": \n{\"caption\": \"x\"}\n\
         {\"image\": \"1.png\", \"captions\": [7]}\n{\"image\": \"1.png\", \"captions\": []}\n",
    );
    let (problems, text) = folder.problems("b.jsonl");
    let lines: Vec<_> = problems.into_iter().map(|(kind, _, line)| (kind, line.unwrap())).collect();
    assert_eq!(lines, [(BadRecord, 2), (BadRecord, 3), (BadRecord, 4), (NoCaption, 5)], "{text}");
    let error = folder.error("b.jsonl");
    assert!(error.contains("b.jsonl: line 2: no JSON object"), "{error}");
}

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
        "0.tar: key \"b\": no .jpg, .jpeg, .png or .webp",
        "0.tar: key \"d\": d.json: no JSON object",
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

#[test]
fn a_folder_or_file_that_is_no_dataset() {
    let folder = Folder::new();
    let error = folder.error("img");
    assert!(error.contains("no dataset f30k") && error.contains(".csv"), "{error}");
    folder.write("notes.txt", "hello");
    let error = folder.error("notes.txt");
    assert!(error.contains("notes.txt: no dataset") && error.contains(".tsv"), "{error}");
    let error = folder.error("s-{0..x}.tar");
    assert!(error.contains("a pattern is like"), "{error}");
}

fn options(folder: &Folder) -> PrepareOptions {
    PrepareOptions {
        karpathy: folder.path("dataset_coco.json"),
        images: folder.path("img"),
        out: folder.path("data/coco"),
        dataset: None,
        captions: CaptionLimit::First(2),
        skip_missing: false,
    }
}

fn write_coco(folder: &Folder) {
    let images = json!([
        image(0, "test", &["a  cat\n", "b", "c"]),
        image(1, "restval", &["d", " "]),
        image(2, "val", &["e"]),
        image(3, "train", &["f", "g"]),
    ]);
    folder.write("dataset_coco.json", karpathy(images));
}

#[test]
fn the_official_layout_is_written_and_read_again() {
    let folder = Folder::new();
    write_coco(&folder);
    let written: Prepared = prepare(&options(&folder)).unwrap();
    let sizes = [("train", 2, 3), ("dev", 1, 1), ("testall", 1, 2)];
    assert_eq!(written.splits, sizes.map(|(name, images, texts)| (name.into(), images, texts)));
    assert_eq!((written.left_out, written.missing), (1, 0));
    let text = written.to_string();
    assert!(text.contains("next: avse train --dataset coco --data_path"), "{text}");
    let read = |name: &str| fs::read_to_string(folder.path(&format!("data/coco/{name}"))).unwrap();
    assert_eq!(read("testall_caps.txt"), "a cat\nb\n");
    assert_eq!(read("testall_ids.txt"), "100\n100\n");
    let found = verify(&VerifyOptions {
        spec: folder.spec("coco", "data"),
        splits: Vec::new(),
        decode: true,
    });
    let kinds: Vec<_> = found.unwrap().problems.into_iter().map(|p| p.kind).collect();
    // One image has two captions, the other of its split one.
    assert!(kinds.iter().all(|kind| *kind == UnevenCaptions), "{kinds:?}");
    // Again, over itself.
    let all = PrepareOptions { captions: CaptionLimit::All, ..options(&folder) };
    assert_eq!(prepare(&all).unwrap().left_out, 0);
    assert_eq!(read("testall_caps.txt"), "a cat\nb\nc\n");
    assert_eq!(fs::read_dir(folder.path("data")).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn prepare_names_what_is_missing_and_writes_nothing() {
    let folder = Folder::new();
    write_coco(&folder);
    for number in [1, 3] {
        fs::remove_file(folder.path(&format!("img/{number}.png"))).unwrap();
    }
    let error = prepare(&options(&folder)).unwrap_err().to_string();
    for part in ["2 of 4 images", "1.png", "3.png", "--skip-missing"] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert!(!folder.path("data").exists());
    let written = prepare(&PrepareOptions { skip_missing: true, ..options(&folder) }).unwrap();
    assert_eq!((written.missing, written.splits.len()), (2, 2));
}

#[test]
fn prepare_refuses_what_it_cannot_use() {
    let folder = Folder::new();
    write_coco(&folder);
    folder.write("data/coco/holiday.txt", "mine");
    let error = prepare(&options(&folder)).unwrap_err().to_string();
    assert!(error.contains("holiday.txt"), "{error}");
    assert_eq!(fs::read_to_string(folder.path("data/coco/holiday.txt")).unwrap(), "mine");
    let gone = PrepareOptions { images: folder.path("nowhere"), ..options(&folder) };
    assert!(prepare(&gone).unwrap_err().to_string().contains("no such folder"));
    let twice = json!([image(0, "train", &["a"]), image(0, "test", &["b"])]);
    folder.write("dataset_coco.json", karpathy(twice));
    let fresh = PrepareOptions { out: folder.path("fresh"), ..options(&folder) };
    let error = prepare(&fresh).unwrap_err().to_string();
    assert!(error.contains("images[1]: id 100 is that of images[0] too"), "{error}");
    folder.write("own.json", json!({"images": []}).to_string());
    let own = PrepareOptions { karpathy: folder.path("own.json"), ..fresh };
    assert!(prepare(&own).unwrap_err().to_string().contains("give --dataset"));
}
