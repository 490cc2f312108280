//! The emoji set, built from the pinned packages.

#[path = "../../tests/support/left_out.rs"]
mod left_out;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use left_out::missing;
use tempfile::TempDir;
use trainer_native::data::emoji::{self, Lists, Options, Packages, TEST_DESIGNER};
use trainer_native::data::{Dataset, DatasetSpec, Split, VerifyOptions, verify};

const SIZE: u32 = 24;

/// Whether the packages are there; says loudly when they are not.
fn packages_installed() -> bool {
    let installed = emoji::data_folder().and_then(|folder| Packages::install(&folder));
    if let Err(error) = &installed {
        missing(&format!(
            "the emoji packages cannot be installed, the emoji set is not made: {error}"
        ));
    }
    installed.is_ok()
}

fn options(out: &Path, seed: u64) -> Options {
    Options { out: out.to_path_buf(), size: SIZE, seed }
}

/// Every file of a folder with its content.
fn contents(folder: &Path, within: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(within).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            contents(folder, &path, files);
        } else {
            let name = path.strip_prefix(folder).expect("inside").display().to_string();
            files.insert(name, fs::read(&path).expect("file"));
        }
    }
}

fn all_contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    contents(folder, folder, &mut files);
    files
}

/// (designer, code) of every picture of a split.
fn drawings(split: &Split) -> Vec<(String, String)> {
    let part = |path: &Path| path.file_stem().and_then(|s| s.to_str()).expect("name").to_owned();
    let designer = |path: &Path| part(path.parent().expect("designer's folder"));
    split.images.iter().map(|image| (designer(&image.path), part(&image.path))).collect()
}

fn plain(caption: &str) -> Vec<String> {
    let words = caption.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect()
}

#[test]
fn the_set_is_what_its_description_says() {
    if !packages_installed() {
        return;
    }
    let root = TempDir::new().expect("temporary folder");
    let out = root.path().join("emoji");
    let built = emoji::build(&options(&out, 0)).expect("built");
    assert!(!built.unchanged);
    let spec = DatasetSpec { name: "emoji".into(), data_path: root.path().into(), images: None };
    let options = VerifyOptions { spec: spec.clone(), splits: Vec::new(), decode: true };
    let found = verify(&options).expect("a dataset");
    assert!(found.problems.is_empty(), "{found}");

    let dataset = Dataset::open(&spec).expect("dataset");
    let [train, dev, test, new] =
        ["train", "dev", "test", "new"].map(|name| dataset.split(name).expect(name));
    assert_eq!((test.images.len(), test.captions.len()), (1000, 5000));
    assert_eq!((new.images.len(), new.captions.len()), (200, 1000));
    assert_eq!((dev.images.len(), dev.captions.len()), (100, 500));
    assert_eq!(train.captions.len(), 3 * train.images.len());
    assert_eq!((built.report.emoji, built.report.drawn_by_all), (1914, 1594));
    for (split, report) in [&train, &dev, &test, &new].into_iter().zip(&built.report.splits) {
        assert_eq!(report.name, split.name);
        assert_eq!((report.images, report.captions), (split.images.len(), split.captions.len()));
    }

    // Who is where.
    let mut designers_of: HashMap<String, HashSet<String>> = HashMap::new();
    for (designer, code) in drawings(&train) {
        assert_ne!(designer, TEST_DESIGNER);
        assert!(designers_of.entry(code).or_default().insert(designer));
    }
    for (designer, code) in drawings(&test) {
        assert_eq!(designer, TEST_DESIGNER);
        let complete = ["noto", "twemoji", "openmoji"];
        assert!(complete.iter().all(|d| designers_of[&code].contains(*d)), "{code} in training");
    }
    for (designer, code) in drawings(&new) {
        assert_eq!(designer, TEST_DESIGNER);
        assert!(!designers_of.contains_key(&code), "{code} is new");
    }
    for (designer, code) in drawings(&dev) {
        assert_eq!(designer, "twemoji");
        let others = &designers_of[&code];
        assert!(others.contains("noto") && others.contains("openmoji"), "{code} by others");
        assert!(!others.contains("twemoji"), "{code} by twemoji is held out");
    }
    for split in [&train, &dev, &test, &new] {
        for (_, code) in drawings(split) {
            let tones = ["1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"];
            assert!(!code.split('-').any(|part| tones.contains(&part)), "{code} has a skin tone");
        }
    }

    // The sets without code points are found by name.
    let train_of = |designer: &str| drawings(&train).iter().filter(|(d, _)| d == designer).count();
    let by_name = ["noto-v1", "emojione", "emojione-v1", "fxemoji", "streamline-emojis"];
    assert_eq!(by_name.map(train_of), [1086, 1205, 1035, 521, 701]);
    assert!(designers_of["1f1f9-1f1e9"].contains("emojione"), "flag-for-chad is the flag of Chad");
    assert!(designers_of["23f0"].contains("fxemoji"), "alarmclock is the alarm clock");

    // What is said.
    let kinds = ["name", "tags", "group", "keywords", "shortcodes"];
    for (split, kinds) in [(&train, &kinds[..3]), (&dev, &kinds), (&test, &kinds), (&new, &kinds)] {
        let labels = split.kinds.as_ref().expect("kinds");
        assert!(labels.chunks(kinds.len()).all(|labels| labels == kinds), "{}", split.name);
    }
    for split in [&dev, &test, &new] {
        let mut seen = HashMap::new();
        for caption in &split.captions {
            if let Some(other) = seen.insert(plain(caption), caption) {
                panic!("{}: {caption:?} and {other:?} are the same words", split.name);
            }
        }
    }
    let caption = |split: &Split, code: &str, kind: usize| {
        let images = drawings(split);
        let image = images.iter().position(|(_, c)| c == code).expect(code);
        split.captions[image * 5 + kind].clone()
    };
    // Of the words of one emoji, so that a shifted table is noticed.
    assert_eq!(caption(&test, "1f40c", 0), "snail");
    assert_eq!(caption(&test, "1f40c", 2), "animals and nature, animal bug: snail");
    assert!(caption(&test, "1f40c", 1).starts_with("a drawing of a snail, with animal, escargot"));
    assert!(caption(&test, "1f40c", 3).starts_with("snail, slow, animal, shell"));

    // What is shown: not blank, with the transparency kept, and no two pictures of the test are equal.
    let (mut pictures, mut transparent) = (HashSet::new(), 0);
    for image in &test.images {
        let picture = image::open(&image.path).expect("picture");
        assert_eq!(picture.color(), image::ColorType::Rgba8);
        let picture = picture.to_rgba8();
        assert_eq!(picture.dimensions(), (SIZE, SIZE));
        let drawn = picture.pixels().filter(|p| p.0[3] > 127).count();
        assert!(drawn > 10, "{}: {drawn} pixels drawn", image.path.display());
        transparent += usize::from(picture.pixels().any(|p| p.0[3] == 0));
        assert!(pictures.insert(picture.into_raw()), "{}", image.path.display());
    }

    // A few drawings, such as the face in clouds, fill their square.
    assert!(transparent > 950, "{transparent} pictures are transparent somewhere");

    let credits = fs::read_to_string(out.join("CREDITS.md")).expect("credits");
    for licence in ["Apache 2.0", "CC BY 4.0", "CC BY-SA 4.0", "MIT"] {
        assert!(credits.contains(licence), "{licence}");
    }
}

