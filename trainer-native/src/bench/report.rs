//! A benchmark's raw numbers and its table.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::peers::ORIGIN;
use super::{Measurement, PEERS, Peer, Workload};
use crate::machine::Machine;

/// Everything that a run of `avse bench model` found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which benchmark: `model`.
    pub benchmark: String,
    /// Version of this program.
    pub version: String,
    /// When it ended, in seconds since 1970.
    pub unix_time: u64,
    /// Where it ran.
    pub machine: Machine,
    /// What ran.
    pub workload: Workload,
    /// What was measured, one entry a phase.
    pub measurements: Vec<Measurement>,
    /// Figures to compare with; none when they were measured at other shapes.
    pub peers: Vec<Peer>,
}

const COLUMNS: [&str; 10] = [
    "seconds of one",
    "batch",
    "median (min to max)",
    "GFLOP",
    "GFLOP/s",
    "peak GB",
    "peer",
    "ratio",
    "peer peak GB",
    "ratio",
];

/// Stands for what is not known.
pub(super) const UNKNOWN: &str = "–";

impl Report {
    /// Puts the findings together, with the peers where they did the same work.
    pub fn new(machine: Machine, workload: Workload, measurements: Vec<Measurement>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let peers = if workload.is_the_peers() { PEERS.to_vec() } else { Vec::new() };
        Self {
            benchmark: "model".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            unix_time: now.map_or(0, |now| now.as_secs()),
            machine,
            workload,
            measurements,
            peers,
        }
    }

    /// A table for people; also valid Markdown.
    pub fn table(&self) -> String {
        let mut rows = vec![COLUMNS.map(String::from)];
        rows.extend(self.measurements.iter().map(|measured| self.row(measured)));
        let comparison = match self.peers.is_empty() {
            true => "No peer was measured at these shapes.",
            false => ORIGIN,
        };
        format!(
            "{}\n\n{}\nGFLOP: matrix products only, counted by formula. GB: 10^9 bytes of the phase's own \
             process.\n{comparison}\n",
            self.heading(),
            markdown(&rows)
        )
    }

    fn heading(&self) -> String {
        let (machine, model) = (&self.machine, &self.workload.model);
        let device = self.measurements.first().map_or(UNKNOWN, |m| m.device.as_str());
        let load = machine.load_average.map_or(UNKNOWN.into(), |load| format!("{load:.2}"));
        format!(
            "{} px, captions of {} tokens, random weights; {} timed runs after {} warm-up\n\
             {}, {}, {}, {} cores, {} threads, load average before {load}; {device}",
            model.image_size,
            self.workload.caption_tokens,
            self.workload.repetitions,
            self.workload.warmup,
            machine.cpu.as_deref().unwrap_or("unknown processor"),
            machine.simd,
            machine.platform,
            machine.cores,
            machine.threads,
        )
    }

    fn row(&self, measured: &Measurement) -> [String; 10] {
        let peer = self.peers.iter().find(|peer| peer.phase == measured.phase);
        let seconds = measured.summary();
        let digits =
            |value: f64| if value < 1.0 { format!("{value:.4}") } else { format!("{value:.2}") };
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.into());
        let gigabytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / 1e9);
        let peak = gigabytes(measured.peak_bytes);
        let peer_peak = gigabytes(peer.and_then(|peer| peer.peak_bytes));
        let item_flops = measured.run_flops.map(|flops| flops / measured.items.max(1) as f64);
        [
            measured.phase.item().into(),
            measured.phase.batch(&self.workload).to_string(),
            format!(
                "{} ({} to {})",
                digits(seconds.median),
                digits(seconds.min),
                digits(seconds.max)
            ),
            or_unknown(item_flops.map(|flops| format!("{:.3}", flops / 1e9))),
            or_unknown(measured.flops_per_second().map(|speed| format!("{:.1}", speed / 1e9))),
            or_unknown(peak.map(|peak| format!("{peak:.2}"))),
            or_unknown(peer.map(|peer| match peer.seconds {
                [fast, slow] if fast == slow => fast.to_string(),
                [fast, slow] => format!("{fast} to {slow}"),
            })),
            or_unknown(peer.map(|peer| format!("{:.2}", seconds.median / peer.seconds[0]))),
            or_unknown(peer_peak.map(|peak| format!("{peak:.2}"))),
            or_unknown(peak.zip(peer_peak).map(|(own, peer)| format!("{:.2}", own / peer))),
        ]
    }
}

/// The first row is the head.
pub(super) fn markdown<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(&format!("| {cell:<width$} "));
        }
        text.push_str("|\n");
        if number == 0 {
            for width in widths {
                text.push_str(&format!("|{}", "-".repeat(width + 2)));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Phase, VitSize};

    fn report(workload: Workload) -> Report {
        let step = Measurement {
            phase: Phase::Step,
            device: "test".into(),
            run_seconds: vec![16.6, 4.15, 24.9],
            items: 1,
            run_flops: Some(8.3e11),
            peak_bytes: Some(2_580_000_000),
        };
        Report::new(Machine::here(), workload, vec![step])
    }

    #[test]
    fn the_ratio_is_to_the_peers_faster_end() {
        let workload = Workload { repetitions: 3, ..Workload::published(VitSize::Base, 256) };
        let table = report(workload).table();
        let row = table.lines().find(|line| line.contains("training step")).unwrap();
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let expected = [
            "training step",
            "4",
            "16.60 (4.15 to 24.90)",
            "830.000",
            "50.0",
            "2.58",
            "8.3 to 9.8",
            "2.00",
            "5.16",
            "0.50",
        ];
        assert_eq!(cells, expected);
        assert!(table.contains("another machine in another run"), "{table}");
    }

    #[test]
    fn other_shapes_have_no_peer() {
        for workload in [Workload::published(VitSize::Base, 384), Workload::quick()] {
            let report = report(workload);
            assert!(report.peers.is_empty());
            assert!(report.table().contains("No peer"));
        }
    }
}
