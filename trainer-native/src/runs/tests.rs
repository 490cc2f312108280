//! Runs read from folders, sound and broken, and the page that they make.

use std::fs;

use avse_core::metrics::{Recall, RetrievalMetrics};
use roxmltree::{Document, ParsingOptions};

use super::*;

fn record(epoch: usize, rsum: Option<f64>) -> EpochRecord {
    let recall = |r1| Recall { r1, r5: 50.0, r10: 75.0, median_rank: 2.0, mean_rank: 3.0 };
    let metrics =
        |rsum| RetrievalMetrics { rsum, ..RetrievalMetrics::new(recall(12.5), recall(25.0)) };
    EpochRecord {
        epoch,
        steps: 10,
        loss: 8.0 / (epoch + 1) as f64,
        learning_rate: 2e-4,
        images_per_second: 88.5,
        data_wait: 0.01,
        seconds: 12.0,
        elapsed: 15.0 * (epoch + 1) as f64,
        truncated_captions: 0,
        validation: rsum.map(metrics),
        best_rsum: rsum,
        validation_split: rsum.map(|_| "dev".into()),
        skipped_pictures: 0,
        skipped_validation: 0,
    }
}

/// A run's folder with a seed and a log.
fn run(root: &Path, name: &str, seed: usize, rsums: &[Option<f64>]) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir_all(&folder).unwrap();
    let config = format!("seed = {seed}\nlogger_name = \"runs/{name}\"\n");
    fs::write(folder.join("run.toml"), config).unwrap();
    let lines = rsums.iter().enumerate();
    let lines = lines.map(|(epoch, rsum)| serde_json::to_string(&record(epoch, *rsum)).unwrap());
    let lines: String = lines.map(|line| line + "\n").collect();
    fs::write(folder.join("log.jsonl"), lines).unwrap();
    folder
}

fn well_formed(page: &str) {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap();
}

#[test]
fn runs_stand_side_by_side() {
    let root = tempfile::tempdir().unwrap();
    let first = run(root.path(), "first <run>", 1, &[None, Some(301.25), Some(300.0)]);
    let second = run(root.path(), "second", 2, &[Some(222.5)]);
    fs::write(
        second.join("summary.json"),
        r#"{"best_rsum": null, "seconds": 90.0, "steps": 10, "stopped_early": false}"#,
    )
    .unwrap();
    let runs = Runs::read(&[first, second]);
    assert!(runs.problems.is_empty(), "{:?}", runs.problems);
    assert_eq!(runs.runs[0].best().unwrap().0.epoch, 1);
    let table = runs.best_epochs();
    assert_eq!(
        table.rows[0][..6],
        ["first <run>", "3 of 30", "in progress or killed", "2", "dev", "301.2"]
    );
    assert_eq!(table.rows[0][6..], ["12.5", "50.0", "75.0", "25.0", "50.0", "75.0", "45.0 s", "–"]);
    assert_eq!(table.rows[1][2], "finished");
    assert_eq!(table.rows[1][12], "1 min 30 s");
    assert_eq!(runs.differences().rows, [["seed", "1", "2"]]);
    let charts = runs.charts();
    let names =
        |chart: &Chart| chart.series.iter().map(|line| line.name.clone()).collect::<Vec<_>>();
    assert!(charts.iter().all(|chart| names(chart) == ["first <run>", "second"]));
    assert_eq!(charts[0].series[0].points, [(2.0, 301.25), (3.0, 300.0)]);
    let page = runs.page().unwrap();
    well_formed(&page);
    assert!(page.contains("<h1>2 runs</h1>") && page.contains("Parameters that differ"), "{page}");
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(!page.contains("test split"), "nothing was picked on the test");
}

