//! `avse report`, and the report that every run leaves.

use std::fs;

use super::support::{Fixture, avse};

#[test]
fn runs_are_compared_and_each_has_its_own_report() {
    let fixture = Fixture::new();
    fixture.train("runs/first", &[]).succeeds();
    let said = fixture.train("runs/second", &["--num_epochs", "1", "--seed", "9"]).succeeds();
    let own = fixture.arg("runs/second/report.html");
    assert!(said.stderr.contains(&format!("report: {own}")), "{}", said.stderr);
    let page = fixture.text("runs/second/report.html");
    for part in ["Run second", "finished", "optimiser.learning_rate", "dev: 4 images"] {
        assert!(page.contains(part), "{part} is not in the report");
    }

    let runs = ["runs/first", "runs/second"].map(|run| fixture.arg(run));
    let said = avse(["report", &runs[0], &runs[1]]).succeeds();
    let out = fixture.arg("runs/report.html");
    assert!(said.stdout.contains(&out), "{}", said.stdout);
    assert!(said.stdout.contains("first") && said.stdout.contains("rSum"), "{}", said.stdout);
    let page = fixture.text("runs/report.html");
    for part in ["2 runs", "first", "second", "num_epochs", "seed", "2 of 2", "1 of 1"] {
        assert!(page.contains(part), "{part} is not in the report");
    }
    assert!(!page.contains("vocabulary_size"), "what is the same is not listed");
    assert_eq!(page.matches("<svg").count(), 4);

    // As `runs/*` would name them next time, and with a run that is still going on.
    let log = fixture.text("runs/first/log.jsonl");
    fixture.write("runs/first/log.jsonl", &log[..log.len() - 20]);
    std::fs::remove_file(fixture.path("runs/first/summary.json")).unwrap();
    let said = avse(["report", &runs[0], &out, &runs[1]]).succeeds();
    assert!(said.stderr.contains("report.html: no run's folder, left out"), "{}", said.stderr);
    let page = fixture.text("runs/report.html");
    assert!(page.contains("1 of 2") && page.contains("in progress or killed"), "{page}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let fixture = Fixture::trained();
    let (run, nowhere, out) = (fixture.arg("run"), fixture.arg("nowhere"), fixture.arg("out.html"));
    avse(["report", &nowhere, "--out", &out]).fails_with(&["nowhere", "no such folder"]);
    assert!(!fixture.path("out.html").exists());
    avse(["report", &fixture.arg("tiny.toml")]).fails_with(&["no folder of a run"]);
    avse(["report", &fixture.arg("data")]).fails_with(&["data", "no run.toml"]);
    // What else lies beside runs is left out.
    let said = avse(["report", &run, &fixture.arg("data"), "--out", &out]).succeeds();
    assert!(said.stderr.contains("data: no run's folder, left out"), "{}", said.stderr);
    fs::remove_file(fixture.path("out.html")).unwrap();
    // The sound ones are shown all the same.
    let both = ["report", &run, &nowhere, "--out", &out];
    avse(both).fails_with(&["nowhere", "no such folder"]);
    let page = fixture.text("out.html");
    assert!(page.contains("Could not be read") && page.contains("nowhere"), "{page}");
    let log = fixture.text("run/log.jsonl");
    fixture.write("run/log.jsonl", format!("nonsense\n{log}"));
    avse(["report", &run]).fails_with(&["run/log.jsonl", "line 1"]);
}

/// The report of a run says whether its figures measure anything independently.
#[test]
fn a_choice_on_the_test_is_in_the_report() {
    let fixture = Fixture::new();
    fixture.train("run", &["--num_epochs", "1", "--select-on", "test"]).succeeds();
    let page = fixture.text("run/report.html");
    assert!(page.contains("picked on the test split"), "{page}");
}
