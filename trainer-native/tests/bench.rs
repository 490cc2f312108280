//! `avse bench` as a user runs it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use trainer_native::bench::{Job, Phase, Workload};

fn avse(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_avse")).args(arguments).output().unwrap()
}

fn fail(arguments: &[&str]) -> String {
    let output = avse(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn quick_measures_all_phases() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.json");
    let path = file.to_str().unwrap();
    let arguments =
        ["bench", "model", "--quick", "--repetitions", "3", "--gpu-id", "cpu", "--json", path];
    let output = avse(&arguments);
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{progress}");
    assert_eq!(progress.matches("warm-up").count(), 3, "{progress}");
    assert_eq!(progress.matches("run 3 of 3").count(), 3, "{progress}");

    let report: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(report["benchmark"], "model");
    assert!(report["machine"]["threads"].as_u64().unwrap() >= 1);
    assert!(report["peers"].as_array().unwrap().is_empty(), "tiny shapes have no peer");
    let measured = report["measurements"].as_array().unwrap();
    let phases: Vec<_> = measured.iter().map(|m| m["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["images", "captions", "step"]);
    for phase in measured {
        let seconds = phase["run_seconds"].as_array().unwrap();
        assert_eq!(seconds.len(), 3);
        assert!(seconds.iter().all(|s| s.as_f64().unwrap() > 0.0));
        assert!(phase["run_flops"].as_f64().unwrap() > 0.0);
        if cfg!(target_os = "linux") {
            assert!(phase["peak_bytes"].as_u64().unwrap() > 1 << 20);
        }
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the file is left behind");

    let table = String::from_utf8(output.stdout).unwrap();
    for item in ["| image ", "| caption ", "| training step "] {
        assert_eq!(table.matches(item).count(), 1, "{table}");
    }
}

#[test]
fn impossible_options_are_named_before_measuring() {
    let error = fail(&["bench", "model", "--img_res", "8"]);
    assert!(error.contains("image_size"), "{error}");
    let error = fail(&["bench", "model", "--repetitions", "0"]);
    assert!(error.contains("--repetitions"), "{error}");
    let error = fail(&["bench", "model", "--gpu-id", "first"]);
    assert!(error.contains("--gpu-id first"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none/model.json");
    let error = fail(&["bench", "model", "--quick", "--json", file.to_str().unwrap()]);
    assert!(error.contains("--json") && !error.contains("warm-up"), "{error}");
}

#[test]
fn a_phase_wants_a_job() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_avse"))
        .args(["bench", "phase"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("standard input"));
}

/// 64 MiB of word embeddings count, though encoding an image never touches them.
#[cfg(target_os = "linux")]
#[test]
fn a_phase_holds_the_whole_network() {
    let peak = |words: usize| {
        let mut workload = Workload::quick();
        workload.gpu_id = "cpu".into();
        workload.model.text.vocab_size = words;
        let job = Job { phase: Phase::Images, workload };
        let measured = job.run_in_child(Path::new(env!("CARGO_BIN_EXE_avse"))).unwrap();
        measured.peak_bytes.unwrap()
    };
    let words = (64 << 20) / 4 / Workload::quick().model.text.hidden_size;
    let (small, large) = (peak(100), peak(words));
    assert!(large > small + (60 << 20), "{small} {large}");
}
