//! `avse doctor` on whatever machine the tests run on.

use super::support::{Fixture, avse, command, outcome};

/// `avse doctor | head -0`: no panic's report.
#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_failure() {
    use std::process::Stdio;
    let mut child =
        command(["doctor"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(141), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn the_doctor_runs_everywhere() {
    let fixture = Fixture::new();
    let data = fixture.arg("data");
    let text = avse(["doctor", "--data_path", &data]).succeeds().stdout;
    for part in
        ["Processor and memory", "CPU", "f32", "used by default", "hub's cache", "dataset f30k"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let found = avse(["doctor", "--data-path", &data, "--json"]).succeeds().json();
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(found["machine"]["threads"], 2, "RAYON_NUM_THREADS is respected");
    assert_eq!(found["cpu"]["f32"], true);
    let features: Vec<_> = found["backends"].as_array().unwrap().iter().collect();
    assert_eq!(features.len(), 5);
    let datasets = found["datasets"].as_array().unwrap();
    let dataset = |name: &str| datasets.iter().find(|dataset| dataset["name"] == name).unwrap();
    assert!(dataset("f30k")["folder"].is_string() && dataset("f30k")["problem"].is_null());
    assert!(dataset("coco")["folder"].is_null());

    // Without a GPU it says so, and what to do; this build's tests have no GPU backend.
    if features.iter().all(|backend| backend["built"] == false) {
        assert_eq!(found["default_device"], "CPU (flex)");
        assert!(text.contains("everything runs on the CPU"), "{text}");
    }
}

#[test]
fn broken_data_and_missing_programs_are_named() {
    let fixture = Fixture::new();
    fixture.write("data/f30k/id_mapping.json", "[");
    let data = fixture.arg("data");
    let mut command = command(["doctor", "--data_path", &data]);
    let nowhere = fixture.arg("nowhere");
    let said = outcome(command.env("PATH", &nowhere).env("HF_HOME", &nowhere)).succeeds().stdout;
    assert!(said.contains("npm is not there"), "{said}");
    assert!(said.contains("id_mapping.json") && said.contains("avse data verify"), "{said}");
    assert!(said.contains("nowhere/hub (not there yet)"), "{said}");
}

#[test]
fn secrets_are_not_printed() {
    let mut command = command(["doctor", "--json"]);
    let command = command.env("HF_TOKEN", "hf_secret").env("HTTPS_PROXY", "http://me:secret@host");
    let said = outcome(command.env("HF_ENDPOINT", "http://me:secret@host/hub")).succeeds();
    assert!(!said.stdout.contains("secret"), "{}", said.stdout);
    assert!(said.stdout.contains("http://host/hub") && said.stdout.contains("HTTPS_PROXY"));
}

/// A number means a GPU; a program without GPUs says that it has none, and runs.
#[test]
fn gpu_numbers_are_explained() {
    let fixture = Fixture::new();
    let (data, run) = (fixture.arg("data"), fixture.arg("run"));
    let arguments = fixture.train_arguments("run", &["--num_epochs", "1"]);
    let arguments = arguments.iter().map(|it| if it == "cpu" { "7" } else { it.as_str() });
    let said = avse(arguments);
    let json = avse(["doctor", "--data_path", &data, "--json"]).succeeds().json();
    if json["backends"].as_array().unwrap().iter().any(|backend| backend["built"] == true) {
        said.fails_with(&["--gpu-id 7: no such GPU"]);
    } else {
        let said = said.succeeds().stderr;
        assert!(said.contains("note: --gpu-id 7") && said.contains("avse doctor"), "{said}");
        assert!(std::path::Path::new(&run).is_dir());
    }
}
