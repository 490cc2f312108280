//! The official layout: the real caption files, a generated set, and everything
//! that can be wrong with one.

#[path = "../../tests/support/left_out.rs"]
mod left_out;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use left_out::left_out;
use serde_json::Value;
use tempfile::TempDir;
use trainer_native::data::{
    Captions, Dataset, DatasetSpec, ProblemKind, Verification, VerifyOptions, verify,
};

/// A sound f30k dataset of `IMAGES` images in each split, five captions an image.
struct Generated {
    root: TempDir,
}

const IMAGES: usize = 4;
const SPLITS: [&str; 3] = ["train", "dev", "test"];

impl Generated {
    fn new() -> Self {
        let generated = Self { root: TempDir::new().expect("temporary folder") };
        fs::create_dir_all(generated.file("")).expect("folder");
        fs::create_dir_all(generated.image("")).expect("folder");
        let mut mapping = serde_json::Map::new();
        for (s, split) in SPLITS.iter().enumerate() {
            let (mut ids, mut caps) = (String::new(), String::new());
            for image in 0..IMAGES {
                let id = s * 100 + image;
                for caption in 0..5 {
                    ids.push_str(&format!("{id}\n"));
                    caps.push_str(&format!(" caption {caption} of image {id} \n"));
                }
                mapping.insert(id.to_string(), format!("{id}.png").into());
                let pixel = image::Rgb([s as u8 * 90, image as u8 * 60, 7]);
                let picture = image::RgbImage::from_pixel(3, 2, pixel);
                picture.save(generated.image(&format!("{id}.png"))).expect("picture");
            }
            generated.write(&format!("{split}_ids.txt"), ids);
            generated.write(&format!("{split}_caps.txt"), caps);
        }
        generated.write("id_mapping.json", Value::Object(mapping).to_string());
        generated
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join("f30k").join(name)
    }

    fn image(&self, name: &str) -> PathBuf {
        self.root.path().join("flickr30k-images").join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.file(name), content).expect("write");
    }

    fn edit(&self, name: &str, change: impl Fn(&str) -> String) {
        let text = fs::read_to_string(self.file(name)).expect("read");
        self.write(name, change(&text));
    }

    /// Replaces line `line`, counted from 1.
    fn replace_line(&self, name: &str, line: usize, by: &str) {
        self.edit(name, |text| {
            let mut lines: Vec<&str> = text.lines().collect();
            lines[line - 1] = by;
            lines.join("\n") + "\n"
        });
    }

    fn spec(&self) -> DatasetSpec {
        DatasetSpec { name: "f30k".into(), data_path: self.root.path().into(), images: None }
    }

    fn error(&self, split: &str) -> String {
        let dataset = Dataset::open(&self.spec()).expect("dataset");
        dataset.split(split).expect_err("must not be readable").to_string()
    }

    fn verify(&self, decode: bool) -> Verification {
        let options = VerifyOptions { spec: self.spec(), splits: Vec::new(), decode };
        verify(&options).expect("something to verify")
    }

    /// The problems of a set as (kind, file, line).
    fn problems(&self, decode: bool) -> Vec<(ProblemKind, String, Option<usize>)> {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into();
        let problems = self.verify(decode).problems.into_iter();
        problems.map(|p| (p.kind, name(&p.file), p.line)).collect()
    }
}

fn check_five_a_image(captions: &Captions) {
    assert_eq!(captions.captions.len(), 5 * captions.ids.len());
    for (i, &image) in captions.image_of_caption.iter().enumerate() {
        assert_eq!(image, i / 5, "caption {i}");
    }
    assert!(captions.captions.iter().all(|c| !c.is_empty() && c.trim() == c));
}

#[test]
fn real_caption_files() {
    let Some(folder) = std::env::var_os("AVSE_CAPTIONS_DIR").map(PathBuf::from) else {
        left_out(
            "AVSE_CAPTIONS_DIR is unset: the real Flickr30K and COCO caption files are not read",
        );
        return;
    };
    let f30k = Captions::read(&folder.join("f30k"), "test").expect("f30k test");
    assert_eq!((f30k.ids.len(), f30k.captions.len()), (1000, 5000));
    check_five_a_image(&f30k);
    let coco = Captions::read(&folder.join("coco"), "testall").expect("coco testall");
    assert_eq!((coco.ids.len(), coco.captions.len()), (5000, 25_000));
    check_five_a_image(&coco);

    let spec = DatasetSpec { name: "f30k".into(), data_path: folder.clone(), images: None };
    let split = Dataset::open(&spec).and_then(|d| d.split("test")).expect("mapped");
    let mapping = fs::read(folder.join("f30k/id_mapping.json")).expect("mapping");
    let mapping: Value = serde_json::from_slice(&mapping).expect("JSON");
    for image in &split.images {
        let name = image.path.file_name().and_then(|name| name.to_str());
        assert_eq!(name, mapping[&image.id].as_str(), "id {}", image.id);
        assert_eq!(image.path.parent(), Some(folder.join("flickr30k-images").as_path()));
    }
    // No mapping of COCO is distributed: its first id must be named.
    let spec = DatasetSpec { name: "coco".into(), data_path: folder.clone(), images: None };
    if !folder.join("coco/id_mapping.json").exists() {
        let error = Dataset::open(&spec).expect_err("no mapping").to_string();
        assert!(error.contains("id_mapping.json"), "{error}");
    }
}

