//! Karpathy's JSON.

use serde_json::json;
use trainer_native::data::ProblemKind::*;

use super::support::{Folder, captions, image, karpathy};

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

/// The captions of one would become those of the other.
#[test]
fn two_pictures_of_one_number_are_refused() {
    let folder = Folder::new();
    let mut other = image(0, "train", &["a dog"]);
    other["filename"] = "1.png".into();
    folder.write("twice.json", karpathy(json!([image(0, "train", &["a cat"]), other])));
    let (problems, text) = folder.problems("twice.json");
    assert_eq!(problems.len(), 1, "{text}");
    assert_eq!(problems[0].0, BadRecord);
    assert!(
        text.contains("images[1] (\"1.png\")") && text.contains("0.png have the same id"),
        "{text}"
    );
}
