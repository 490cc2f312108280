//! Pictures that cannot be read among good ones: left out, counted and listed, or the end.

use std::fs;

use serde_json::{Value, json};

use super::support::{CAPTIONS, Fixture, Outcome, avse, outcome};

/// Makes pictures of the dataset unreadable.
fn damage(fixture: &Fixture, names: &[&str]) {
    for name in names {
        fs::write(fixture.image(&format!("{name}.png")), "no picture").unwrap();
    }
}

/// The keys of a list of what was left out.
fn listed(fixture: &Fixture, list: &str) -> Vec<String> {
    let line = |line: &str| -> String {
        let problem: Value = serde_json::from_str(line).unwrap();
        assert!(problem["reason"].as_str().unwrap().contains("signature"), "{line}");
        problem["key"].as_str().unwrap().into()
    };
    fixture.text(list).lines().map(line).collect()
}

fn weights(fixture: &Fixture, run: &str) -> Vec<Vec<u8>> {
    ["last", "best"]
        .map(|bundle| fixture.read(&format!("{run}/{bundle}/model.safetensors")))
        .to_vec()
}

pub fn log(fixture: &Fixture, run: &str) -> Vec<Value> {
    let text = fixture.text(&format!("{run}/log.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn training_goes_on_without_a_broken_picture() {
    let fixture = Fixture::new();
    damage(&fixture, &["train5", "dev2"]);
    let said = fixture.train("run", &[]).succeeds().stderr;
    let lists = ["run/skipped.jsonl", "run/skipped.validation.jsonl"].map(|list| fixture.arg(list));
    for part in [
        "1 of 8 training pictures could not be read",
        "1 of 4 validation pictures",
        &lists[0],
        &lists[1],
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    assert_eq!(listed(&fixture, "run/skipped.jsonl"), ["train5"]);
    assert_eq!(listed(&fixture, "run/skipped.validation.jsonl"), ["dev2"]);
    for record in log(&fixture, "run") {
        assert_eq!(
            (&record["skipped_pictures"], &record["skipped_validation"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(record["steps"], 5, "an epoch keeps its steps");
    }
    // The same again on other threads, and in two parts.
    fixture.train("threads", &["--workers", "3"]).succeeds();
    fixture.train("parts", &["--num_epochs", "1"]).succeeds();
    fixture.train("parts", &["--resume", "--num_epochs", "2"]).succeeds();
    assert!(weights(&fixture, "threads") == weights(&fixture, "run"), "threads matter");
    assert!(weights(&fixture, "parts") == weights(&fixture, "run"), "another model");
    assert_eq!(listed(&fixture, "parts/skipped.jsonl"), ["train5"]);
    // Nothing of the other samples has changed: with the picture back, it is another model.
    let run: toml::Table = fixture.text("run/run.toml").parse().unwrap();
    assert_eq!((run["on_error"].as_str(), run["max_errors"].as_str()), (Some("skip"), Some("1%")));
}

#[test]
fn replicas_leave_out_the_same() {
    let fixture = Fixture::new();
    damage(&fixture, &["train5"]);
    let several = |run: &str, options: &[&str]| {
        let two = ["--batch_size", "4", "--multi_gpu", "1"];
        let mut line = fixture.train_arguments(run, &[two.as_slice(), options].concat());
        let at = line.iter().position(|word| word == "cpu").unwrap();
        line[at] = "cpu,cpu".into();
        avse(line)
    };
    several("run", &[]).succeeds();
    several("again", &[]).succeeds();
    assert!(weights(&fixture, "run") == weights(&fixture, "again"), "another model");
    // Whichever of them meets it, all of them end, and the run goes on.
    let parts = ["train5.png", "--on-error skip", "--resume"];
    several("stopped", &["--on-error", "stop"]).fails_with(&parts);
    several("stopped", &["--resume", "--on-error", "skip"]).succeeds();
    assert!(weights(&fixture, "run") == weights(&fixture, "stopped"), "another model");
}

#[test]
fn too_many_broken_pictures_end_training_and_it_goes_on_where_it_was() {
    let fixture = Fixture::new();
    fixture.train("sound", &[]).succeeds();
    let sound: Vec<_> = ["train5", "train6", "dev2"]
        .map(|name| (name, fs::read(fixture.image(&format!("{name}.png"))).unwrap()))
        .to_vec();
    damage(&fixture, &["train5", "train6"]);
    let list = fixture.arg("run/skipped.jsonl");
    let parts = [
        "2 of 8 training pictures",
        "--max-errors 1%",
        &list,
        "--max-errors 5%",
        "avse train --resume",
    ];
    fixture.train("run", &[]).fails_with(&parts);
    let mut two = listed(&fixture, "run/skipped.jsonl");
    two.sort();
    assert_eq!(two, ["train5", "train6"]);
    // A run that goes on has the same limit.
    fixture.train("run", &["--resume"]).fails_with(&parts[..2]);
    fixture.train("run", &["--resume", "--max-errors", "25%"]).succeeds();
    fixture.train("whole", &["--max-errors", "2"]).succeeds();
    assert!(weights(&fixture, "run") == weights(&fixture, "whole"), "another model");

    // Stopped at the first one, in training and in validation; mended, it is the run that it would have been.
    fixture.train("stopped", &["--on-error", "stop"]).fails_with(&[".png", "--resume"]);
    for (name, bytes) in &sound[..2] {
        fs::write(fixture.image(&format!("{name}.png")), bytes).unwrap();
    }
    damage(&fixture, &["dev2"]);
    let parts = ["dev2.png", "--on-error skip", "saved after 5 steps", "avse train --resume"];
    fixture.train("stopped", &["--resume"]).fails_with(&parts);
    fs::write(fixture.image("dev2.png"), &sound[2].1).unwrap();
    fixture.train("stopped", &["--resume"]).succeeds();
    assert!(weights(&fixture, "stopped") == weights(&fixture, "sound"), "another model");
    assert_eq!(log(&fixture, "stopped").len(), 2);
}

#[test]
fn an_evaluation_stops_or_says_what_it_is_without() {
    let fixture = Fixture::trained();
    damage(&fixture, &["test3"]);
    let stops = ["test3.png", "--on-error skip"];
    fixture.eval("run/best", &[]).fails_with(&stops);
    let (scores, positives) = (fixture.arg("scores.npy"), fixture.arg("positives.json"));
    // Of image 3 and its captions 15 to 19, and of others.
    let right = json!({ "image_to_text": { "test1": [4, 17], "test3": [1], "test4": [16, 0] } });
    fixture.write("positives.json", right.to_string());
    let options = ["--on-error", "skip", "--max-errors", "20%"];
    let files = [
        "--save_results",
        &scores,
        "--positives",
        &positives,
        "--failures",
        &fixture.arg("misses.html"),
    ];
    let found = fixture.eval("run/best", &[options.as_slice(), &files].concat()).succeeds().json();
    let list = fixture.arg("scores.npy.skipped.jsonl");
    assert_eq!(
        found["left_out"],
        json!({ "images": 1, "captions": CAPTIONS, "records": 0, "list": list })
    );
    assert_eq!((&found["images"], &found["captions"]), (&json!(5), &json!(5 * CAPTIONS)));
    assert_eq!(listed(&fixture, "scores.npy.skipped.jsonl"), ["test3"]);
    let matrix = fixture.read("scores.npy");
    let model = fixture.arg("run/best");
    let data = fixture.arg("data");
    let table = |line: &[&str]| {
        let fixed = ["eval", "--data_path", &data, "--model", &model, "--save_results", &scores];
        avse([fixed.as_slice(), line].concat()).succeeds().stdout
    };
    let said = table(&options);
    assert!(
        said.contains("1 images that could not be read, with their 5 captions; listed in"),
        "{said}"
    );
    let ensemble = fixture.eval("run/best", &[options.as_slice(), &["--model", &model]].concat());
    assert_eq!(ensemble.succeeds().json()["left_out"]["images"], 1);

    // The figures are those of a split that never had the image.
    for what in ["ids", "caps"] {
        let name = format!("data/f30k/test_{what}.txt");
        let text = fixture.text(&name);
        let others = text.lines().enumerate().filter(|(line, _)| line / CAPTIONS != 3);
        fixture.write(&name, others.map(|(_, line)| format!("{line}\n")).collect::<String>());
    }
    // Caption 1 keeps the right answer that the split gives it.
    let right = json!({
        "image_to_text": { "test1": [4], "test4": [0] },
        "text_to_image": { "4": ["test1"], "0": ["test4"], "1": ["test0"] }
    });
    fixture.write("positives.json", right.to_string());
    let expected = fixture.eval("run/best", &files).succeeds().json();
    assert_eq!(found["sets"], expected["sets"]);
    assert_eq!(found["positives"], expected["positives"]);
    assert!(matrix == fixture.read("scores.npy"), "other scores");
    assert!(expected.get("left_out").is_none());
    assert!(!fixture.path("scores.npy.skipped.jsonl").exists(), "the list of an earlier run");
}

/// The folds of MS-COCO are everybody's or not there.
#[test]
fn folds_need_every_image() {
    let fixture = Fixture::trained();
    fixture.write_dataset("coco", "coco-images", &[("testall", 10)]);
    let (model, data) = (fixture.arg("run/best"), fixture.arg("data"));
    let eval = |options: &[&str]| {
        let line = ["eval", "--dataset", "coco", "--data_path", &data, "--model", &model, "--json"];
        let mut command = super::support::command([line.as_slice(), options].concat());
        outcome(command.current_dir(fixture.path("")))
    };
    let names = |said: &Outcome| -> Vec<Value> {
        let report = said.json();
        report["sets"].as_array().unwrap().iter().map(|set| set["name"].clone()).collect()
    };
    assert_eq!(names(&eval(&[]).succeeds()), ["5-fold", "all"]);
    for broken in 3..8 {
        fixture.write(&format!("data/coco-images/testall{broken}.png"), "no picture");
    }
    // Five are left, which could be divided.
    let said = eval(&["--on-error", "skip", "--max-errors", "50%"]).succeeds();
    assert_eq!(names(&said), ["all"]);
    assert!(
        said.stderr.contains("no figures of 5 folds: these are 5 images of 10"),
        "{}",
        said.stderr
    );
    assert_eq!(listed(&fixture, "eval.coco.testall.skipped.jsonl").len(), 5);
}

/// Numbers of a `.npy` file, a row each.
pub fn rows(fixture: &Fixture, name: &str) -> Vec<Vec<f32>> {
    let bytes = fixture.read(name);
    let file = npyz::NpyFile::new(bytes.as_slice()).unwrap();
    let size = file.shape()[1..].iter().product::<u64>() as usize;
    let numbers: Vec<f32> = file.into_vec().unwrap();
    numbers.chunks(size).map(<[f32]>::to_vec).collect()
}

#[test]
fn rows_keep_their_names() {
    let fixture = Fixture::trained();
    let (model, data, out) =
        (fixture.arg("run/best"), fixture.arg("data"), fixture.arg("rows.npy"));
    let encode = |options: &[&str]| {
        let line =
            ["encode", "--dataset", "f30k", "--data_path", &data, "--model", &model, "--out", &out];
        avse([line.as_slice(), &["--json", "--gpu-id", "cpu"], options].concat())
    };
    encode(&[]).succeeds();
    let whole = rows(&fixture, "rows.npy");
    damage(&fixture, &["test1", "test4"]);
    fs::remove_file(&out).unwrap();
    fs::remove_file(fixture.path("rows.npy.items.json")).unwrap();
    encode(&["--on-error", "stop"]).fails_with(&["test1", "signature", "--on-error skip"]);
    let list = fixture.arg("rows.npy.skipped.jsonl");
    encode(&[]).fails_with(&["2 of 6 items", "more than the 1", "--max-errors 1%", "test4", &list]);
    assert!(!fixture.path("rows.npy").exists() && !fixture.path("rows.npy.items.json").exists());
    let report = encode(&["--max-errors", "34%"]).succeeds().json();
    assert_eq!(report["unreadable_list"], json!(list));
    assert_eq!(listed(&fixture, "rows.npy.skipped.jsonl"), ["test1", "test4"]);
    let items: Value = serde_json::from_slice(&fixture.read("rows.npy.items.json")).unwrap();
    let keys: Vec<_> =
        items["items"].as_array().unwrap().iter().map(|it| it["key"].clone()).collect();
    assert_eq!(keys, ["test0", "test2", "test3", "test5"]);
    let kept: Vec<_> = [0, 2, 3, 5].map(|row| whole[row].clone()).to_vec();
    assert!(rows(&fixture, "rows.npy") == kept, "other rows");
}

#[test]
fn galleries_and_pages_go_by_the_same_rules() {
    let fixture = Fixture::trained();
    damage(&fixture, &["test1", "test4"]);
    let (model, data) = (fixture.arg("run/best"), fixture.arg("data"));
    let (gallery, site) = (fixture.arg("gallery"), fixture.arg("site/"));
    let commands: [&[&str]; 2] =
        [&["index", "build", "--gallery", &gallery], &["export-web", "--out", &site]];
    for (command, out) in commands.into_iter().zip(["gallery", "site"]) {
        let run = |options: &[&str]| {
            let fixed = ["--dataset", "f30k", "--data_path", &data, "--model", &model, "--json"];
            avse([command, &fixed, options].concat())
        };
        run(&["--on-error", "stop"]).fails_with(&["test1", "signature", "--on-error skip"]);
        let list = fixture.arg(&format!("{out}.skipped.jsonl"));
        run(&[]).fails_with(&["2 of 6", "more than the 1", "--max-errors 1%", &list]);
        assert!(!fixture.path(out).join("manifest.json").exists());
        assert!(!fixture.path(out).join("avse.json").exists());
        let report = run(&["--max-errors", "2"]).succeeds().json();
        assert_eq!(report["unreadable_list"], json!(list));
        assert_eq!(listed(&fixture, &format!("{out}.skipped.jsonl")), ["test1", "test4"]);
        let unreadable = report["unreadable"].as_array().unwrap();
        assert_eq!((unreadable[0]["key"].clone(), unreadable.len()), (json!("test1"), 2));
    }
}

#[test]
fn the_largest_picture_is_an_option_everywhere() {
    let fixture = Fixture::trained();
    let [model, data, gallery, rows, site] =
        ["run/best", "data", "gallery", "rows.npy", "site"].map(|name| fixture.arg(name));
    // Pictures of 20 to 27 times 24 pixels.
    let picture = fixture.image("test5.png");
    let picture = picture.to_str().unwrap();
    let split = ["--dataset", "f30k", "--data_path", &data, "--model", &model];
    let lines: [Vec<&str>; 5] = [
        [&["index", "build", "--gallery", &gallery], &split[..]].concat(),
        [&["encode", "--out", &rows], &split[..]].concat(),
        [&["export-web", "--out", &site], &split[..]].concat(),
        [&["eval"], &split[..]].concat(),
        vec!["search", "--gallery", &gallery, "--image", picture],
    ];
    let refuses = |line: &[&str]| {
        let stop: &[&str] = if line[0] == "search" { &[] } else { &["--on-error", "stop"] };
        avse([line, &["--max-pixels", "479"], stop].concat()).fails_with(&["pixels", "479"]);
    };
    lines[..4].iter().for_each(|line| refuses(line));
    for line in &lines {
        avse([line.as_slice(), &["--max-pixels", "1000"]].concat()).succeeds();
    }
    refuses(&lines[4]);
    let verify = ["data", "verify", "--dataset", "f30k", "--data_path", &data, "--decode"];
    let said = avse([verify.as_slice(), &["--max-pixels", "600"]].concat());
    assert_eq!(said.code, Some(1));
    // Of those 26 and 27 wide.
    assert!(
        said.stdout.contains("train6.png") && said.stdout.contains("2 problems"),
        "{}",
        said.stdout
    );

    let small = ["--max-pixels", "600", "--max-errors", "25%"];
    let said = fixture.train("small", &small).succeeds().stderr;
    assert!(said.contains("2 of 8 training pictures"), "{said}");
    fixture.train("small", &["--resume", "--num_epochs", "3"]).succeeds();
    fixture
        .train("small", &["--resume", "--num_epochs", "4", "--max-pixels", "700"])
        .fails_with(&["--resume: max_pixels"]);
    // One that stops for its size goes on with a larger limit.
    fixture
        .train("stopped", &["--max-pixels", "600", "--on-error", "stop"])
        .fails_with(&["600", "--resume"]);
    fixture.train("stopped", &["--resume", "--max-pixels", "700"]).succeeds();
    fixture.train("sound", &[]).succeeds();
    assert!(weights(&fixture, "stopped") == weights(&fixture, "sound"), "another model");
}

#[test]
fn what_was_deleted_on_purpose_and_equal_names_count_rightly() {
    let fixture = Fixture::trained();
    let model = fixture.arg("run/best");
    for (folder, split) in [("pa", "test"), ("pb", "train")] {
        fs::create_dir(fixture.path(folder)).unwrap();
        for number in 0..6 {
            let from = fixture.image(&format!("{split}{number}.png"));
            fs::copy(from, fixture.path(&format!("{folder}/{number}.png"))).unwrap();
        }
    }
    let (pa, pb, gallery) = (fixture.arg("pa"), fixture.arg("pb"), fixture.arg("gallery"));
    let build = |line: &[&str]| avse([line, &["--gallery", &gallery]].concat());
    build(&["index", "build", &pa, "--model", &model]).succeeds();
    // Equal names in two folders are two.
    fixture.write("pb/3.png", "broken");
    fixture.write("pa/3.png", "broken");
    let add = ["index", "add", &pb];
    build(&[&add[..], &["--max-errors", "1"]].concat()).fails_with(&["2 of 12", "more than the 1"]);
    build(&[&add[..], &["--max-errors", "2"]].concat()).succeeds();
    // What was deleted does not use up the limit, and the limit holds for the rest.
    for number in 0..6 {
        fs::remove_file(fixture.path(&format!("pa/{number}.png"))).unwrap();
    }
    let again = ["index", "build", "--allow-empty"];
    build(&[&again[..], &["--max-errors", "0"]].concat()).fails_with(&["3.png", "more than the 0"]);
    build(&[&again[..], &["--max-errors", "1"]].concat()).succeeds();
}
