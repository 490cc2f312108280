//! Runs that stop and go on.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::support::{Fixture, Outcome, avse, command};

/// Runs that are killed.
const KILLS: u32 = 25;

/// Dropout, averaged weights, checkpoints within an epoch: everything that has a state.
const OPTIONS: [&str; 4] = ["--num_epochs", "6", "--checkpoint-steps", "2"];

fn stateful() -> Fixture {
    let fixture = Fixture::new();
    let config = fixture.text("tiny.toml");
    let text = config.replace("[model.text]\n", "[model.text]\nhidden_dropout_prob = 0.2\n");
    fixture.write("tiny.toml", format!("{text}average_decay = 0.9\n"));
    fixture
}

fn files(fixture: &Fixture, run: &str) -> Vec<Vec<u8>> {
    ["last/model.safetensors", "best/model.safetensors", "last/tokenizer.json"]
        .map(|file| fixture.read(&format!("{run}/{file}")))
        .to_vec()
}

/// The log without what depends on the clock.
fn log(fixture: &Fixture, run: &str) -> Vec<(u64, u64, f64, serde_json::Value)> {
    let text = fixture.text(&format!("{run}/log.jsonl"));
    let record = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| record[key].as_u64().unwrap();
        let loss = record["loss"].as_f64().unwrap();
        (number("epoch"), number("steps"), loss, record["validation"].clone())
    };
    text.lines().map(record).collect()
}