#[test]
fn a_run_alone_shows_all_its_parameters() {
    let root = tempfile::tempdir().unwrap();
    let folder = run(root.path(), "one", 7, &[Some(301.25)]);
    let page = fs::read_to_string(write_report(&folder).unwrap()).unwrap();
    well_formed(&page);
    for part in ["Run one", "301.2", "optimiser.learning_rate", "dev, best epoch: 1"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    // Before the first epoch is over there is little to say, but something.
    fs::write(folder.join("log.jsonl"), "").unwrap();
    let runs = Runs::read(&[folder]);
    assert!(runs.runs[0].best().is_none());
    assert_eq!(runs.best_epochs().rows[0][1], "0 of 30");
    well_formed(&runs.page().unwrap());
}

#[test]
fn a_line_that_breaks_off_ends_the_log() {
    let root = tempfile::tempdir().unwrap();
    let folder = run(root.path(), "killed", 7, &[Some(301.25), Some(302.0)]);
    let path = folder.join("log.jsonl");
    let log = fs::read_to_string(&path).unwrap();
    for cut in [1, 2, 50, log.len() / 2 - 1] {
        fs::write(&path, &log[..log.len() - cut]).unwrap();
        let epochs = RunRecord::read(&folder).unwrap().log.len();
        // Without its last line break alone, the record is whole.
        assert_eq!(epochs, if cut == 1 { 2 } else { 1 }, "{cut} bytes cut");
    }
}

#[test]
fn a_choice_on_the_test_is_said() {
    let root = tempfile::tempdir().unwrap();
    let folder = run(root.path(), "chosen", 7, &[Some(301.25)]);
    fs::write(folder.join("run.toml"), "select_on = \"test\"\n").unwrap();
    let page = Runs::read(&[folder]).page().unwrap();
    assert!(page.contains("picked on the test split") && page.contains("chosen"), "{page}");
}

#[test]
fn broken_folders_are_named() {
    let root = tempfile::tempdir().unwrap();
    let sound = run(root.path(), "sound", 1, &[Some(1.0)]);
    let broken = |name: &str, file: &str, content: Option<&str>| {
        let folder = run(root.path(), name, 1, &[Some(1.0), Some(2.0)]);
        match content {
            Some(content) => fs::write(folder.join(file), content).unwrap(),
            None => fs::remove_file(folder.join(file)).unwrap(),
        }
        folder
    };
    let log = format!("{}\nnonsense\n", serde_json::to_string(&record(0, None)).unwrap());
    let cases = [
        (root.path().join("none"), vec!["none", "no such folder"]),
        (broken("a", "run.toml", None), vec!["/a", "no run.toml"]),
        (broken("b", "run.toml", Some("seed = ")), vec!["b/run.toml", "line 1"]),
        (broken("c", "log.jsonl", None), vec!["c/log.jsonl"]),
        (broken("d", "log.jsonl", Some(&log)), vec!["d/log.jsonl", "line 2"]),
        (broken("e", "summary.json", Some("{}")), vec!["e/summary.json", "seconds"]),
        (broken("f", "run.json", Some("{")), vec!["f/run.json"]),
    ];
    for (folder, parts) in cases {
        let runs = Runs::read(&[sound.clone(), folder]);
        let [problem] = &runs.problems[..] else { panic!("{:?}", runs.problems) };
        assert!(parts.iter().all(|part| problem.contains(part)), "{parts:?} in {problem}");
        let page = runs.page().unwrap();
        well_formed(&page);
        assert!(page.contains(parts[0]), "the page names {problem}");
    }
    let error = Runs::read(&[root.path().join("none")]).page().unwrap_err().to_string();
    assert!(error.contains("no such folder"), "{error}");
    // An unknown key is another version's, and no reason to say nothing.
    let newer = broken("g", "run.toml", Some("colour = \"red\"\nnum_epochs = 3\n"));
    let runs = Runs::read(&[newer]);
    assert_eq!(runs.best_epochs().rows[0][1], "2 of 3");
}

#[test]
fn names_that_are_not_unique_become_paths() {
    let root = tempfile::tempdir().unwrap();
    let folders = ["x/run", "y/run"].map(|name| run(root.path(), name, 1, &[]));
    let runs = Runs::read(&folders);
    let names: Vec<_> = runs.runs.iter().map(|run| run.name.clone()).collect();
    assert_eq!(names, folders.map(|folder| folder.display().to_string()));
}
