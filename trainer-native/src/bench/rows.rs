//! bench/training.json: a list of rows of several benchmarks, and what their tables share.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::report::UNKNOWN;
use crate::machine::Machine;
use crate::{Error, Result, files};

/// What the works of training steps begin with; their rows stand first.
const STEP: &str = "step-";

/// Puts rows into a list of rows on disk: those of the same `work` and `peer` are replaced, all others
/// stay as they are; training steps stand first.
///
/// # Errors
/// [`Error::Format`] when the file is there and no list; [`Error::Io`].
pub fn merge_rows(path: &Path, rows: &[impl Serialize]) -> Result<()> {
    let mut all: Vec<Value> = match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|e| Error::format(path, format!("no list of rows: {e}")))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(Error::io(path, e)),
    };
    for row in rows {
        let row = serde_json::to_value(row)
            .map_err(|e| Error::Usage(format!("JSON cannot be written: {e}")))?;
        let same = |other: &&mut Value| ["work", "peer"].iter().all(|key| other[key] == row[key]);
        match all.iter_mut().find(same) {
            Some(other) => *other = row,
            None => all.push(row),
        }
    }
    all.sort_by_key(|row| !row["work"].as_str().is_some_and(|work| work.starts_with(STEP)));
    files::write_atomically(path, &files::json(&all)?)
}

/// A median with its range, such as `1.26 (1.20 to 1.36)`.
pub(super) fn timed(median: f64, [min, max]: [f64; 2], digits: usize) -> String {
    format!("{median:.digits$} ({min:.digits$} to {max:.digits$})")
}

/// Where and beside which versions it was measured.
pub(super) fn origin(machine: &Machine, versions: Option<&Value>) -> String {
    let load = machine.load_average.map_or(UNKNOWN.into(), |load| format!("{load:.2}"));
    let versions = versions.map_or(String::new(), |versions| format!("\npeer: {versions}"));
    format!(
        "{}, {}, {} cores, load average before {load}{versions}",
        machine.cpu.as_deref().unwrap_or("unknown processor"),
        machine.simd,
        machine.cores,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_take_the_place_of_their_own_and_steps_stand_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("training.json");
        let read =
            || -> Vec<Value> { serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap() };
        let loader = json!({"work": "loader", "peer": "P", "ours_s": 1, "more": [1]});
        merge_rows(&file, std::slice::from_ref(&loader)).unwrap();
        let steps =
            [json!({"work": "step-a", "peer": null}), json!({"work": "step-b", "peer": null})];
        merge_rows(&file, &steps).unwrap();
        assert_eq!(read(), [steps[0].clone(), steps[1].clone(), loader.clone()]);
        let again = json!({"work": "loader", "peer": "P", "ours_s": 2});
        let other = json!({"work": "loader", "peer": "Q", "ours_s": 3});
        merge_rows(&file, &[other.clone(), again.clone()]).unwrap();
        assert_eq!(read()[2..], [again, other]);
        std::fs::write(&file, "{}").unwrap();
        let error = merge_rows(&file, &[loader]).unwrap_err().to_string();
        assert!(error.contains("no list of rows") && error.contains("training.json"), "{error}");
    }
}
