//! Rows of the loader, as JSON beside those of other work and as a table.

use std::path::Path;

use serde_json::Value;

use super::LoaderFindings;
use crate::bench::Summary;
use crate::bench::report::{UNKNOWN, markdown};
use crate::bench::similarity::Row;
use crate::{Error, Result, files};

const PEER: &str = "OpenCV + NumPy, one thread";

pub(super) fn row(work: String, ours: &[f64], theirs: Option<Summary>) -> Row {
    let summary = Summary::of(ours.to_vec());
    Row {
        work,
        ours_s: summary.median,
        peer: theirs.as_ref().map(|_| PEER.into()),
        peer_s: theirs.as_ref().map(|theirs| theirs.median),
        ratio: theirs.as_ref().map(|theirs| theirs.median / summary.median),
        ours_range_s: Some([summary.min, summary.max]),
        peer_range_s: theirs.map(|theirs| [theirs.min, theirs.max]),
        runs: Some(ours.len()),
        flops: None,
        bytes: None,
        adapter: None,
        ours_cpu_s: None,
        peer_cpu_s: None,
    }
}

/// Puts rows into a list of rows on disk: those of the same work and peer are replaced, all others
/// stay as they are.
///
/// # Errors
/// [`Error::Format`] when the file is there and no list; [`Error::Io`].
pub fn merge_rows(path: &Path, rows: &[Row]) -> Result<()> {
    let mut all: Vec<Value> = match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|e| Error::format(path, format!("no list of rows: {e}")))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(Error::io(path, e)),
    };
    for row in rows {
        let same = |other: &Value| {
            other["work"] == row.work.as_str() && other["peer"].as_str() == row.peer.as_deref()
        };
        let value = serde_json::to_value(row)
            .map_err(|e| Error::Usage(format!("JSON cannot be written: {e}")))?;
        match all.iter_mut().find(|other| same(other)) {
            Some(other) => *other = value,
            None => all.push(value),
        }
    }
    files::write_atomically(path, &files::json(&all)?)
}

/// A table for people; also valid Markdown.
pub fn table(found: &LoaderFindings) -> String {
    let head =
        ["work", "s per 1,000 (min to max)", "images/s a worker", "peer s (min to max)", "ratio"];
    let mut rows = vec![head.map(String::from)];
    let timed = |median: f64, range: Option<[f64; 2]>| {
        let [min, max] = range.unwrap_or([median; 2]);
        format!("{median:.3} ({min:.3} to {max:.3})")
    };
    for (row, per_worker) in found.rows.iter().zip(&found.per_worker) {
        rows.push([
            row.work.clone(),
            timed(row.ours_s, row.ours_range_s),
            format!("{per_worker:.0}"),
            row.peer_s.map_or(UNKNOWN.into(), |peer| timed(peer, row.peer_range_s)),
            row.ratio.map_or(UNKNOWN.into(), |ratio| format!("{ratio:.2}")),
        ]);
    }
    let machine = &found.machine;
    let load = machine.load_average.map_or(UNKNOWN.into(), |load| format!("{load:.2}"));
    let versions = found.versions.as_ref().map_or(String::new(), |v| format!("\npeer: {v}"));
    format!(
        "{} JPEG files of {} bytes on average; {}, {}, {} cores, load average before {load}{versions}\n\n{}\
         ratio: peer / ours, above 1 ours is faster.\n",
        found.files.0,
        found.files.1,
        machine.cpu.as_deref().unwrap_or("unknown processor"),
        machine.simd,
        machine.cores,
        markdown(&rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_rows_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("training.json");
        let own = row("loader".into(), &[2.0, 1.0, 3.0], Some(Summary::of(vec![4.0])));
        merge_rows(&file, std::slice::from_ref(&own)).unwrap();
        let mut rows: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!((rows.len(), &rows[0]["ratio"]), (1, &Value::from(2.0)));
        rows.insert(0, serde_json::json!({"work": "step", "ours_s": 1, "peer": "P", "more": [1]}));
        std::fs::write(&file, serde_json::to_vec(&rows).unwrap()).unwrap();
        let again = row("loader".into(), &[1.0], Some(Summary::of(vec![4.0])));
        merge_rows(&file, &[again]).unwrap();
        let after: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(after.len(), 2);
        assert_eq!(after[0], rows[0]);
        assert_eq!(after[1]["ratio"], 4.0);
        std::fs::write(&file, "{}").unwrap();
        assert!(merge_rows(&file, &[own]).unwrap_err().to_string().contains("no list of rows"));
    }
}
