//! The demo, where its artwork and its model are at hand.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::export_web::sources::export_demo;
use super::left_out::missing;
use super::support::avse;

#[test]
fn the_demo_measures_and_reports() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    let npm = Command::new("npm").arg("--version").stdout(Stdio::null()).status();
    let artwork = data.join("node_modules").is_dir() || npm.is_ok_and(|status| status.success());
    if !artwork || !data.join("emoji-model").is_dir() {
        missing("the demo needs npm and data/emoji-model");
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let path = out.path().to_str().unwrap();
    let said = avse(["demo", "--out", path, "--gpu-id", "cpu"]).succeeds();
    assert!(said.stdout.contains("report.html"), "{}", said.stdout);
    let results = std::fs::read(out.path().join("results.json")).unwrap();
    let results: Value = serde_json::from_slice(&results).unwrap();
    let recalls = ["i2t_r1", "i2t_r5", "i2t_r10", "t2i_r1", "t2i_r5", "t2i_r10"];
    let sum: f64 = recalls.iter().map(|key| results[key].as_f64().unwrap()).sum();
    assert!((results["rsum"].as_f64().unwrap() - sum).abs() < 1e-6, "{results}");
    assert_eq!(results["images"], 1000);
    assert!(out.path().join("report.html").is_file());
    // Any bundle of the set is shown; what is none is named.
    let other = Path::new(path).join("best");
    let nowhere =
        avse(["demo", "--out", path, "--gpu-id", "cpu", "--model", other.to_str().unwrap()]);
    nowhere.fails_with(&["best", "manifest.json"]);
    std::fs::create_dir(&other).unwrap();
    for file in std::fs::read_dir(data.join("emoji-model")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), other.join(file.file_name())).unwrap();
    }
    avse(["demo", "--out", path, "--gpu-id", "cpu", "--model", other.to_str().unwrap()]).succeeds();
    let report = std::fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(report.contains(other.to_str().unwrap()));
    // In this test, because both make the emoji set where it is not there.
    export_demo();
}
