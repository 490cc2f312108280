//! Rows of a comparison, as they stand in the JSON file.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::work::{PeerWork, Work};
use crate::bench::Summary;
use crate::{Error, Result};

/// Our time for a work and a peer's. Other tools add rows of this form too: five keys they must
/// give, the others they may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was done.
    pub work: String,
    /// Median of our runs in seconds.
    pub ours_s: f64,
    /// Who else did it; nobody when no peer was started.
    pub peer: Option<String>,
    /// Median of the peer's runs in seconds.
    pub peer_s: Option<f64>,
    /// `peer_s / ours_s`: above 1, the engine is faster.
    pub ratio: Option<f64>,
    /// Fastest and slowest of our runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours_range_s: Option<[f64; 2]>,
    /// Fastest and slowest of the peer's runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_range_s: Option<[f64; 2]>,
    /// Timed runs of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
    /// Operations of the exact block products, 2 a multiply-add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops: Option<f64>,
    /// Bytes that ours must read and write at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<f64>,
    /// Where it ran, when not on the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Our seconds of the processor on all threads, where the adapter is a software one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours_cpu_s: Option<f64>,
    /// The peer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_cpu_s: Option<f64>,
}

impl Row {
    pub(super) fn alone(work: &Work<'_>, ours: &Timed) -> Self {
        let summary = ours.summary();
        Self {
            work: work.name.clone(),
            ours_s: summary.median,
            peer: None,
            peer_s: None,
            ratio: None,
            ours_range_s: Some([summary.min, summary.max]),
            peer_range_s: None,
            runs: Some(ours.0.len()),
            flops: Some(work.flops),
            bytes: Some(work.bytes),
            adapter: None,
            ours_cpu_s: None,
            peer_cpu_s: None,
        }
    }

    pub(super) fn beside(work: &Work<'_>, ours: &Timed, peer: &PeerWork, theirs: &Timed) -> Self {
        let alone = Self::alone(work, ours);
        let summary = theirs.summary();
        Self {
            work: peer.row.clone().unwrap_or(alone.work),
            peer: Some(peer.name.into()),
            peer_s: Some(summary.median),
            ratio: Some(summary.median / alone.ours_s),
            peer_range_s: Some([summary.min, summary.max]),
            ..alone
        }
    }

    /// Operations a byte, where both are known.
    pub fn intensity(&self) -> Option<f64> {
        Some(self.flops? / self.bytes?)
    }
}

/// Seconds of several runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Timed(Vec<f64>);

impl Timed {
    /// Keeps a run that counts.
    pub fn add(&mut self, counts: bool, seconds: f64) {
        if counts {
            self.0.push(seconds);
        }
    }

    pub fn summary(&self) -> Summary {
        Summary::of(self.0.clone())
    }
}

/// Rows of another tool: JSON, one a line.
///
/// # Errors
/// [`Error::Io`], and [`Error::Format`] naming the line that is no row.
pub fn read_rows(path: &Path) -> Result<Vec<Row>> {
    let text = fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line)
                .map_err(|e| Error::format(path, format!("line {}: {e}", number + 1)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_other_tools() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.jsonl");
        let row = r#"{"work":"w","ours_s":1.0,"peer":"p","peer_s":3.0,"ratio":3.0,"ours_cpu_s":2.0,"gflops_per_s":5}"#;
        fs::write(&file, format!("{row}\n\n{row}\n")).unwrap();
        let rows = read_rows(&file).unwrap();
        assert_eq!((rows.len(), rows[1].ratio), (2, Some(3.0)));
        assert_eq!((rows[1].ours_cpu_s, rows[1].peer_cpu_s), (Some(2.0), None));
        fs::write(&file, format!("{row}\n{{}}\n")).unwrap();
        assert!(read_rows(&file).unwrap_err().to_string().contains("line 2"));
    }
}