#[test]
fn a_sound_set_is_read_and_verified() {
    let set = Generated::new();
    let dataset = Dataset::open(&set.spec()).expect("dataset");
    for (s, split) in SPLITS.iter().enumerate() {
        let split = dataset.split(split).expect("split");
        assert_eq!(split.images.len(), IMAGES);
        assert_eq!(split.captions.len(), 5 * IMAGES);
        assert_eq!(split.captions[7], format!("caption 2 of image {}", s * 100 + 1));
        assert_eq!(split.image_of_caption[7], 1);
        assert_eq!(split.images[1].path, set.image(&format!("{}.png", s * 100 + 1)));
        assert_eq!(split.kinds, None);
    }
    assert_eq!(set.problems(true), []);
    // The dataset's own folder does as well.
    let own = DatasetSpec { data_path: set.file(""), ..set.spec() };
    let split = Dataset::open(&own).and_then(|d| d.split("dev")).expect("split");
    assert!(split.images.iter().all(|image| image.path.is_file()));
}

#[test]
fn one_id_an_image_windows_lines_and_a_byte_order_mark() {
    let set = Generated::new();
    let expected = Captions::read(&set.file(""), "test").expect("test");
    set.write("test_ids.txt", "\u{feff}200\r\n201\r\n202\r\n203");
    set.edit("test_caps.txt", |text| text.replace('\n', "\r\n"));
    let captions = Captions::read(&set.file(""), "test").expect("test");
    assert_eq!(captions.ids, ["200", "201", "202", "203"]);
    assert_eq!(captions.captions, expected.captions);
    assert_eq!(captions.image_of_caption, expected.image_of_caption);
    assert_eq!(captions.first_line, [0, 1, 2, 3]);
}

#[test]
fn an_id_that_comes_back_is_the_same_image() {
    let set = Generated::new();
    set.write("test_ids.txt", "200\n201\n200\n201\n");
    set.write("test_caps.txt", "a\nb\nc\nd\n");
    let captions = Captions::read(&set.file(""), "test").expect("test");
    assert_eq!(captions.ids, ["200", "201"]);
    assert_eq!(captions.image_of_caption, [0, 1, 0, 1]);
}

#[test]
fn kinds_are_read_and_must_fit() {
    let set = Generated::new();
    let kinds: Vec<String> = (0..5 * IMAGES).map(|i| format!("kind{}", i % 5)).collect();
    set.write("dev_kinds.txt", kinds.join("\n") + "\n");
    let dataset = Dataset::open(&set.spec()).expect("dataset");
    assert_eq!(dataset.split("dev").expect("dev").kinds, Some(kinds));
    set.write("dev_kinds.txt", "name\n");
    let error = set.error("dev");
    assert!(error.contains("dev_kinds.txt: 1 lines for 20 captions"), "{error}");
}

