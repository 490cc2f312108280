//! Evaluation beyond one model and one right answer.

use std::fs;

use roxmltree::{Document, ParsingOptions};
use serde_json::Value;

use super::support::{CAPTIONS, CONFIG, Fixture, avse};

/// Two trained networks, the second with other sizes.
fn two_models() -> Fixture {
    let fixture = Fixture::trained();
    let other = CONFIG
        .replace("embed_size = 32", "embed_size = 48")
        .replace("block_size = 16", "block_size = 12")
        .replace("image_size = 32\npool", "image_size = 40\npool")
        .replace("vocabulary_size = 200", "vocabulary_size = 60");
    fixture.write("tiny.toml", other);
    fixture.train("other", &["--num_epochs", "1", "--seed", "9"]).succeeds();
    fixture
}

fn numbers(npy: &[u8]) -> Vec<f32> {
    npyz::NpyFile::new(npy).unwrap().into_vec::<f32>().unwrap()
}

#[test]
fn an_ensemble_scores_as_the_mean_of_its_members() {
    let fixture = two_models();
    let (first, first_report) = fixture.scores("run/best");
    let (second, second_report) = fixture.scores("other/best");
    assert!(first != second);

    let (file, other) = (fixture.arg("both.npy"), fixture.arg("other/best"));
    let options = ["--model", &other, "--save_results", &file];
    let report = fixture.eval("run/best", &options).succeeds().json();
    assert!(report.get("model").is_none());
    let models = ["run/best", "other/best"].map(|name| fixture.arg(name));
    for (at, alone) in [&first_report, &second_report].into_iter().enumerate() {
        assert_eq!(report["members"][at]["sets"], alone["sets"]);
        assert_eq!(report["members"][at]["model"].as_str(), Some(models[at].as_str()));
    }
    let pairs = numbers(&first).into_iter().zip(numbers(&second));
    let mean: Vec<f32> = pairs.map(|(a, b)| (a + b) / 2.0).collect();
    assert_eq!(numbers(&fixture.read("both.npy")), mean);
    let saved = avse(["eval", "--dataset", "f30k", "--results", &file, "--json"]).succeeds();
    assert_eq!(saved.json()["sets"], report["sets"]);

    let data = fixture.arg("data");
    let fixed = ["eval", "--data_path", &data, "--gpu-id", "cpu"];
    let both = ["--model", &models[0], "--model", &models[1]];
    let table = avse([fixed.as_slice(), &both].concat()).succeeds().stdout;
    for name in [format!("{} all", models[0]), format!("{} all", models[1]), "ensemble all".into()]
    {
        assert_eq!(table.matches(&name).count(), 1, "{table}");
    }
}

