//! Training and evaluation of the published network beside the same written in PyTorch
//! (bench/peers/training_steps.py): seconds, and the largest resident memory of each process.
//!
//! Every job runs in a new process, ours and the peer's in turn.

mod evaluation;
mod rows;
mod set;

use std::path::Path;

use super::similarity::{PeerCommand, Peers};
use super::{Job, Measurement, Phase, Summary, VitSize, Workload};
use crate::machine::Machine;
use crate::terminal::note;
use crate::train::Method;
use crate::{Error, Result};

pub use evaluation::EvaluationJob;
pub use rows::{TrainingRow, table};
pub use set::network;

/// Largest difference of two scores, sums of four cosines, that is rounding.
const AGREEMENT: f64 = 1e-3;

/// What to measure, and how often.
#[derive(Clone, Debug)]
pub struct TrainingOptions {
    /// Processes of each step at batch 4, ours and the peer's in turn. Those at batch 32, which
    /// take minutes, run once.
    pub rounds: usize,
    /// Timed steps of a process at batch 4, after one that warms up; at batch 32 one.
    pub steps: usize,
    /// Timed evaluations; none leaves that work out.
    pub evaluations: usize,
    /// Sizes that try the code; the figures mean nothing.
    pub quick: bool,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct TrainingFindings {
    /// Where.
    pub machine: Machine,
    /// Steps first.
    pub rows: Vec<TrainingRow>,
    /// Versions of the peer.
    pub versions: Option<serde_json::Value>,
}

/// A step that is measured: the peer always takes the plain one.
struct StepWork {
    batch: usize,
    method: Method,
}

fn step_works() -> [StepWork; 5] {
    let way = |batch, micro_batch, recompute| StepWork {
        batch,
        method: Method { micro_batch, recompute, ..Method::default() },
    };
    [way(4, 0, false), way(4, 0, true), way(32, 0, false), way(32, 4, false), way(32, 4, true)]
}

/// Measures all steps, then the evaluation. `program` is this program; `keep` gets the rows of each
/// part as soon as they are there, since the next one may fail after many minutes.
///
/// # Errors
/// A process that fails, and a peer whose scores are others; those of `keep`.
pub fn run(
    program: &Path,
    options: &TrainingOptions,
    peers: Option<PeerCommand<'_>>,
    mut keep: impl FnMut(&[TrainingRow]) -> Result<()>,
) -> Result<TrainingFindings> {
    let folder = tempfile::tempdir().map_err(|e| Error::io(std::env::temp_dir(), e))?;
    let folder = folder.path();
    let mut workload = match options.quick {
        true => Workload::quick(),
        false => Workload::published(VitSize::Base, 256),
    };
    workload.gpu_id = "cpu".into();
    workload.warmup = 1;
    set::write_network(folder, &workload)?;
    let mut found = TrainingFindings { machine: Machine::here(), rows: Vec::new(), versions: None };
    for (batch, rounds, timed) in [(4, options.rounds, options.steps), (32, 1, 1)] {
        let workload = Workload { step_batch: batch, repetitions: timed, ..workload.clone() };
        let done = found.rows.len();
        steps(program, folder, rounds, &workload, peers, &mut found)?;
        keep(named(&mut found.rows[done..], options.quick))?;
    }
    if options.evaluations > 0 {
        let done = found.rows.len();
        evaluations(program, folder, options, &workload, peers, &mut found)?;
        keep(named(&mut found.rows[done..], options.quick))?;
    }
    Ok(found)
}

/// Rows of tiny sizes under names of their own: they are not to replace real ones.
fn named(rows: &mut [TrainingRow], quick: bool) -> &[TrainingRow] {
    if quick {
        rows.iter_mut().for_each(|row| row.work.insert_str(0, "quick-"));
    }
    rows
}

/// All ways of taking a step of one batch size, beside the peer's.
fn steps(
    program: &Path,
    folder: &Path,
    rounds: usize,
    workload: &Workload,
    peers: Option<PeerCommand<'_>>,
    found: &mut TrainingFindings,
) -> Result<()> {
    let batch = workload.step_batch;
    let ways: Vec<StepWork> = step_works().into_iter().filter(|way| way.batch == batch).collect();
    let mut ours: Vec<Vec<Measured>> = ways.iter().map(|_| Vec::new()).collect();
    let mut theirs = Vec::new();
    for _ in 0..rounds {
        for (way, ours) in ways.iter().zip(&mut ours) {
            let (workload, method) = (workload.clone(), way.method);
            let job = Job { phase: Phase::Step, workload, method };
            ours.push(Measured::from(job.run_in_child(program)?));
        }
        if let Some(command) = peers {
            let mut peers = Peers::start(command, folder)?;
            found.versions = Some(peers.versions().clone());
            let requests = (workload.warmup, workload.repetitions);
            theirs.push(of_peer(&mut peers, &format!("step {batch}"), requests)?.0);
        }
    }
    let theirs = Measured::all(theirs);
    for (way, ours) in ways.iter().zip(ours) {
        let name = rows::step_name(batch, way.method);
        found.rows.extend(Measured::all(ours).map(|ours| rows::row(name, &ours, theirs.as_ref())));
    }
    Ok(())
}

fn evaluations(
    program: &Path,
    folder: &Path,
    options: &TrainingOptions,
    workload: &Workload,
    peers: Option<PeerCommand<'_>>,
    found: &mut TrainingFindings,
) -> Result<()> {
    let counts = set::write_dataset(folder, workload, options.quick)?;
    let job = EvaluationJob { folder: folder.into(), runs: options.evaluations };
    let ours = job.run_in_child(program)?;
    let mut theirs = None;
    if let Some(command) = peers {
        let mut peers = Peers::start(command, folder)?;
        let (measured, check) = of_peer(&mut peers, "evaluate", (0, options.evaluations))?;
        agree(&ours.check, &check)?;
        theirs = Some(measured);
    }
    let name = format!("eval-{}x{}-vit-b16-bert", counts.images, counts.captions);
    let ours = Measured { seconds: ours.run_seconds, peak: ours.peak_bytes };
    found.rows.push(rows::row(name, &ours, theirs.as_ref()));
    Ok(())
}

/// Seconds of each timed run, and the peak of the process or the highest of several.
struct Measured {
    seconds: Vec<f64>,
    peak: Option<u64>,
}

impl Measured {
    fn summary(&self) -> Summary {
        Summary::of(self.seconds.clone())
    }

