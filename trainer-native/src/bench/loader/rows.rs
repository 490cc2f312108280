//! Rows of the loader, for JSON and as a table.

use super::LoaderFindings;
use crate::bench::Summary;
use crate::bench::report::{UNKNOWN, markdown};
use crate::bench::rows::{origin, timed};
use crate::bench::similarity::Row;

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

/// A table for people; also valid Markdown.
pub fn table(found: &LoaderFindings) -> String {
    let head =
        ["work", "s per 1,000 (min to max)", "images/s a worker", "peer s (min to max)", "ratio"];
    let mut rows = vec![head.map(String::from)];
    let timed =
        |median: f64, range: Option<[f64; 2]>| timed(median, range.unwrap_or([median; 2]), 3);
    for (row, per_worker) in found.rows.iter().zip(&found.per_worker) {
        rows.push([
            row.work.clone(),
            timed(row.ours_s, row.ours_range_s),
            format!("{per_worker:.0}"),
            row.peer_s.map_or(UNKNOWN.into(), |peer| timed(peer, row.peer_range_s)),
            row.ratio.map_or(UNKNOWN.into(), |ratio| format!("{ratio:.2}")),
        ]);
    }
    format!(
        "{} JPEG files of {} bytes on average; {}\n\n{}ratio: peer / ours, above 1 ours is faster.\n",
        found.files.0,
        found.files.1,
        origin(&found.machine, found.versions.as_ref()),
        markdown(&rows)
    )
}
