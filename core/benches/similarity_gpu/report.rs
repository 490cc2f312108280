//! Rows as they stand in bench/similarity.json, and the table of roofs in bench/README.md.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::roof::Roof;
use super::roofs::Roofs;

/// A row of the comparison; the keys and their order are those of `avse bench similarity`, which
/// reads these.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub work: String,
    pub ours_s: f64,
    pub peer: Option<String>,
    pub peer_s: Option<f64>,
    pub ratio: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours_range_s: Option<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_range_s: Option<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Seconds of the processor on all threads, of a software adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours_cpu_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_cpu_s: Option<f64>,
}

impl Row {
    /// The ratio of the processor's time, which other programs change less than the clock's.
    pub fn processor_ratio(&self) -> Option<f64> {
        Some(self.peer_cpu_s? / self.ours_cpu_s?)
    }
}

/// What a row of this benchmark begins with.
const PREFIX: &str = "gpu-";
/// The least ratio.
const TARGET: f64 = 5.0;
const BEGIN: &str = "<!-- gpu: written by core/benches/similarity_gpu -->";
const END: &str = "<!-- end of gpu -->";

/// The roofs as rows.
pub fn roof_rows(roofs: &Roofs, adapter: &str) -> Vec<Row> {
    let row = |work: &str, roof: Roof, flops: bool| Row {
        work: format!("{PREFIX}roof-{work}"),
        ours_s: roof.seconds,
        peer: None,
        peer_s: None,
        ratio: None,
        ours_range_s: None,
        peer_range_s: None,
        runs: Some(super::RUNS),
        flops: flops.then_some(roof.amount),
        bytes: (!flops).then_some(roof.amount),
        adapter: Some(adapter.to_owned()),
        ours_cpu_s: None,
        peer_cpu_s: None,
    };
    let processor = |work: &str, roof: Roof| Row { adapter: None, ..row(work, roof, false) };
    vec![
        row("multiply-add", roofs.multiply_add, true),
        row("read-buffer", roofs.read_buffer, false),
        row("read-texels", roofs.read_texels, false),
        processor("processor-read-1-thread", roofs.processor[0]),
        processor("processor-read-2-threads", roofs.processor[1]),
    ]
}

/// Puts `rows` in the place of the file's rows of this benchmark and leaves the others.
pub fn merge(path: &Path, rows: &[Row]) -> io::Result<()> {
    let mut all: Vec<Row> = serde_json::from_str(&fs::read_to_string(path)?)?;
    let at = all.iter().position(|row| row.work.starts_with(PREFIX)).unwrap_or(all.len());
    all.retain(|row| !row.work.starts_with(PREFIX));
    let tail = all.split_off(at.min(all.len()));
    all.extend(rows.iter().cloned().chain(tail));
    let mut bytes = serde_json::to_vec_pretty(&all)?;
    bytes.push(b'\n');
    write(path, &bytes)
}

/// Writes the table between its marks in `path`, at the end where there are none.
pub fn tabulate(path: &Path, rows: &[Row], roofs: &Roofs) -> io::Result<()> {
    let mut text = fs::read_to_string(path)?;
    let part = format!("{BEGIN}\n{}{END}", table(rows, roofs));
    match (text.find(BEGIN), text.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            text.replace_range(begin..end + END.len(), &part)
        }
        _ => {
            text.push('\n');
            text.push_str(&part);
            text.push('\n');
        }
    }
    write(path, text.as_bytes())
}

/// Roof times are the greater of multiply-adds at their roof and bytes at the faster read.
fn table(rows: &[Row], roofs: &Roofs) -> String {
    let read = roofs.read_buffer.rate().max(roofs.read_texels.rate());
    let giga = |roof: &Roof| roof.rate() / 1e9;
    let mut text = String::new();
    let adapter = rows.iter().find_map(|row| row.adapter.as_deref()).unwrap_or("unknown adapter");
    // Writing to a String cannot fail.
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown");
    let _ = writeln!(
        text,
        "{adapter}, load average {load} after; the least of {} runs each. The adapter's roofs: {:.0} GFLOP/s of \
         multiply-adds in registers, {:.1} GB/s read from a buffer, {:.1} GB/s from a texture; the \
         processor itself reads {:.1} GB/s with one thread and {:.1} with two.\n\n\
         | work | ours ms | naive ms | ratio | of processor time | target | roof ms | bound by | best possible ratio |\n\
         |---|---|---|---|---|---|---|---|---|",
        super::RUNS,
        giga(&roofs.multiply_add),
        giga(&roofs.read_buffer),
        giga(&roofs.read_texels),
        giga(&roofs.processor[0]),
        giga(&roofs.processor[1]),
    );
    for row in rows {
        let (Some(flops), Some(bytes), Some(peer)) = (row.flops, row.bytes, row.peer_s) else {
            continue;
        };
        let times = [flops / roofs.multiply_add.rate(), bytes / read];
        let roof = times[0].max(times[1]);
        let ratio = peer / row.ours_s;
        // A busy machine flatters the shorter of two times.
        let least = row.processor_ratio().map_or(ratio, |processor| processor.min(ratio));
        let _ = writeln!(
            text,
            "| {} | {:.2} | {:.2} | {ratio:.2} | {} | {TARGET}{} | {:.2} | {} | {:.1} |",
            row.work,
            row.ours_s * 1e3,
            peer * 1e3,
            row.processor_ratio().map_or("–".into(), |ratio| format!("{ratio:.2}")),
            if least < TARGET { ", missed" } else { "" },
            roof * 1e3,
            if times[0] > times[1] { "multiply-adds" } else { "reads" },
            peer / roof,
        );
    }
    text
}

/// As a whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    // Temporary files are their owner's alone.
    if let Ok(meta) = fs::metadata(path) {
        file.as_file().set_permissions(meta.permissions())?;
    }
    file.persist(path)?;
    Ok(())
}