#[test]
fn the_same_inputs_give_the_same_files_and_another_seed_only_other_training_captions() {
    if !packages_installed() {
        return;
    }
    let root = TempDir::new().expect("temporary folder");
    let [one, two, other] = ["one", "two", "other"].map(|name| root.path().join(name));
    emoji::build(&options(&one, 0)).expect("built");
    emoji::build(&options(&two, 0)).expect("built");
    emoji::build(&options(&other, 1)).expect("built");
    let [one_files, two_files, other_files] = [&one, &two, &other].map(|f| all_contents(f));
    assert!(one_files == two_files, "two builds differ");
    assert!(one_files.keys().eq(other_files.keys()));
    let changed: Vec<&str> = one_files
        .iter()
        .filter_map(|(name, content)| (other_files[name] != *content).then_some(name.as_str()))
        .collect();
    assert_eq!(changed, ["manifest.json", "train_caps.txt"]);

    // Up to date: nothing is written. A lost picture: built again.
    assert!(emoji::build(&options(&one, 0)).expect("built").unchanged);
    fs::remove_file(one.join("images/noto/1f40c.png")).expect("remove");
    assert!(!emoji::build(&options(&one, 0)).expect("built").unchanged);
    assert!(all_contents(&one) == two_files);
    // Nothing is left beside the sets.
    let mut beside: Vec<_> =
        fs::read_dir(root.path()).expect("root").map(|e| e.expect("entry").file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["one", "other", "two"]);
}

#[test]
fn a_folder_that_is_no_emoji_set_is_left_alone() {
    if !packages_installed() {
        return;
    }
    let root = TempDir::new().expect("temporary folder");
    fs::write(root.path().join("thesis.txt"), "years of work").expect("write");
    let error = emoji::build(&options(root.path(), 0)).expect_err("foreign").to_string();
    assert!(error.contains("no emoji set"), "{error}");
    assert!(root.path().join("thesis.txt").is_file());
    // Bundles and galleries have a manifest.json, too.
    fs::write(root.path().join("manifest.json"), r#"{"format": "avse", "files": {}}"#)
        .expect("write");
    let error = emoji::build(&options(root.path(), 0)).expect_err("foreign").to_string();
    assert!(error.contains("no emoji set"), "{error}");
    let size = Options { size: 0, ..options(&root.path().join("new"), 0) };
    assert!(emoji::build(&size).expect_err("no pixels").to_string().contains("--size 0"));
}

#[test]
fn the_committed_lists_are_those_of_seed_0() {
    if !packages_installed() {
        return;
    }
    let folder = emoji::data_folder().expect("data folder");
    let committed = Lists::read(&folder).expect("lists");
    assert_eq!(emoji::choose_lists(0).expect("chosen"), committed);
    assert_ne!(emoji::choose_lists(1).expect("chosen"), committed);
}
