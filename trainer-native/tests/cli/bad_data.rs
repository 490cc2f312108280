//! Datasets with something wrong.

use std::fs;

use super::support::{Fixture, avse};

#[test]
fn unknown_datasets_and_missing_folders_are_named() {
    let fixture = Fixture::new();
    let unknown = ["--dataset", "flickr"];
    fixture.train("run", &unknown).fails_with(&["flickr", "f30k", "coco", "emoji"]);
    let nowhere = fixture.arg("nowhere");
    fixture.train("run", &["--dataset", "coco"]).fails_with(&["coco", &fixture.arg("data")]);
    for command in ["train", "eval"] {
        avse([command, "--data_path", &nowhere]).fails_with(&["f30k", &nowhere]);
    }
    assert!(!fixture.path("run").exists(), "nothing is left of a run that cannot start");
}

/// In the training split, the one to select on, and the test split.
#[test]
fn files_and_lines_are_named() {
    let fixture = Fixture::trained();
    for split in ["train", "dev", "test"] {
        let fails = |parts: &[&str]| match split {
            "test" => fixture.eval("run/best", &[]).fails_with(parts),
            _ => fixture.train("other", &[]).fails_with(parts),
        };
        let (ids, captions) =
            (format!("data/f30k/{split}_ids.txt"), format!("data/f30k/{split}_caps.txt"));
        let (ids_file, captions_file) = (fixture.arg(&ids), fixture.arg(&captions));
        let sound = fixture.read(&captions);

        fixture.replace_line(&captions, 3, b"  ");
        fails(&[&captions_file, "line 3", "empty line"]);
        fixture.write(&captions, &sound);
        fixture.replace_line(&captions, 4, b"caf\xe9 au lait");
        fails(&[&captions_file, "line 4", "not UTF-8"]);
        fixture.write(&captions, [sound.as_slice(), b"one more\n"].concat());
        fails(&[&ids_file, &captions_file, "lines"]);
        fixture.write(&captions, &sound);

        let sound = fixture.read(&ids);
        fixture.replace_line(&ids, 7, b"stranger");
        fails(&[&ids_file, "line 7", "stranger", "id_mapping.json"]);
        fixture.write(&ids, &sound);
        // Without a dev split the test split is taken, so there it is no error.
        if split != "dev" {
            fs::remove_file(fixture.path(&ids)).unwrap();
            fails(&[&ids_file]);
            fixture.write(&ids, &sound);
        }
    }
    fixture.eval("run/best", &["--split", "val"]).succeeds();
    fixture.eval("run/best", &["--split", "extra"]).fails_with(&["extra_ids.txt"]);
}

#[test]
fn without_a_dev_split_the_test_split_selects() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.path("data/f30k/dev_ids.txt")).unwrap();
    fs::remove_file(fixture.path("data/f30k/dev_caps.txt")).unwrap();
    let said = fixture.train("run", &["--num_epochs", "1"]).succeeds().stderr;
    assert!(said.contains("no `dev` split") && said.contains("validating on test"), "{said}");
}

#[test]
fn a_picture_that_cannot_be_read_is_named() {
    let fixture = Fixture::trained();
    for (split, id) in [("train", "train5"), ("dev", "dev2"), ("test", "test3")] {
        let path = fixture.image(&format!("{id}.png"));
        let file = path.to_str().unwrap();
        let fails = |part: &str| match split {
            "test" => fixture.eval("run/best", &[]).fails_with(&[file, part]),
            _ => fixture.train("other", &["--on-error", "stop"]).fails_with(&[file, part]),
        };
        let sound = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        // `eval` says it in the operating system's words.
        fails(if split == "test" { "" } else { "is missing" });
        fs::write(&path, b"").unwrap();
        fails("empty");
        fs::write(&path, &sound[..sound.len() / 2]).unwrap();
        fails("Png");
        fs::write(&path, b"<html>not found</html>").unwrap();
        fails("signature");
        fs::write(&path, &sound).unwrap();
    }
    fixture.eval("run/best", &[]).succeeds();
}

/// That a picture is missing is said at the start, even of one that only validation reads.
#[test]
fn missing_pictures_are_counted_before_anything_is_begun() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.image("dev1.png")).unwrap();
    let parts = ["dev1.png", "\"dev1\" of split dev is missing", "--on-error skip"];
    fixture.train("run", &["--on-error", "stop"]).fails_with(&parts);
    fs::remove_file(fixture.image("train3.png")).unwrap();
    fs::create_dir(fixture.image("train3.png")).unwrap();
    fs::remove_file(fixture.image("train6.png")).unwrap();
    let parts = ["train3.png", "split train", "1 more", "avse data verify", "--max-errors 1%"];
    fixture.train("run", &[]).fails_with(&parts);
    fs::remove_dir_all(fixture.image("")).unwrap();
    fixture.train("run", &[]).fails_with(&["flickr30k-images", "7 more"]);
    assert!(!fixture.path("run").exists(), "nothing is left of a run that cannot start");
}

#[test]
fn a_mapping_that_leads_elsewhere_is_refused() {
    let fixture = Fixture::new();
    fixture.remap("train1", "../../secret.png");
    let file = fixture.arg("data/f30k/id_mapping.json");
    fixture.train("run", &[]).fails_with(&[&file, "train1", "secret.png"]);
    fixture.write("data/f30k/id_mapping.json", "[]");
    fixture.train("run", &[]).fails_with(&[&file]);
}

/// `avse data verify` finds the same things, all at once.
#[test]
fn verify_lists_everything() {
    let fixture = Fixture::new();
    let data = fixture.arg("data");
    let verify = ["data", "verify", "--dataset", "f30k", "--data_path", &data, "--decode"];
    avse(verify).succeeds();
    fixture.replace_line("data/f30k/train_caps.txt", 2, b"");
    fs::write(fixture.image("test1.png"), b"").unwrap();
    let said = avse(verify);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    for part in ["train_caps.txt line 2", "test1.png"] {
        assert!(said.stdout.contains(part), "{}", said.stdout);
    }
}
