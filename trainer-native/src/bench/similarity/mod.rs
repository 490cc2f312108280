//! The similarity engine on this machine, beside peers that do the same work in the same run.
//!
//! [`run`] times each work several times, ours and the peers' in turn, so that whatever else the
//! machine does meets all of them. A peer is another process that answers over its standard
//! input and output, one run a line ([`Peers`]); `cargo xtask bench similarity` knows how
//! to start it. Each run hands back numbers that must agree with ours.

mod data;
mod peaks;
mod peers;
mod report;
mod roofline;
mod rows;
mod work;

pub use data::Sizes;
pub use peaks::Peaks;
pub use peers::Peers;
pub use report::SimilarityReport;
pub use roofline::roofline;
pub use rows::{Row, read_rows};

use crate::Result;
use crate::terminal::note;
use data::Data;
use rows::Timed;
use work::Work;

/// Runs before the timed ones: threads start, pages are mapped.
const WARMUP: usize = 1;

/// Times everything `repetitions` times.
///
/// # Errors
/// A peer that fails, or finds other numbers than the engine.
pub fn run(sizes: Sizes, repetitions: usize, peers: Option<PeerCommand<'_>>) -> Result<Findings> {
    let data = Data::new(sizes)?;
    let folder = tempfile::tempdir().map_err(|e| crate::Error::io(std::env::temp_dir(), e))?;
    let mut peers = match peers {
        Some(command) => {
            data.write(folder.path())?;
            Some(Peers::start(command, folder.path())?)
        }
        None => None,
    };
    let peaks = Peaks::measure(&data.gallery);
    let mut rows = Vec::new();
    for mut work in Work::all(sizes, &data)? {
        rows.extend(time(&mut work, repetitions, peers.as_mut())?);
    }
    Ok(Findings { rows, peaks, versions: peers.map(|peers| peers.versions().clone()) })
}

/// Program and arguments of the peer process, which is also given the folder of the arrays and the
/// count of threads.
pub type PeerCommand<'a> = &'a [String];

/// What [`run`] found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// One a work and peer; one a work without peers.
    pub rows: Vec<Row>,
    /// What the machine can do at most.
    pub peaks: Peaks,
    /// Of the peers, by name.
    pub versions: Option<serde_json::Value>,
}

fn time(
    work: &mut Work<'_>,
    repetitions: usize,
    mut peers: Option<&mut Peers>,
) -> Result<Vec<Row>> {
    let mut ours = Timed::default();
    let mut theirs = vec![Timed::default(); work.peers.len()];
    for run in 0..WARMUP + repetitions {
        let (seconds, check) = work.run()?;
        let counts = run >= WARMUP;
        ours.add(counts, seconds);
        let mut line = format!("{} {}: {seconds:.4} s", work.name, progress(run, repetitions));
        for (peer, timed) in work.peers.iter().zip(&mut theirs) {
            let Some(process) = peers.as_deref_mut() else { continue };
            let answer = process.run(&peer.request)?;
            work.compare(peer, &check, &answer.check)?;
            timed.add(counts, answer.seconds);
            line += &format!("; {} {:.4} s", peer.name, answer.seconds);
        }
        note!("{line}");
    }
    if peers.is_none() || work.peers.is_empty() {
        return Ok(vec![Row::alone(work, &ours)]);
    }
    let pairs = work.peers.iter().zip(&theirs);
    Ok(pairs.map(|(peer, theirs)| Row::beside(work, &ours, peer, theirs)).collect())
}

fn progress(run: usize, repetitions: usize) -> String {
    match (run + 1).checked_sub(WARMUP) {
        None | Some(0) => "warm-up".into(),
        Some(number) => format!("run {number} of {repetitions}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_medians() {
        let data = Data::new(Sizes { images: 2, gallery: 2 }).unwrap();
        let folder = tempfile::tempdir().unwrap();
        // Takes one second for each line that it has been asked; agrees with an empty check.
        let script = r#"echo '{"fake": 1}'; n=0; while read -r line; do n=$((n + 1));
            echo "{\"seconds\": $n, \"check\": []}"; done"#;
        let command = ["sh", "-c", script].map(str::to_owned);
        let mut peers = Peers::start(&command, folder.path()).unwrap();
        assert_eq!(peers.versions()["fake"], 1);
        let mut all = Work::all(Sizes { images: 2, gallery: 2 }, &data).unwrap();
        let work = &mut all[0];
        work.replace_run(|| Ok((0.5, Vec::new())));
        let rows = time(work, 3, Some(&mut peers)).unwrap();
        // Three peers in turn, the first round being the warm-up.
        let seconds: Vec<_> = rows.iter().map(|row| row.peer_range_s.unwrap()).collect();
        assert_eq!(seconds, [[4.0, 10.0], [5.0, 11.0], [6.0, 12.0]]);
        assert_eq!(rows[1].peer_s, Some(8.0));
        assert_eq!(rows[1].ratio, Some(16.0));
        let alone = time(work, 3, None).unwrap();
        assert_eq!((alone.len(), alone[0].ours_s, alone[0].ratio), (1, 0.5, None));
    }
}
