//! What a run leaves behind, and that it can be repeated.

use super::support::{CONFIG, Fixture, TRAIN_CAPTIONS, avse, command, is_bundle, outcome};

#[test]
fn a_run_leaves_its_configuration_log_curves_summary_and_bundles() {
    let fixture = Fixture::new();
    let said = fixture.train("run", &[]).succeeds();
    assert!(said.stdout.contains("best rSum"), "{}", said.stdout);
    assert!(said.stderr.contains("validating on dev"), "{}", said.stderr);

    let run: toml::Table = fixture.text("run/run.toml").parse().unwrap();
    assert_eq!(run["batch_size"].as_integer(), Some(8));
    assert_eq!(run["data_path"].as_str(), Some(fixture.arg("data").as_str()));
    let log = fixture.text("run/log.jsonl");
    let log: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(log.len(), 2);
    let mut best = f64::NEG_INFINITY;
    for (epoch, record) in log.iter().enumerate() {
        assert_eq!(record["epoch"], epoch);
        assert_eq!(record["steps"], TRAIN_CAPTIONS / 8);
        assert!(record["loss"].as_f64().unwrap() > 0.0);
        assert_eq!(record["truncated_captions"], 0);
        best = best.max(record["validation"]["rsum"].as_f64().unwrap());
    }
    let summary: serde_json::Value =
        serde_json::from_slice(&fixture.read("run/summary.json")).unwrap();
    assert_eq!(summary["best_rsum"].as_f64(), Some(best));
    assert_eq!(summary["steps"], 2 * TRAIN_CAPTIONS / 8);
    assert_eq!(summary["stopped_early"], false);
    assert!(fixture.text("run/curves.svg").contains("<svg"));
    assert!(is_bundle(&fixture.path("run/best")));
    assert!(is_bundle(&fixture.path("run/last")));

    // A second run in the folder keeps what the first one reached, and says so.
    let first = fixture.read("run/best/model.safetensors");
    let said = fixture.train("run", &["--num_epochs", "1", "--seed", "5"]).succeeds().stderr;
    assert!(said.contains("best.previous"), "{said}");
    assert!(is_bundle(&fixture.path("run/best.previous")));
    assert!(fixture.read("run/best.previous/model.safetensors") == first);
    assert!(fixture.read("run/best/model.safetensors") != first);
    assert_eq!(fixture.text("run/log.previous.jsonl").lines().count(), 2);
    assert_eq!(fixture.text("run/log.jsonl").lines().count(), 1);
}

/// Twice, and on the way through the official code's form, the same scores to the bit.
#[test]
fn scores_survive_repetition_and_conversion() {
    let fixture = Fixture::trained();
    let (scores, report) = fixture.scores("run/best");
    assert_eq!(report["dataset"], "f30k");
    assert_eq!(report["split"], "test");
    assert_eq!(report["images"], 6);
    assert_eq!(report["captions"], 30);
    assert_eq!(report["truncated_captions"], 0);
    let set = &report["sets"][0];
    assert_eq!(set["name"], "all");
    let mut sum = 0.0;
    for direction in ["image_to_text", "text_to_image"] {
        for key in ["r1", "r5", "r10"] {
            sum += set["metrics"][direction][key].as_f64().unwrap();
        }
    }
    assert!((set["metrics"]["rsum"].as_f64().unwrap() - sum).abs() < 1e-9);
    assert!(sum > 0.0 && sum <= 600.0);
    assert!(scores == fixture.scores("run/best").0, "a second evaluation differs");

    let (best, config) = (fixture.arg("run/best"), fixture.arg("run/best/config.json"));
    let (official, bundle) = (fixture.arg("official.safetensors"), fixture.arg("back"));
    avse(["convert", "--from", &best, "--to", "official", "--out", &official]).succeeds();
    let back = ["convert", "--from", &official, "--to", "bundle", "--out", &bundle];
    avse([back.as_slice(), &["--config", &config, "--text", &best]].concat()).succeeds();
    let (converted, other) = fixture.scores("back");
    assert!(scores == converted, "conversion changed the scores");
    assert_eq!(report["sets"], other["sets"]);

    // The same figures out of the saved matrix, and in words.
    fixture.write("saved.npy", &scores);
    let saved = fixture.arg("saved.npy");
    let read = avse(["eval", "--dataset", "f30k", "--results", &saved, "--json"]).succeeds();
    assert_eq!(read.json()["sets"], report["sets"]);
    let data = fixture.arg("data");
    let table = avse(["eval", "--data_path", &data, "--model", &best]).succeeds().stdout;
    assert!(table.contains("6 images, 30 captions"), "{table}");

    // Half precision: nearly the same scores, but not the same.
    let half = fixture.arg("half");
    let convert = ["convert", "--from", &best, "--to", "bundle", "--out", &half];
    avse([convert.as_slice(), &["--precision", "f16"]].concat()).succeeds();
    let numbers = |npy: &[u8]| npyz::NpyFile::new(npy).unwrap().into_vec::<f32>().unwrap();
    let (half, full) = (numbers(&fixture.scores("half").0), numbers(&scores));
    let largest = half.iter().zip(&full).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest > 0.0 && largest < 0.02, "{largest}");
}

