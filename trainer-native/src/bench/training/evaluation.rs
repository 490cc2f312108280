//! Our evaluation from files to ranks, in a process of its own.

use std::path::{Path, PathBuf};
use std::time::Instant;

use avse_core::Avse;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::bench::child;
use crate::data::{Dataset, DatasetSpec};
use crate::evaluate::{Pairs, encode_split};
use crate::machine::peak_memory;
use crate::terminal::note;

/// What follows the program's name in the process that [`EvaluationJob::run_in_child`] starts.
const CHILD_ARGUMENTS: [&str; 2] = ["bench", "evaluation"];
/// Images, and captions, whose scores are compared with the peer's.
const CHECKED: usize = 8;

/// An evaluation of the split `test` in `data` by the model in `bundle`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluationJob {
    /// Holds both.
    pub folder: PathBuf,
    /// How often.
    pub runs: usize,
}

/// What was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Evaluated {
    /// Seconds of each run.
    pub run_seconds: Vec<f64>,
    /// Scores of the first images with the first captions, row by row.
    pub check: Vec<f64>,
    /// Largest resident memory.
    pub peak_bytes: Option<u64>,
}

impl EvaluationJob {
    /// Runs it in a new process of `program`, which must hand its input to [`EvaluationJob::answer`].
    pub(super) fn run_in_child(&self, program: &Path) -> Result<Evaluated> {
        child::ask(program, CHILD_ARGUMENTS, self, "an evaluation")
    }

    /// A job as JSON in, what was measured as JSON out.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) when `input` is no job; whatever is wrong with its files.
    pub fn answer(input: &str) -> Result<String> {
        child::answer(input, Self::run)
    }

    fn run(&self) -> Result<Evaluated> {
        let (avse, _) = Avse::load(self.folder.join("bundle"), &Device::flex())?;
        let mut run_seconds = Vec::new();
        let mut check = Vec::new();
        for run in 0..self.runs {
            let start = Instant::now();
            let data_path = self.folder.join("data");
            let spec = DatasetSpec { name: "f30k".into(), data_path, images: None };
            let split = Dataset::open(&spec)?.split("test")?;
            let encoded = [encode_split(&avse, &split, true)?];
            let pairs = Pairs::new(&encoded)?;
            std::hint::black_box(pairs.ranks()?.evaluate());
            run_seconds.push(start.elapsed().as_secs_f64());
            note!("evaluation: run {run}, {:.3} s", run_seconds[run]);
            let (images, captions) = (CHECKED.min(pairs.images()), CHECKED.min(pairs.captions()));
            let scores = pairs.block(0..images, 0..captions)?;
            check = scores.into_iter().map(f64::from).collect();
        }
        Ok(Evaluated { run_seconds, check, peak_bytes: peak_memory() })
    }
}