fn checkpoints(fixture: &Fixture, run: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(fixture.path(run).join("checkpoints")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn a_killed_run_ends_as_if_it_had_not_been() {
    let fixture = stateful();
    let began = Instant::now();
    fixture.train("whole", &OPTIONS).succeeds();
    let whole = began.elapsed();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut going_on = 0;
    let options = [OPTIONS.as_slice(), &["--resume"]].concat();
    for kill in 0..KILLS {
        let mut child = command(fixture.train_arguments("killed", &options))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Early and late; the first ones before there is anything to go on from.
        let share = if kill < 3 { 0.05 } else { random.random_range(0.1..0.6) };
        std::thread::sleep(whole.mul_f64(share));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // A Vulkan driver has things to say, too.
        let errors =
            said.lines().filter(|line| line.starts_with("error: ") && !line.contains("XDG"));
        assert!(errors.count() == 0 && !said.contains("panicked"), "{kill}: {said}");
        going_on += u32::from(said.contains("going on at epoch"));
    }
    assert!(going_on > 3, "only {going_on} runs went on from a checkpoint");
    fixture.train("killed", &options).succeeds();
    assert!(files(&fixture, "killed") == files(&fixture, "whole"), "another model");
    assert_eq!(log(&fixture, "killed"), log(&fixture, "whole"));
    let names = checkpoints(&fixture, "killed");
    assert_eq!(names.len(), 2, "{names:?}");
    // Nothing is left to do, and nothing changes.
    let said = fixture.train("killed", &options).succeeds();
    assert!(said.stderr.contains("going on at epoch 6"), "{}", said.stderr);
    assert!(files(&fixture, "killed") == files(&fixture, "whole"), "another model");
}

/// Several replicas on the CPU, stopped after an epoch and taken up again.
#[test]
fn several_replicas_go_on_too() {
    let fixture = stateful();
    let several = |run: &str, epochs: &str, resume: &[&str]| -> Outcome {
        let options = [
            "--num_epochs",
            epochs,
            "--gpu-id",
            "cpu,cpu",
            "--multi_gpu",
            "1",
            "--batch_size",
            "4",
        ];
        let mut arguments = fixture.train_arguments(run, &[options.as_slice(), resume].concat());
        // The fixture names a device, too; a later one is not allowed to clap.
        let at = arguments.iter().position(|argument| argument == "--gpu-id").unwrap();
        arguments.drain(at..at + 2);
        avse(arguments).succeeds()
    };
    let said = several("whole", "4", &["--sync-bn"]);
    assert!(said.stderr.contains("2 devices, 8 captions a step"), "{}", said.stderr);
    several("parts", "2", &["--sync-bn"]);
    several("parts", "4", &["--resume"]);
    assert!(files(&fixture, "whole") == files(&fixture, "parts"), "another model");
}

#[test]
fn a_broken_checkpoint_is_passed_over() {
    let fixture = stateful();
    fixture.train("whole", &OPTIONS).succeeds();
    fixture.train("run", &["--num_epochs", "2", "--checkpoint-steps", "2"]).succeeds();
    let newest = checkpoints(&fixture, "run").pop().unwrap();
    let file = newest.join("optimiser-0.burnpack");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let options = [OPTIONS.as_slice(), &["--resume"]].concat();
    let said = fixture.train("run", &options).succeeds().stderr;
    assert!(said.contains("optimiser-0.burnpack") && said.contains("SHA-256"), "{said}");
    assert!(files(&fixture, "run") == files(&fixture, "whole"), "another model");

    // All of them broken: an error, not another start.
    for folder in checkpoints(&fixture, "run") {
        fs::write(folder.join("state.json"), "{").unwrap();
    }
    fixture.train("run", &options).fails_with(&["no whole checkpoint", "state.json"]);
}

/// A new run in the folder of a longer one goes on from its own checkpoints only.
#[test]
fn checkpoints_of_an_earlier_run_are_put_aside() {
    let fixture = stateful();
    fixture.train("run", &["--num_epochs", "4"]).succeeds();
    fixture.train("run", &["--num_epochs", "1", "--seed", "9"]).succeeds();
    assert!(fixture.path("run/checkpoints.previous").is_dir());
    let said = fixture.train("run", &["--num_epochs", "2", "--seed", "9", "--resume"]).succeeds();
    assert!(said.stderr.contains("going on at epoch 1, after 5 steps"), "{}", said.stderr);
    fixture.train("whole", &["--num_epochs", "2", "--seed", "9"]).succeeds();
    assert!(files(&fixture, "run") == files(&fixture, "whole"), "another model");
}

/// Within an epoch, and without averaged weights, on whose account every step's running statistics are read.
#[test]
fn the_last_steps_of_an_epoch_are_the_same() {
    let fixture = Fixture::new();
    let options = ["--num_epochs", "1", "--checkpoint-steps", "2", "--keep-checkpoints", "9"];
    fixture.train("whole", &options).succeeds();
    fixture.train("run", &options).succeeds();
    fs::remove_dir_all(checkpoints(&fixture, "run").pop().unwrap()).unwrap();
    let said = fixture.train("run", &[options.as_slice(), &["--resume"]].concat()).succeeds();
    assert!(said.stderr.contains("going on at epoch 0, after 4 steps"), "{}", said.stderr);
    assert!(files(&fixture, "run") == files(&fixture, "whole"), "another model");
}

#[test]
fn another_configuration_is_refused() {
    let fixture = stateful();
    fixture.train("run", &["--num_epochs", "1"]).succeeds();
    let resume = |options: &[&str]| fixture.train("run", &[options, &["--resume"]].concat());
    resume(&["--seed", "9"]).fails_with(&["--resume", "seed"]);
    resume(&["--micro-batch", "2"]).fails_with(&["--resume", "micro_batch"]);
    let more = ["--gpu-id", "cpu,cpu", "--multi_gpu", "1"];
    let two = |extra: &[&str]| {
        let run = fixture.arg("run");
        let fixed = ["train", "--resume", "--logger_name", &run];
        avse([fixed.as_slice(), &more, extra].concat())
    };
    two(&[]).fails_with(&["started on 1 device(s), not 2", "--gpu-id"]);
    two(&["--dry-run"]).fails_with(&["started on 1 device(s), not 2"]);
    // A file beside --resume counts like options, and says where the run is.
    let changed = fixture.text("tiny.toml") + "grad_clip = 3.0\n";
    fixture.write("other.toml", &changed);
    let (run, other) = (fixture.arg("run"), fixture.arg("other.toml"));
    avse(["train", "--resume", "--logger_name", &run, "--config", &other])
        .fails_with(&["--resume: optimiser is not what"]);
    fixture.write("other.toml", format!("logger_name = {run:?}\n{changed}"));
    avse(["train", "--resume", "--config", &other]).fails_with(&["--resume: optimiser"]);
    // Another set of captions would be another order of all of them.
    let [ids, captions] = ["ids", "caps"].map(|what| format!("data/f30k/train_{what}.txt"));
    let whole = [fixture.text(&ids), fixture.text(&captions)];
    for (name, text) in [&ids, &captions].into_iter().zip(&whole) {
        let last = text.lines().last().unwrap();
        fixture.write(name, format!("{text}{last}\n"));
    }
    resume(&["--num_epochs", "2"]).fails_with(&["40 training captions, not 41"]);
    for (name, text) in [&ids, &captions].into_iter().zip(&whole) {
        fixture.write(name, text);
    }
    // So would the same ones in another order.
    fixture.replace_line(&captions, 1, b"Picture 0 of train, sentence 1.");
    fixture.replace_line(&captions, 2, b"Picture 0 of train, sentence 0.");
    resume(&["--num_epochs", "2"]).fails_with(&["40 other training captions"]);
    fixture.write(&captions, &whole[1]);
    // How long it lasts may change.
    let said = resume(&["--num_epochs", "2"]).succeeds().stderr;
    assert!(said.contains("going on at epoch 1"), "{said}");
    assert_eq!(log(&fixture, "run").len(), 2);
}

/// Another length is another rate from the first step on.
#[test]
fn a_cosine_keeps_its_length() {
    let fixture = stateful();
    let text = fixture.text("tiny.toml") + "schedule = { kind = \"cosine\", last = 0.1 }\n";
    fixture.write("tiny.toml", text);
    fixture.train("run", &["--num_epochs", "1"]).succeeds();
    fixture.train("run", &["--resume", "--num_epochs", "2"]).fails_with(&["1 epochs", "rate"]);
    fixture.train("run", &["--resume", "--num_epochs", "1"]).succeeds();
}

/// The gradients are those of the whole batch, so the runs say the same, nearly.
#[test]
fn memory_can_be_saved_from_the_command_line() {
    let fixture = Fixture::new();
    // Other pieces draw other masks.
    let config = fixture.text("tiny.toml").replace("[model]\n", "[model]\ntext_dropout = 0.0\n");
    let still = "[model.text]\nhidden_dropout_prob = 0.0\nattention_probs_dropout_prob = 0.0\n";
    fixture.write("tiny.toml", config.replace("[model.text]\n", still));
    fixture.train("plain", &[]).succeeds();
    fixture.train("pieces", &["--micro-batch", "3", "--recompute"]).succeeds();
    for (plain, pieces) in log(&fixture, "plain").into_iter().zip(log(&fixture, "pieces")) {
        assert!((plain.2 - pieces.2).abs() < 1e-3 * plain.2, "{} {}", plain.2, pieces.2);
    }
    fixture.train("half", &["--precision", "f16", "--micro-batch", "4"]).succeeds();
    let resnet = fixture.text("tiny.toml");
    let (start, end) =
        (resnet.find("[model.image]").unwrap(), resnet.find("[model.text]").unwrap());
    let image = "[model.image]\nmodel_type = \"resnet\"\nembedding_size = 8\nhidden_sizes = [8, 16]\n\
        depths = [1, 1]\nlayer_type = \"basic\"\n\n";
    fixture.write("tiny.toml", format!("{}{image}{}", &resnet[..start], &resnet[end..]));
    fixture.train("resnet", &["--micro-batch", "3"]).fails_with(&["--micro-batch", "ResNet"]);
}