/// Where the published evaluation command is run, without a model.
#[test]
fn the_newest_best_bundle_of_the_dataset_is_taken() {
    let fixture = Fixture::new();
    let eval = || outcome(command(["eval", "--gpu-id", "cpu"]).current_dir(fixture.path("")));
    eval().fails_with(&["no trained model of f30k under runs", "--model"]);
    for run in ["runs/b", "runs/a"] {
        fixture.train(run, &["--num_epochs", "1"]).succeeds();
        let said = eval().succeeds().stderr;
        assert!(said.contains(&format!("model: {run}/best")), "{said}");
    }
    // One of another dataset is not.
    let run = fixture.text("runs/a/run.toml").replace("\"f30k\"", "\"coco\"");
    fixture.write("runs/a/run.toml", run);
    let said = eval().succeeds().stderr;
    assert!(said.contains("model: runs/b/best"), "{said}");
}

/// However many threads prepare the batches.
#[test]
fn a_seed_fixes_the_weights() {
    let fixture = Fixture::new();
    let weights = |run: &str, options: &[&str]| {
        fixture.train(run, options).succeeds();
        fixture.read(&format!("{run}/last/model.safetensors"))
    };
    let first = weights("first", &["--seed", "3"]);
    assert!(first == weights("second", &["--seed", "3"]), "the same seed, other weights");
    assert!(first == weights("third", &["--seed", "3", "--workers", "3"]), "threads matter");
    assert!(first != weights("fourth", &["--seed", "4"]), "another seed, the same weights");

    let alone = |run: &str| {
        let mut command = command(fixture.train_arguments(run, &["--seed", "3"]));
        outcome(command.env("RAYON_NUM_THREADS", "1")).succeeds();
        fixture.read(&format!("{run}/last/model.safetensors"))
    };
    assert!(alone("fifth") == alone("sixth"), "on one thread the same seed, other weights");
}

/// A run with `CONFIG` changed.
fn changed(fixture: &Fixture, changes: &[(&str, &str)]) {
    let config = changes.iter().fold(CONFIG.to_string(), |config, (from, to)| {
        assert!(config.contains(from), "{from}");
        config.replacen(from, to, 1)
    });
    fixture.write("tiny.toml", config);
}

#[test]
fn other_backbones_and_updates_learn() {
    let fixture = Fixture::new();
    let vit = CONFIG.find("[model.image]").unwrap()..CONFIG.find("[model.text]").unwrap();
    let resnet = "[model.image]\nmodel_type = \"resnet\"\nembedding_size = 8\nhidden_sizes = [8, 16]\n\
        depths = [1, 1]\nlayer_type = \"basic\"\n\n";
    let muon = ("learning_rate = 1e-3", "learning_rate = 1e-3\nmatrices = \"muon\"");
    let mut losses = Vec::new();
    for changes in [vec![], vec![muon], vec![(&CONFIG[vit], resnet)]] {
        changed(&fixture, &changes);
        fixture.train("run", &["--num_epochs", "8"]).succeeds();
        let log = fixture.text("run/log.jsonl");
        let loss = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"].as_f64().unwrap()
        };
        // The first epoch counts all negatives, the others the hardest.
        let hardest: Vec<f64> = log.lines().skip(1).map(loss).collect();
        assert!(hardest.last() < hardest.first(), "{changes:?}: {hardest:?}");
        losses.push(hardest);
        fixture.eval("run/last", &[]).succeeds();
    }
    assert_ne!(losses[0], losses[1], "Muon makes other steps");
}

#[test]
fn blocks_that_cannot_be_scored_are_refused_at_the_start() {
    let fixture = Fixture::new();
    changed(
        &fixture,
        &[("embed_size = 32", "embed_size = 36"), ("block_size = 16", "block_size = 18")],
    );
    fixture.train("run", &[]).fails_with(&["width 18", "multiple of 4"]);
    assert!(!fixture.path("run/log.jsonl").exists());
}