#[test]
fn errors_name_file_and_line() {
    let set = Generated::new();
    set.replace_line("train_caps.txt", 3, "   ");
    let error = set.error("train");
    assert!(error.contains("train_caps.txt: line 3: empty line"), "{error}");

    let mut bytes = fs::read(set.file("dev_caps.txt")).expect("read");
    bytes[3] = 0xff;
    set.write("dev_caps.txt", bytes);
    let error = set.error("dev");
    assert!(error.contains("dev_caps.txt: line 1: not UTF-8"), "{error}");

    set.edit("test_caps.txt", |text| format!("{text}one too many\n"));
    let error = set.error("test");
    assert!(error.contains("test_ids.txt: 20 lines") && error.contains("has 21"), "{error}");
    let error = set.error("missing");
    assert!(error.contains("missing_ids.txt"), "{error}");

    let set = Generated::new();
    set.replace_line("test_ids.txt", 1, "nobody");
    let error = set.error("test");
    assert!(error.contains("test_ids.txt: line 1: id \"nobody\" has no entry"), "{error}");
    set.write("id_mapping.json", "[1, 2]");
    let error = Dataset::open(&set.spec()).expect_err("no object").to_string();
    assert!(error.contains("id_mapping.json: no JSON object"), "{error}");
    set.write("id_mapping.json", r#"{"200": "../../secret.png"}"#);
    let error = Dataset::open(&set.spec()).expect_err("outside").to_string();
    assert!(error.contains("id \"200\"") && error.contains("secret.png"), "{error}");
}

#[test]
fn verify_lists_every_problem_with_its_line() {
    use ProblemKind::*;
    let set = Generated::new();
    set.replace_line("train_caps.txt", 3, "");
    set.replace_line("train_caps.txt", 9, "");
    set.replace_line("dev_ids.txt", 20, "nobody");
    set.replace_line("test_ids.txt", 1, "0");
    fs::remove_file(set.image("2.png")).expect("remove");
    fs::write(set.image("101.png"), "").expect("write");
    let picture = fs::read(set.image("202.png")).expect("read");
    fs::write(set.image("202.png"), &picture[..picture.len() / 2]).expect("write");

    let expected = |decode: bool| {
        let mut problems = vec![
            (EmptyLine, "train_caps.txt", Some(3)),
            (EmptyLine, "train_caps.txt", Some(9)),
            (UnmappedId, "dev_ids.txt", Some(20)),
            (UnevenCaptions, "dev_ids.txt", Some(16)),
            (UnevenCaptions, "dev_ids.txt", Some(20)),
            (UnevenCaptions, "test_ids.txt", Some(1)),
            (UnevenCaptions, "test_ids.txt", Some(2)),
            (SharedImage, "test_ids.txt", Some(1)),
            (MissingImage, "train_ids.txt", Some(11)),
            (BrokenImage, "dev_ids.txt", Some(6)),
        ];
        if decode {
            problems.push((BrokenImage, "test_ids.txt", Some(11)));
        }
        problems.into_iter().map(|(k, f, l)| (k, f.to_owned(), l)).collect::<Vec<_>>()
    };
    assert_eq!(set.problems(false), expected(false));
    assert_eq!(set.problems(true), expected(true));

    fs::remove_dir_all(set.image("")).expect("remove");
    fs::remove_file(set.file("id_mapping.json")).expect("remove");
    fs::remove_file(set.file("train_caps.txt")).expect("remove");
    let missing: Vec<String> = set
        .problems(false)
        .into_iter()
        .filter_map(|(kind, file, _)| (kind == MissingFile).then_some(file))
        .collect();
    assert_eq!(missing, ["id_mapping.json", "train_caps.txt", "flickr30k-images"]);
}

/// As the official files are published: training does without.
#[test]
fn a_validation_split_need_not_be_there() {
    let set = Generated::new();
    fs::remove_file(set.file("dev_ids.txt")).expect("remove");
    assert_eq!(set.problems(false), [(ProblemKind::MissingFile, "dev_ids.txt".into(), None)]);
    fs::remove_file(set.file("dev_caps.txt")).expect("remove");
    assert_eq!(set.problems(false), []);
    let found = set.verify(false);
    assert_eq!(found.splits.iter().map(|split| &split.name).collect::<Vec<_>>(), ["train", "test"]);
    assert!(found.to_string().contains("dev      not there"), "{found}");
}

fn avse(arguments: &[&str], data_path: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_avse"))
        .args(["data", "verify"])
        .args(arguments)
        .arg("--data_path")
        .arg(data_path)
        .output()
        .expect("avse runs")
}

#[test]
fn the_command_says_what_is_wrong_and_fails() {
    let set = Generated::new();
    let path = set.root.path();
    let sound = avse(&["--dataset", "f30k", "--decode"], path);
    assert!(sound.status.success(), "{sound:?}");
    assert!(String::from_utf8_lossy(&sound.stdout).contains("no problems"));

    fs::remove_file(set.image("2.png")).expect("remove");
    set.replace_line("dev_caps.txt", 7, "");
    let broken = avse(&["--dataset", "f30k"], path);
    assert_eq!(broken.status.code(), Some(1));
    let text = String::from_utf8_lossy(&broken.stdout);
    assert!(text.contains("dev_caps.txt line 7: empty line"), "{text}");
    assert!(text.contains("train_ids.txt line 11: image \"2\""), "{text}");
    assert!(text.contains("2 problems"), "{text}");
    let json = avse(&["--dataset", "f30k", "--json"], path);
    assert_eq!(json.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON alone on stdout");
    assert_eq!(json["problems"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["problems"][1]["kind"], "missing_image");
    // The broken line and the missing image are not in the test split.
    assert!(avse(&["--dataset", "f30k", "--split", "test"], path).status.success());

    for (dataset, expected) in
        [("flickr", "known are f30k, coco, emoji"), ("coco", "no dataset coco")]
    {
        let refused = avse(&["--dataset", dataset], path);
        assert_eq!(refused.status.code(), Some(1));
        let text = String::from_utf8_lossy(&refused.stderr);
        assert!(text.contains(expected), "{text}");
    }
}
