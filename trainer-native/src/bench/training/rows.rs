//! Rows of training and evaluation, as JSON beside those of other work and as a table.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::{Measured, TrainingFindings};
use crate::bench::report::{UNKNOWN, markdown};
use crate::train::Method;
use crate::{Error, Result, files};

const PEER: &str = "PyTorch, as the official code";

/// Seconds and memory of a work, ours and the peer's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingRow {
    /// What was done.
    pub work: String,
    /// Median of our runs in seconds.
    pub ours_s: f64,
    /// Who else did it; nobody when no peer was started.
    pub peer: Option<String>,
    /// Median of the peer's runs in seconds; of a step always the plain one.
    pub peer_s: Option<f64>,
    /// `peer_s / ours_s`: above 1, ours is faster.
    pub ratio: Option<f64>,
    /// Fastest and slowest of our runs.
    pub ours_range_s: [f64; 2],
    /// Fastest and slowest of the peer's.
    pub peer_range_s: Option<[f64; 2]>,
    /// Timed runs of ours.
    pub runs: usize,
    /// Largest resident memory of our process, in bytes.
    pub ours_peak_bytes: Option<u64>,
    /// The peer's; its loader's processes not counted.
    pub peer_peak_bytes: Option<u64>,
    /// `ours_peak_bytes / peer_peak_bytes`: below 1, ours takes less.
    pub memory: Option<f64>,
}

/// The name of a step's work, such as `step-vit-b16-bert-b32-micro4-recompute`.
pub(super) fn step_name(batch: usize, method: Method) -> String {
    let micro = match method.micro_batch {
        0 => String::new(),
        micro => format!("-micro{micro}"),
    };
    let recompute = if method.recompute { "-recompute" } else { "" };
    format!("step-vit-b16-bert-b{batch}{micro}{recompute}")
}

pub(super) fn row(work: String, ours: &Measured, theirs: Option<&Measured>) -> TrainingRow {
    let (summary, peer) = (ours.summary(), theirs.map(Measured::summary));
    let peer_peak = theirs.and_then(|theirs| theirs.peak);
    TrainingRow {
        work,
        ours_s: summary.median,
        peer: theirs.map(|_| PEER.into()),
        peer_s: peer.map(|peer| peer.median),
        ratio: peer.map(|peer| peer.median / summary.median),
        ours_range_s: [summary.min, summary.max],
        peer_range_s: peer.map(|peer| [peer.min, peer.max]),
        runs: ours.seconds.len(),
        ours_peak_bytes: ours.peak,
        peer_peak_bytes: peer_peak,
        memory: ours.peak.zip(peer_peak).map(|(ours, peer)| ours as f64 / peer as f64),
    }
}

/// Puts rows at the head of a list of rows on disk; those of other work stay behind them.
///
/// # Errors
/// [`Error::Format`] when the file is there and no list; [`Error::Io`].
pub fn merge_rows(path: &Path, rows: &[TrainingRow]) -> Result<()> {
    let before: Vec<Value> = match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|e| Error::format(path, format!("no list of rows: {e}")))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(Error::io(path, e)),
    };
    let written = |row| {
        serde_json::to_value(row).map_err(|e| Error::Usage(format!("JSON cannot be written: {e}")))
    };
    let mut all: Vec<Value> = rows.iter().map(written).collect::<Result<_>>()?;
    let ours = |other: &Value| rows.iter().any(|row| other["work"] == row.work.as_str());
    all.extend(before.into_iter().filter(|other| !ours(other)));
    files::write_atomically(path, &files::json(&all)?)
}

/// A table for people; also valid Markdown.
pub fn table(found: &TrainingFindings) -> String {
    let head =
        ["work", "s (min to max)", "peer s (min to max)", "ratio", "peak GB", "peer GB", "memory"];
    let mut rows = vec![head.map(String::from)];
    let timed = |median: f64, [min, max]: [f64; 2]| format!("{median:.2} ({min:.2} to {max:.2})");
    let known = |value: Option<String>| value.unwrap_or(UNKNOWN.into());
    let gigabytes = |bytes: Option<u64>| known(bytes.map(|b| format!("{:.2}", b as f64 / 1e9)));
    for row in &found.rows {
        rows.push([
            row.work.clone(),
            timed(row.ours_s, row.ours_range_s),
            known(row.peer_s.zip(row.peer_range_s).map(|(median, range)| timed(median, range))),
            known(row.ratio.map(|ratio| format!("{ratio:.2}"))),
            gigabytes(row.ours_peak_bytes),
            gigabytes(row.peer_peak_bytes),
            known(row.memory.map(|share| format!("{share:.2}"))),
        ]);
    }
    let machine = &found.machine;
    let load = machine.load_average.map_or(UNKNOWN.into(), |load| format!("{load:.2}"));
    let versions = found.versions.as_ref().map_or(String::new(), |v| format!("\npeer: {v}"));
    format!(
        "{}, {}, {} cores, load average before {load}{versions}\n\n{}\
         ratio: peer / ours, above 1 ours is faster. memory: ours / peer, below 1 ours takes less.\n",
        machine.cpu.as_deref().unwrap_or("unknown processor"),
        machine.simd,
        machine.cores,
        markdown(&rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(seconds: &[f64], peak: u64) -> Measured {
        Measured { seconds: seconds.into(), peak: Some(peak) }
    }

    #[test]
    fn steps_stand_first_and_other_rows_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training.json");
        let before =
            r#"[{"work": "loader", "ours_s": 1}, {"work": "step-vit-b16-bert-b4", "ours_s": 9}]"#;
        std::fs::write(&path, before).unwrap();
        let name = step_name(4, Method::default());
        let row = row(name, &measured(&[2.0, 1.0, 3.0], 6), Some(&measured(&[4.0], 8)));
        assert_eq!((row.ratio, row.memory, row.ours_range_s), (Some(2.0), Some(0.75), [1.0, 3.0]));
        merge_rows(&path, &[row]).unwrap();
        let all: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(
            (&all[0]["work"], &all[0]["ours_s"]),
            (&"step-vit-b16-bert-b4".into(), &2.0.into())
        );
        assert_eq!(all[1]["work"], "loader");
        std::fs::write(&path, "{}").unwrap();
        assert!(merge_rows(&path, &[]).unwrap_err().to_string().contains("training.json"));
    }

    #[test]
    fn work_is_named_by_its_way() {
        let method = Method { micro_batch: 4, recompute: true, ..Method::default() };
        assert_eq!(step_name(32, method), "step-vit-b16-bert-b32-micro4-recompute");
    }
}
