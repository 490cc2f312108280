//! Records of a dataset that cannot be used among good ones: left out, counted and listed like pictures, or the end.

use serde_json::{Value, json};

use super::support::{Fixture, avse};

#[test]
fn records_that_cannot_be_used_count_like_pictures() {
    let fixture = Fixture::trained();
    let (model, rows, gallery) =
        (fixture.arg("run/best"), fixture.arg("rows.npy"), fixture.arg("gallery"));
    let images = fixture.arg("data/flickr30k-images");
    let row = |number: usize| format!("test{number}.png,caption {number},test");
    let mut table: Vec<String> =
        std::iter::once("image,caption,split".into()).chain((0..6).map(row)).collect();
    table[3] = "test2.png,,test".into();
    fixture.write("pairs.csv", table.join("\n"));
    let pairs = fixture.arg("pairs.csv");
    let data = ["--data_path", &pairs, "--images", &images, "--model", &model];
    let lines: [&[&str]; 3] = [
        &["eval", "--json"],
        &["encode", "--out", &rows],
        &["index", "build", "--gallery", &gallery],
    ];
    for line in lines {
        avse([line, &data, &["--on-error", "stop"]].concat())
            .fails_with(&["pairs.csv line 4", "empty caption"]);
        let skip: &[&str] = &["--on-error", "skip", "--max-errors", "0"];
        avse([line, &data, skip].concat()).fails_with(&["pairs.csv line 4", "more than the 0"]);
    }
    let report = avse([lines[0], &data, &["--on-error", "skip"]].concat()).succeeds().json();
    assert_eq!((&report["images"], &report["left_out"]["records"]), (&json!(5), &json!(1)));
    // Captions would be counted otherwise.
    let right = json!({ "text_to_image": { "0": ["test0.png"] } });
    fixture.write("positives.json", right.to_string());
    let positives = fixture.arg("positives.json");
    let line = ["eval", "--on-error", "skip", "--positives", &positives];
    avse([&line, &data[..]].concat()).fails_with(&["--positives counts", "pairs.csv line 4"]);
    for line in &lines[1..] {
        let said = avse([*line, &data].concat()).succeeds();
        assert!(
            format!("{}{}", said.stdout, said.stderr).contains("1 could not be read"),
            "{}",
            said.stderr
        );
    }
    // A list of items goes by the same rules.
    let list = ["0", "1", "{", "3"].map(|number| match number {
        "{" => number.to_owned(),
        number => json!({"image": format!("{images}/test{number}.png"), "caption": ""}).to_string(),
    });
    fixture.write("items.jsonl", list.join("\n"));
    let items = fixture.arg("items.jsonl");
    let line = ["encode", "--out", &rows, "--items", &items, "--model", &model];
    avse([&line[..], &["--on-error", "stop"]].concat())
        .fails_with(&["items.jsonl line 3", "no JSON object"]);
    avse(line).succeeds();
    assert_eq!(super::skipped::rows(&fixture, "rows.npy").len(), 3);
}

#[test]
fn training_goes_on_without_a_broken_record() {
    let fixture = Fixture::new();
    let row = |split: &str, number: usize| format!("{split}{number}.png,caption {number},{split}");
    let mut table = vec!["image,caption,split".to_owned()];
    for (split, count) in [("train", 8), ("dev", 4)] {
        table.extend((0..count).map(|number| row(split, number)));
    }
    table[2] = "train1.png,,train".into();
    table[10] = "dev1.png,,dev".into();
    fixture.write("pairs.csv", table.join("\n"));
    let (pairs, images) = (fixture.arg("pairs.csv"), fixture.arg("data/flickr30k-images"));
    let train = |run: &str, options: &[&str]| {
        let mut line = fixture
            .train_arguments(run, &[&["--images", &images, "--batch_size", "3"], options].concat());
        let at = line.iter().position(|word| word == "--data_path").unwrap();
        line[at + 1].clone_from(&pairs);
        avse(line)
    };
    let dry = train("run", &["--dry-run"]).succeeds();
    assert!(format!("{}{}", dry.stdout, dry.stderr).contains("pairs.csv line 3"));
    let said = train("run", &[]).succeeds().stderr;
    assert!(said.contains("1 of 8 training pictures could not be read"), "{said}");
    let keys = |list: &str| -> Vec<String> {
        let key = |line: &str| serde_json::from_str::<Value>(line).unwrap()["key"].to_string();
        fixture.text(list).lines().map(key).collect()
    };
    assert_eq!(keys("run/skipped.jsonl"), ["\"pairs.csv line 3\""]);
    assert_eq!(keys("run/skipped.validation.jsonl"), ["\"pairs.csv line 11\""]);
    let last = super::skipped::log(&fixture, "run").pop().unwrap();
    assert_eq!((&last["skipped_pictures"], &last["skipped_validation"]), (&json!(1), &json!(1)));
    train("stop", &["--on-error", "stop"]).fails_with(&["pairs.csv line 3", "empty caption"]);
}