    /// Several processes together; nothing of none.
    fn all(parts: Vec<Self>) -> Option<Self> {
        parts.into_iter().reduce(|mut all, part| {
            all.seconds.extend(part.seconds);
            all.peak = all.peak.max(part.peak);
            all
        })
    }
}

impl From<Measurement> for Measured {
    fn from(measurement: Measurement) -> Self {
        Self { seconds: measurement.run_seconds, peak: measurement.peak_bytes }
    }
}

/// The same request several times: first as often to warm up, then timed.
fn of_peer(
    peers: &mut Peers,
    request: &str,
    (warmup, timed): (usize, usize),
) -> Result<(Measured, Vec<f64>)> {
    let mut measured = Measured { seconds: Vec::new(), peak: None };
    let mut check = Vec::new();
    for run in 0..warmup + timed {
        let answer = peers.run(request)?;
        note!("peer, {request}: run {run}, {:.3} s", answer.seconds);
        if run >= warmup {
            measured.seconds.push(answer.seconds);
        }
        measured.peak = measured.peak.max(answer.peak_bytes);
        check = answer.check;
    }
    Ok((measured, check))
}

/// Same weights, same pictures, same captions: the same scores.
fn agree(ours: &[f64], theirs: &[f64]) -> Result<()> {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= AGREEMENT;
    match ours.len() == theirs.len() && ours.iter().zip(theirs).all(close) {
        true => Ok(()),
        false => Err(Error::Usage(format!("the peer has other scores: {theirs:?}, ours {ours:?}"))),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn peers_that_disagree_are_named() {
        assert!(agree(&[1.0, 2.0], &[1.0005, 2.0]).is_ok());
        let error = agree(&[1.0, 2.0], &[1.0, 2.1]).unwrap_err().to_string();
        assert!(error.contains("other scores"), "{error}");
        assert!(agree(&[1.0, 2.0], &[1.0]).is_err());
    }

    #[test]
    fn processes_add_their_runs_and_the_highest_peak_counts() {
        let part = |seconds: &[f64], peak| Measured { seconds: seconds.into(), peak: Some(peak) };
        let all = Measured::all(vec![part(&[1.0, 3.0], 7), part(&[2.0], 9), part(&[4.0], 8)]);
        let all = all.unwrap();
        assert_eq!((all.seconds.len(), all.peak, all.summary().median), (4, Some(9), 2.5));
        assert!(Measured::all(Vec::new()).is_none());
    }

    #[test]
    fn a_peer_is_asked_for_warm_up_and_timed_runs() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"echo '{}'; n=0; while read -r line; do n=$((n+1));
            echo "{\"seconds\": $n, \"check\": [0.5], \"peak_bytes\": $((n*10))}"; done"#;
        let command = ["sh", "-c", script].map(str::to_owned);
        let mut peers = Peers::start(&command, folder.path()).unwrap();
        let (measured, check) = of_peer(&mut peers, "step 4", (1, 2)).unwrap();
        assert_eq!((measured.seconds, measured.peak), (vec![2.0, 3.0], Some(30)));
        assert_eq!(check, [0.5]);
    }
}