/// MS-COCO's protocols: five folds, and all.
#[test]
fn an_ensemble_is_measured_in_folds_too() {
    let fixture = two_models();
    let other = fixture.arg("other/best");
    fs::rename(fixture.path("data/f30k"), fixture.path("data/coco")).unwrap();
    fs::rename(fixture.path("data/flickr30k-images"), fixture.path("data/coco-images")).unwrap();
    for what in ["ids", "caps"] {
        let lines = fixture.text(&format!("data/coco/test_{what}.txt"));
        let five: Vec<&str> = lines.lines().take(25).collect();
        fixture.write(&format!("data/coco/testall_{what}.txt"), five.join("\n") + "\n");
    }
    let file = fixture.arg("both.npy");
    let options = ["--dataset", "coco", "--model", &other, "--save_results", &file];
    let model = fixture.arg("run/best");
    let data = fixture.arg("data");
    let fixed = ["eval", "--data_path", &data, "--model", &model, "--gpu-id", "cpu", "--json"];
    let report = avse([fixed.as_slice(), &options].concat()).succeeds().json();
    let names = |sets: &Value| -> Vec<String> {
        let sets = sets.as_array().unwrap().iter();
        sets.map(|set| set["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&report["sets"]), ["5-fold", "all"]);
    assert_eq!(names(&report["members"][1]["sets"]), ["5-fold", "all"]);
    let saved = avse(["eval", "--dataset", "coco", "--results", &file, "--json"]).succeeds();
    assert_eq!(saved.json()["sets"], report["sets"]);
    // Without `test` of its own, that word means the usual test split.
    for what in ["ids", "caps"] {
        fs::remove_file(fixture.path(&format!("data/coco/test_{what}.txt"))).unwrap();
    }
    let again = [fixed.as_slice(), &["--split", "test"], &options[..4]].concat();
    assert_eq!(avse(again).succeeds().json(), report);
}

/// Pairs in any order: what belongs together is read from the dataset again.
#[test]
fn a_saved_matrix_is_measured_with_the_pairs_of_its_dataset() {
    let fixture = Fixture::trained();
    for what in ["ids", "caps"] {
        let name = format!("data/f30k/test_{what}.txt");
        let text = fixture.text(&name);
        let lines: Vec<&str> = text.lines().collect();
        // One image has more captions than another, and they take turns.
        let turns = (0..CAPTIONS).flat_map(|c| (0..6).map(move |image| CAPTIONS * image + c));
        let turns: Vec<&str> = turns.take(27).map(|at| lines[at]).collect();
        fixture.write(&name, turns.join("\n") + "\n");
    }
    let (data, file) = (fixture.arg("data"), fixture.arg("scores.npy"));
    let report = fixture.eval("run/best", &["--save_results", &file]).succeeds().json();
    assert_eq!(report["captions"], 27);
    let saved = ["eval", "--results", &file, "--data_path", &data, "--json"];
    assert_eq!(avse(saved).succeeds().json()["sets"], report["sets"]);
    let named = [saved.as_slice(), &["--split", "test"]].concat();
    assert_eq!(avse(named).succeeds().json()["sets"], report["sets"]);
    let nowhere = ["eval", "--results", &file, "--data_path", "nowhere"];
    avse(nowhere).fails_with(&["6 x 27: not the same number"]);
    avse([nowhere.as_slice(), &["--split", "test"]].concat()).fails_with(&["nor nowhere exists"]);
}

/// Found before anything is encoded.
#[test]
fn outputs_that_cannot_be_written_are_found_first() {
    let fixture = Fixture::trained();
    let (folder, below) = (fixture.arg("run"), fixture.arg("nowhere/scores.npy"));
    for option in ["--save_results", "--failures"] {
        fixture.eval("run/best", &[option, &folder]).fails_with(&["is a folder"]);
        fixture.eval("run/best", &[option, &below]).fails_with(&["nowhere"]);
    }
}

#[test]
fn a_member_that_is_no_bundle_is_named() {
    let fixture = Fixture::trained();
    let nowhere = fixture.arg("nowhere");
    fixture.eval("run/best", &["--model", &nowhere]).fails_with(&["nowhere"]);
}

#[test]
fn more_test_views_are_another_embedding() {
    let fixture = Fixture::trained();
    let file = fixture.arg("views.npy");
    let scores = |views: &str| {
        let options = ["--test_views", views, "--save_results", &file];
        let report = fixture.eval("run/best", &options).succeeds().json();
        (fixture.read("views.npy"), report)
    };
    let usual = fixture.scores("run/best");
    let (one, report) = scores("1");
    assert!(one == usual.0 && report == usual.1, "one plan of views is the usual one");
    let (four, report) = scores("4");
    assert_eq!(report["test_views"], 4);
    let pairs = numbers(&four).into_iter().zip(numbers(&one));
    let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest > 0.0 && largest < 1.0, "{largest}");
    for wrong in ["0", "65", "two"] {
        let said = fixture.eval("run/best", &["--test_views", wrong]);
        assert_eq!(said.code, Some(2));
        assert!(said.stderr.contains("--test_views"), "{}", said.stderr);
    }
}

#[test]
fn the_worst_misses_are_a_page() {
    let fixture = Fixture::trained();
    let evil = "a <script>alert('x')</script> & \"more\"";
    fixture.replace_line("data/f30k/test_caps.txt", 7, evil.as_bytes());
    let file = fixture.arg("misses.html");
    let options = ["--failures", &file, "--failures-count", "30"];
    let report = fixture.eval("run/best", &options).succeeds().json();
    let page = fixture.text("misses.html");
    let parser = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&page, parser).unwrap();
    let count = |name| document.descendants().filter(|node| node.has_tag_name(name)).count();
    assert_eq!(count("script"), 0);
    assert!(page.contains("&lt;script&gt;"));
    assert!(page.contains("data:image/jpeg;base64,"));
    // Every query that did not find a right answer first.
    let metrics = &report["sets"][0]["metrics"];
    let missed = |direction: &str, queries: f64| {
        let found = metrics[direction]["r1"].as_f64().unwrap();
        (queries * (100.0 - found) / 100.0).round() as usize
    };
    let (images, texts) = (missed("image_to_text", 6.0), missed("text_to_image", 30.0));
    assert!(images + texts > 4, "the network is too good to test");
    assert_eq!(count("article"), images + texts);
    // Each has a right answer: with a tick among the hits, or behind them with its rank.
    for article in document.descendants().filter(|node| node.has_tag_name("article")) {
        let marks = article.descendants().filter(|node| node.attribute("class") == Some("mark"));
        assert!(marks.count() >= 1);
    }

    let options = ["--failures", &file, "--failures_count", "2"];
    fixture.eval("run/best", &options).succeeds();
    assert!(fixture.text("misses.html").matches("<article").count() <= 4);
    let nowhere = fixture.arg("nowhere/misses.html");
    fixture.eval("run/best", &["--failures", &nowhere]).fails_with(&["nowhere"]);
    let said = fixture.eval("run/best", &["--failures-count", "2"]);
    assert!(said.code == Some(2) && said.stderr.contains("--failures"), "{}", said.stderr);
}

#[test]
fn further_positives_are_measured() {
    let fixture = Fixture::trained();
    let file = fixture.arg("positives.json");
    let measure = |content: Value| {
        fixture.write("positives.json", content.to_string());
        fixture.eval("run/best", &["--positives", &file]).succeeds().json()
    };
    // Nothing further, all queries: the recalls at 1 are the usual ones.
    let none = |key: &dyn Fn(usize) -> String, count| -> Value {
        (0..count)
            .map(|at| (key(at), Value::Array(vec![])))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let images = none(&|at| format!("test{at}"), 6);
    let captions = none(&|at| at.to_string(), 30);
    let report = measure(serde_json::json!({ "image_to_text": images, "text_to_image": captions }));
    for (direction, queries) in [("image_to_text", 6), ("text_to_image", 30)] {
        let found = &report["positives"][direction];
        assert_eq!(found["queries"], queries);
        let (ours, usual) = (&found["r1"], &report["sets"][0]["metrics"][direction]["r1"]);
        assert!((ours.as_f64().unwrap() - usual.as_f64().unwrap()).abs() < 1e-9);
    }
    // Every caption fits: nothing can be wrong.
    let all: Vec<usize> = (5..30).collect();
    let report = measure(serde_json::json!({ "image_to_text": { "test0": all } }));
    let found = &report["positives"]["image_to_text"];
    assert_eq!(found["queries"], 1);
    for figure in ["r1", "r_precision", "map_at_r"] {
        assert!((found[figure].as_f64().unwrap() - 100.0).abs() < 1e-9, "{found}");
    }
    assert_eq!(report["positives"]["text_to_image"]["queries"], 25);

    let (data, model) = (fixture.arg("data"), fixture.arg("run/best"));
    let table = ["eval", "--data_path", &data, "--model", &model, "--positives", &file];
    let table = avse(table).succeeds().stdout;
    assert!(table.contains("mAP@R") && table.contains("R-Prec"), "{table}");

    fixture.write("positives.json", r#"{"image_to_text": {"dev0": [1]}}"#);
    let said = fixture.eval("run/best", &["--positives", &file]);
    said.fails_with(&["positives.json", "image_to_text.\"dev0\"", "split test"]);
    fixture
        .eval("run/best", &["--positives", &fixture.arg("none.json")])
        .fails_with(&["none.json"]);
}
