//! The official layout written out of Karpathy's JSON.

use std::fs;

use serde_json::json;
use trainer_native::data::ProblemKind::*;
use trainer_native::data::{
    CaptionLimit, PrepareOptions, Prepared, VerifyOptions, prepare, verify,
};

use super::support::{Folder, image, karpathy};

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
