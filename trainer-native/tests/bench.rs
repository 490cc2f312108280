//! `avse bench` as a user runs it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use trainer_native::bench::{Job, Phase, Workload};
use trainer_native::train::Method;

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
fn quick_measures_the_similarity() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let other = r#"{"work":"w","ours_s":1,"peer":"p","peer_s":2,"ratio":2,"adapter":"elsewhere"}"#;
    fs::write(path("rows"), other).unwrap();
    let (json, picture, rows) = (path("s.json"), path("s.svg"), path("rows"));
    let output = avse(&[
        "bench",
        "similarity",
        "--quick",
        "--repetitions",
        "3",
        "--json",
        &json,
        "--roofline",
        &picture,
        "--rows",
        &rows,
    ]);
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{progress}");

    let rows: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let rows = rows.as_array().unwrap();
    let works: Vec<_> = rows.iter().map(|row| row["work"].as_str().unwrap()).collect();
    let expected = [
        "matrix-20x100-f32",
        "recall-20x100-exact",
        "recall-20x100-exact-random",
        "query-300-int8",
        "query-300-f32",
        "query-300-f16",
        "w",
    ];
    assert_eq!(works, expected);
    let table = String::from_utf8(output.stdout).unwrap();
    for (row, work) in rows.iter().zip(expected) {
        assert!(row["ours_s"].as_f64().unwrap() > 0.0, "{row}");
        let has_peer = work == "w";
        for key in ["peer", "peer_s", "ratio"] {
            assert_eq!(row.get(key).unwrap().is_null(), !has_peer, "{row}");
        }
        assert_eq!(table.matches(&format!("| {work} ")).count(), 1, "{table}");
    }
    let machine: Value =
        serde_json::from_str(&fs::read_to_string(path("s.machine.json")).unwrap()).unwrap();
    assert!(machine["peaks"]["read_bytes"].as_f64().unwrap() > 0.0);
    let picture = fs::read_to_string(picture).unwrap();
    let picture = roxmltree::Document::parse(&picture).unwrap();
    let dots = picture.descendants().filter(|node| node.has_tag_name("circle")).count();
    assert_eq!(dots, expected.len() - 1, "what ran elsewhere is not in the picture");
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
fn bad_peers_are_named() {
    let quick = ["bench", "similarity", "--quick", "--repetitions"];
    let error = |more: &[&str]| fail(&[&quick[..], more].concat());
    assert!(error(&["0"]).contains("--repetitions 0"));
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.jsonl");
    fs::write(&rows, "{}").unwrap();
    assert!(error(&["1", "--rows", rows.to_str().unwrap()]).contains("line 1"));
    assert!(error(&["1", "--peers", "/no/such/program"]).contains("/no/such/program"));
}

/// Tiny steps and an evaluation, beside a peer played by a shell.
#[cfg(unix)]
#[test]
fn training_steps_and_an_evaluation_become_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.json");
    let other = r#"[{"work": "other"}]"#;
    fs::write(&file, other).unwrap();
    let work = || -> Vec<Value> {
        let rows: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        rows.as_array().unwrap().iter().map(|row| row["work"].clone()).collect()
    };
    let json = file.to_str().unwrap();
    let quick = ["bench", "training", "--quick", "--rounds", "1", "--repetitions", "1"];
    // Peers whose scores are others end it, after the steps.
    let peer = r#"echo '{}'; while read -r line; do
        echo '{"seconds": 2, "check": [9.0], "peak_bytes": 1}'; done"#;
    let error = fail(&[&quick[..], &["--json", json, "--peers", "sh", "-c", peer]].concat());
    assert!(error.contains("other scores"), "{error}");
    assert_eq!(work().len(), 1 + 5, "the steps were measured before");
    fs::write(&file, other).unwrap();
    let output = avse(&[&quick[..], &["--json", json]].concat());
    assert!(output.status.success(), "{output:?}");
    let rows: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(work()[..2], ["other", "quick-step-vit-b16-bert-b4"]);
    assert_eq!(work()[6..], ["quick-eval-4x20-vit-b16-bert"]);
    for row in &rows.as_array().unwrap()[1..] {
        assert!(row["ours_s"].as_f64().unwrap() > 0.0 && row["peer"].is_null(), "{row}");
    }
}

/// Peers played by a shell.
#[cfg(unix)]
#[test]
fn peers_are_asked_in_turn_and_checked() {
    let peer = |answer: &str| {
        let script = format!("echo '{{}}'; while read -r line; do echo '{answer}'; done");
        let quick = ["bench", "similarity", "--quick", "--repetitions", "1", "--peers"];
        fail(&[&quick[..], &["sh", "-c", &script]].concat())
    };
    let error = peer(r#"{"seconds": 1.0, "check": [9.0]}"#);
    assert!(error.contains("matrix-20x100-f32") && error.contains("other work"), "{error}");
    assert!(peer("no JSON").contains("no JSON"));
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
        let job = Job { phase: Phase::Images, workload, method: Method::default() };
        let measured = job.run_in_child(Path::new(env!("CARGO_BIN_EXE_avse"))).unwrap();
        measured.peak_bytes.unwrap()
    };
    let words = (64 << 20) / 4 / Workload::quick().model.text.hidden_size;
    let (small, large) = (peak(100), peak(words));
    assert!(large > small + (60 << 20), "{small} {large}");
}
