//! Event files as TensorBoard's own reader reads them.

use std::ffi::OsString;
use std::process::Command;

use serde_json::Value;

use super::left_out::left_out;
use super::support::{Fixture, TRAIN_CAPTIONS};

/// Steps of an epoch.
const STEPS: u64 = TRAIN_CAPTIONS as u64 / 8;

const READER: &str = "\
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0})
events.Reload()
scalars = {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()['scalars']}
print(json.dumps(scalars))
";

/// Two epochs, of which the second is done twice: its first time was after the last checkpoint.
fn run_twice() -> Fixture {
    let fixture = Fixture::new();
    fixture.train("run", &[]).succeeds();
    std::fs::remove_dir_all(fixture.path("run/checkpoints/step-00000010")).unwrap();
    fixture.train("run", &["--resume"]).succeeds();
    fixture
}

fn files(fixture: &Fixture, run: &str) -> usize {
    let entries = std::fs::read_dir(fixture.path(&format!("{run}/tensorboard"))).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<_> = names.collect();
    assert!(names.iter().all(|name| name.starts_with("events.out.tfevents.")), "{names:?}");
    names.len()
}

#[test]
fn every_start_of_a_run_leaves_an_event_file() {
    let fixture = run_twice();
    assert_eq!(files(&fixture, "run"), 2);
    // What is to be there again is not there twice.
    assert_eq!(fixture.text("run/log.jsonl").lines().count(), 2);
}

#[test]
fn tensorboard_reads_the_figures_of_the_log() {
    let Some(python) = std::env::var_os("AVSE_TENSORBOARD_PYTHON") else {
        left_out(
            "no TensorBoard has read the event files. AVSE_TENSORBOARD_PYTHON may name a Python that has the \
             package `tensorboard`",
        );
        return;
    };
    let fixture = run_twice();
    let scalars = scalars(&python, &fixture.arg("run/tensorboard"));
    let log = fixture.text("run/log.jsonl");
    let log: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    let steps = |tag: &str| -> Vec<u64> {
        let events = scalars[tag].as_array().unwrap_or_else(|| panic!("no {tag} in {scalars}"));
        events.iter().map(|event| event[0].as_u64().unwrap()).collect()
    };
    for tag in ["train/loss", "train/gradient_norm", "train/learning_rate"] {
        assert_eq!(steps(tag), (1..=2 * STEPS).collect::<Vec<_>>(), "{tag}");
    }
    let close = |event: &Value, expected: &Value| {
        let (found, expected) = (event[1].as_f64().unwrap(), expected.as_f64().unwrap());
        assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{found}, not {expected}");
    };
    let keys = [
        ("epoch/loss", "/loss"),
        ("epoch/images_per_second", "/images_per_second"),
        ("epoch/data_wait", "/data_wait"),
        ("validation/rsum", "/validation/rsum"),
        ("validation/i2t_r1", "/validation/image_to_text/r1"),
        ("validation/i2t_r5", "/validation/image_to_text/r5"),
        ("validation/i2t_r10", "/validation/image_to_text/r10"),
        ("validation/t2i_r1", "/validation/text_to_image/r1"),
        ("validation/t2i_r5", "/validation/text_to_image/r5"),
        ("validation/t2i_r10", "/validation/text_to_image/r10"),
    ];
    for (tag, key) in keys {
        assert_eq!(steps(tag), [STEPS, 2 * STEPS], "{tag}");
        for (at, record) in log.iter().enumerate() {
            close(&scalars[tag][at], record.pointer(key).unwrap());
        }
    }
    close(&scalars["train/learning_rate"][0], &log[0]["learning_rate"]);
    let tags = scalars.as_object().unwrap().len();
    assert_eq!(tags, 3 + keys.len(), "{scalars}");

    // Figures of the test split are called so.
    fixture.train("chosen", &["--select-on", "test", "--num_epochs", "1"]).succeeds();
    let chosen = self::scalars(&python, &fixture.arg("chosen/tensorboard"));
    assert!(chosen["test/rsum"].is_array() && chosen["validation/rsum"].is_null(), "{chosen}");
}

fn scalars(python: &OsString, folder: &str) -> Value {
    let output = Command::new(python).args(["-c", READER, folder]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}
