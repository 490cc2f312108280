//! What goes beside the rows, and the table for people.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Peaks, Row};
use crate::bench::report::{UNKNOWN, markdown};
use crate::machine::Machine;
use crate::{Result, files};

/// Where and when rows were measured: a file of its own beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimilarityReport {
    /// Which benchmark: `similarity`.
    pub benchmark: String,
    /// Version of this program.
    pub version: String,
    /// When it ended, in seconds since 1970.
    pub unix_time: u64,
    /// Where it ran.
    pub machine: Machine,
    /// Load average when it ended.
    pub load_average_after: Option<f64>,
    /// What the machine can do at most.
    pub peaks: Peaks,
    /// Versions of the peers, where these ran.
    pub peers: Option<serde_json::Value>,
    /// What was measured; in a file of its own.
    #[serde(skip)]
    pub rows: Vec<Row>,
}

const COLUMNS: [&str; 8] = [
    "work",
    "ours s (min to max)",
    "GFLOP/s",
    "GFLOP",
    "MB",
    "peer",
    "peer s (min to max)",
    "ratio",
];

impl SimilarityReport {
    /// Puts findings together.
    pub fn new(machine: Machine, findings: super::Findings) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            benchmark: "similarity".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            unix_time: now.map_or(0, |now| now.as_secs()),
            machine,
            load_average_after: Machine::here().load_average,
            peaks: findings.peaks,
            peers: findings.versions,
            rows: findings.rows,
        }
    }

    /// Writes the rows to `path` and all else beside it, as `NAME.machine.json`.
    ///
    /// # Errors
    /// [`crate::Error::Io`] naming the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        files::write_atomically(path, &files::json(&self.rows)?)?;
        files::write_atomically(&machine_file(path), &files::json(self)?)
    }

    /// A table for people; also valid Markdown.
    pub fn table(&self) -> String {
        let mut table = vec![COLUMNS.map(String::from)];
        table.extend(self.rows.iter().map(row));
        let (machine, peaks) = (&self.machine, &self.peaks);
        let giga = |value: f64| format!("{:.1}", value / 1e9);
        let load = |load: Option<f64>| load.map_or(UNKNOWN.into(), |load| format!("{load:.2}"));
        format!(
            "{}, {}, {} threads, load average {} before, {} after\n\
             at most: {} GFLOP/s in f32, {} in i16; reads {} GB/s, {} of a gallery in int8\n\n{}",
            machine.cpu.as_deref().unwrap_or("unknown processor"),
            machine.simd,
            machine.threads,
            load(machine.load_average),
            load(self.load_average_after),
            giga(peaks.f32_flops),
            peaks.i16_flops.map_or(UNKNOWN.into(), giga),
            giga(peaks.read_bytes),
            giga(peaks.read_bytes_int8),
            markdown(&table)
        )
    }
}

fn row(row: &Row) -> [String; 8] {
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.into());
    let seconds = |median: f64, range: Option<[f64; 2]>| match range {
        Some([min, max]) => format!("{median:.4} ({min:.4} to {max:.4})"),
        None => format!("{median:.4}"),
    };
    [
        row.work.clone(),
        seconds(row.ours_s, row.ours_range_s),
        or_unknown(row.flops.map(|flops| format!("{:.1}", flops / row.ours_s / 1e9))),
        or_unknown(row.flops.map(|flops| format!("{:.2}", flops / 1e9))),
        or_unknown(row.bytes.map(|bytes| format!("{:.1}", bytes / 1e6))),
        or_unknown(row.peer.clone()),
        or_unknown(row.peer_s.map(|median| seconds(median, row.peer_range_s))),
        or_unknown(row.ratio.map(|ratio| format!("{ratio:.2}"))),
    ]
}

/// `bench/similarity.json` -> `bench/similarity.machine.json`
fn machine_file(path: &Path) -> PathBuf {
    path.with_extension("machine.json")
}
