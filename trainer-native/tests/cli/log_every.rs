//! Runs that read the figures of several steps together.

use std::fs;

use safetensors::SafeTensors;

use super::support::{CONFIG, Fixture, avse};

/// Ten steps, whose gradients are clipped.
const OPTIONS: [&str; 6] = ["--num_epochs", "1", "--batch_size", "4", "--grad_clip", "0.1"];

fn train(fixture: &Fixture, run: &str, options: &[&str]) {
    fixture.train(run, &[OPTIONS.as_slice(), options].concat()).succeeds();
}

/// The records of every step in the event files of a run, in order, without their times.
fn steps(fixture: &Fixture, run: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(fixture.path(&format!("{run}/tensorboard"))).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let bytes = fs::read(file).unwrap();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            // Length and its checksum in front, a checksum behind; the record begins with the time.
            let record = &rest[12..][..length];
            if record.windows(10).any(|part| part == b"train/loss") {
                found.push(record[9..].to_vec());
            }
            rest = &rest[12 + length + 4..];
        }
    }
    found
}

fn bundles(fixture: &Fixture, run: &str) -> Vec<Vec<u8>> {
    ["last", "best"].map(|name| fixture.read(&format!("{run}/{name}/model.safetensors"))).to_vec()
}

#[test]
fn every_step_is_recorded_and_the_weights_are_the_same() {
    let fixture = Fixture::new();
    train(&fixture, "each", &["--log-every", "1"]);
    train(&fixture, "seven", &["--log-every", "7"]);
    let each = steps(&fixture, "each");
    assert_eq!(each.len(), 10);
    assert!(each == steps(&fixture, "seven"), "other losses, or other norms");
    assert!(bundles(&fixture, "each") == bundles(&fixture, "seven"), "another model");
    let loss = |run: &str| {
        let line = fixture.text(&format!("{run}/log.jsonl"));
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["loss"].as_f64().unwrap()
    };
    assert_eq!(loss("each"), loss("seven"));
}

#[test]
fn several_replicas_read_together_too() {
    let fixture = Fixture::new();
    let several = |run: &str, every: &str| {
        let options = ["--num_epochs", "2", "--multi_gpu", "1", "--batch_size", "4"];
        let every = ["--log-every", every];
        let mut arguments = fixture.train_arguments(run, &[options.as_slice(), &every].concat());
        let at = arguments.iter().position(|argument| argument == "cpu").unwrap();
        arguments[at] = "cpu,cpu".into();
        avse(arguments).succeeds();
    };
    several("each", "1");
    several("three", "3");
    assert!(bundles(&fixture, "each") == bundles(&fixture, "three"), "another model");
    assert!(steps(&fixture, "each") == steps(&fixture, "three"), "other figures");
}

#[test]
fn a_run_goes_on_from_between_two_readings() {
    let fixture = Fixture::new();
    let options = ["--log-every", "7", "--checkpoint-steps", "4", "--keep-checkpoints", "9"];
    train(&fixture, "whole", &options);
    train(&fixture, "run", &options);
    // Of the steps 4, 8 and 10, the fourth is left.
    for step in [8, 10] {
        let folder = fixture.path(&format!("run/checkpoints/step-{step:08}"));
        fs::remove_dir_all(folder).unwrap();
    }
    let resume = [OPTIONS.as_slice(), &options, &["--resume"]].concat();
    let said = fixture.train("run", &resume).succeeds().stderr;
    assert!(said.contains("going on at epoch 0, after 4 steps"), "{said}");
    assert!(bundles(&fixture, "run") == bundles(&fixture, "whole"), "another model");
    let whole = steps(&fixture, "whole");
    assert!(steps(&fixture, "run") == [whole.as_slice(), &whole[4..]].concat(), "other figures");
}

/// The weights explode in step 6, and the loss of step 7 says so; nothing of it is written down.
#[test]
fn a_step_that_is_no_number_is_found_and_not_kept() {
    let fixture = Fixture::trained();
    let schedule = r#"schedule = { kind = "step", epochs = [1], factor = 1e33 }"#;
    fixture.write("tiny.toml", format!("{CONFIG}{schedule}\n"));
    for (run, every) in [("each", "1"), ("seven", "7")] {
        let options = ["--num_epochs", "3", "--log-every", every];
        fixture.train(run, &options).fails_with(&["became", "in step 7", "--learning_rate"]);
        for bundle in ["best", "last"] {
            let weights = |run: &str| fixture.read(&format!("{run}/{bundle}/model.safetensors"));
            assert!(weights(run) == weights("run"), "{bundle} is not that of epoch 0");
        }
    }
    // Where every step is kept, the last one that is kept is sound.
    let often = ["--num_epochs", "3", "--log-every", "7", "--checkpoint-steps", "1"];
    fixture.train("often", &often).fails_with(&["in step 7"]);
    let mut names: Vec<_> = fs::read_dir(fixture.path("often/checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.last().unwrap(), "step-00000006");
    let file = fixture.read("often/checkpoints/step-00000006/model.safetensors");
    for (name, tensor) in SafeTensors::deserialize(&file).unwrap().tensors() {
        let mut values = tensor.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        assert!(values.all(f32::is_finite), "{name}");
    }
}

/// Half precision scales its gradients, here by a number that stays on the device.
#[test]
fn half_precision_reads_together_too() {
    let fixture = Fixture::new();
    train(&fixture, "each", &["--precision", "f16", "--log-every", "1"]);
    train(&fixture, "seven", &["--precision", "f16", "--log-every", "7"]);
    let figures = |run: &str| -> Vec<f32> {
        let after_tag = |record: &Vec<u8>| {
            let at = record.windows(10).position(|part| part == b"train/loss").unwrap();
            // The field's key, then the number.
            f32::from_le_bytes(record[at + 11..at + 15].try_into().unwrap())
        };
        steps(&fixture, run).iter().map(after_tag).collect()
    };
    let (each, seven) = (figures("each"), figures("seven"));
    assert_eq!(each.len(), 10);
    for (each, seven) in each.iter().zip(&seven) {
        assert!((each - seven).abs() <= 1e-3 * each.abs(), "{each} {seven}");
    }
}
