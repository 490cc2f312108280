//! Ctrl-C in the middle of training.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::support::{Fixture, command, is_bundle};

#[test]
fn ctrl_c_saves_the_last_state() {
    let fixture = Fixture::new();
    let arguments = fixture.train_arguments("run", &["--num_epochs", "1000000"]);
    let mut child =
        command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while !fixture.path("run/log.jsonl").is_file() || fixture.read("run/log.jsonl").is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "ended by itself");
        assert!(began.elapsed() < Duration::from_secs(60), "no epoch in a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let last = fixture.arg("run/last");
    assert!(said.contains(&format!("stopped by Ctrl-C: {last} holds the last state")), "{said}");
    assert!(is_bundle(&fixture.path("run/last")));
    fixture.eval("run/last", &[]).succeeds();
    let summary: serde_json::Value =
        serde_json::from_slice(&fixture.read("run/summary.json")).unwrap();
    assert_eq!(summary["stopped_early"], true);
    assert!(summary["best_rsum"].as_f64().is_some(), "{summary}");
}
