//! Rows of training and evaluation, for JSON and as a table.

use serde::Serialize;

use super::{Measured, TrainingFindings};
use crate::bench::report::{UNKNOWN, markdown};
use crate::bench::rows::{origin, timed};
use crate::train::Method;

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

/// A table for people; also valid Markdown.
pub fn table(found: &TrainingFindings) -> String {
    let head =
        ["work", "s (min to max)", "peer s (min to max)", "ratio", "peak GB", "peer GB", "memory"];
    let mut rows = vec![head.map(String::from)];
    let known = |value: Option<String>| value.unwrap_or(UNKNOWN.into());
    let gigabytes = |bytes: Option<u64>| known(bytes.map(|b| format!("{:.2}", b as f64 / 1e9)));
    for row in &found.rows {
        rows.push([
            row.work.clone(),
            timed(row.ours_s, row.ours_range_s, 2),
            known(row.peer_s.zip(row.peer_range_s).map(|(median, range)| timed(median, range, 2))),
            known(row.ratio.map(|ratio| format!("{ratio:.2}"))),
            gigabytes(row.ours_peak_bytes),
            gigabytes(row.peer_peak_bytes),
            known(row.memory.map(|share| format!("{share:.2}"))),
        ]);
    }
    format!(
        "{}\n\n{}\
         ratio: peer / ours, above 1 ours is faster. memory: ours / peer, below 1 ours takes less.\n",
        origin(&found.machine, found.versions.as_ref()),
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
    fn a_row_compares_seconds_and_memory() {
        let name = step_name(4, Method::default());
        let row = row(name, &measured(&[2.0, 1.0, 3.0], 6), Some(&measured(&[4.0], 8)));
        assert_eq!((row.ours_s, row.ours_range_s, row.runs), (2.0, [1.0, 3.0], 3));
        assert_eq!((row.ratio, row.memory), (Some(2.0), Some(0.75)));
    }

    #[test]
    fn work_is_named_by_its_way() {
        let method = Method { micro_batch: 4, recompute: true, ..Method::default() };
        assert_eq!(step_name(32, method), "step-vit-b16-bert-b32-micro4-recompute");
    }
}
