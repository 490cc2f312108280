//! Which split picks the best epoch, and that a run says so.

use super::support::Fixture;

const WARNING: &str = "the best epoch is picked on the test split test";

fn selected_on_test(fixture: &Fixture, file: &str) -> bool {
    let value: serde_json::Value = serde_json::from_slice(&fixture.read(file)).unwrap();
    value["selected_on_test"].as_bool().unwrap()
}

fn split_of_log(fixture: &Fixture, run: &str) -> String {
    let log = fixture.text(&format!("{run}/log.jsonl"));
    let record: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    record["validation_split"].as_str().unwrap().to_owned()
}

#[test]
fn the_validation_split_picks_where_there_is_one() {
    let fixture = Fixture::new();
    let said = fixture.train("run", &["--num_epochs", "1"]).succeeds();
    assert!(!said.stderr.contains(WARNING), "{}", said.stderr);
    assert!(said.stderr.contains("validation rSum"), "{}", said.stderr);
    assert!(!said.stdout.contains("test split"), "{}", said.stdout);
    assert_eq!(split_of_log(&fixture, "run"), "dev");
    assert!(!selected_on_test(&fixture, "run/run.json"));
    assert!(!selected_on_test(&fixture, "run/summary.json"));
}

/// As the official code does, asked for or for want of another split.
#[test]
fn a_run_that_is_picked_on_the_test_says_so() {
    let fixture = Fixture::new();
    fixture.train("asked", &["--num_epochs", "1", "--select-on", "test"]).succeeds();
    std::fs::remove_file(fixture.path("data/f30k/dev_ids.txt")).unwrap();
    let said = fixture.train("forced", &["--num_epochs", "1"]).succeeds();
    assert!(said.stderr.contains("no `dev` split there"), "{}", said.stderr);
    assert!(said.stderr.contains(WARNING), "{}", said.stderr);
    assert!(said.stderr.contains("test rSum"), "{}", said.stderr);
    assert!(said.stdout.contains("picked on the test split"), "{}", said.stdout);
    for run in ["asked", "forced"] {
        assert_eq!(split_of_log(&fixture, run), "test");
        assert!(selected_on_test(&fixture, &format!("{run}/run.json")));
        assert!(selected_on_test(&fixture, &format!("{run}/summary.json")));
    }
}
