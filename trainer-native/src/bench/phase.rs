//! The three measured phases, each run in a process of its own.

use std::path::Path;
use std::time::Instant;

use avse_core::image::ImageTower;
use avse_core::loss::Negatives;
use avse_core::text::tokenizer::TokenBatch;
use avse_core::{AvseModel, token_tensor};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Workload, child, flops};
use crate::machine::peak_memory;
use crate::terminal::note;
use crate::train::{
    Batch, HostCollective, LossScale, Method, Objective, Optimiser, Replica, StepPlan, TrainConfig,
};
use crate::{Error, Result, device};

/// What follows the program's name in the process that [`Job::run_in_child`] starts.
pub const CHILD_ARGUMENTS: [&str; 2] = ["bench", "phase"];

/// A part of the work that is measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Pixels to image embeddings, all views.
    Images,
    /// Token ids to caption embeddings.
    Captions,
    /// One training step: forward, loss, backward, clipping, AdamW.
    Step,
}

impl Phase {
    /// In the order that they are measured.
    pub const ALL: [Self; 3] = [Self::Images, Self::Captions, Self::Step];

    /// What one item is called.
    pub fn item(self) -> &'static str {
        match self {
            Self::Images => "image",
            Self::Captions => "caption",
            Self::Step => "training step",
        }
    }

    /// Things encoded together.
    pub fn batch(self, workload: &Workload) -> usize {
        match self {
            Self::Images => workload.image_batch,
            Self::Captions => workload.caption_batch,
            Self::Step => workload.step_batch,
        }
    }

    /// Items that one run handles: what is encoded, but one step.
    pub fn items(self, workload: &Workload) -> usize {
        match self {
            Self::Images | Self::Captions => self.batch(workload),
            Self::Step => 1,
        }
    }
}

/// A phase to be measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Which.
    pub phase: Phase,
    /// At which shapes.
    pub workload: Workload,
    /// How a training step's gradients are computed.
    #[serde(default)]
    pub method: Method,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Which phase.
    pub phase: Phase,
    /// The device that it ran on.
    pub device: String,
    /// Seconds of each timed run, in their order; a run handles a whole batch.
    pub run_seconds: Vec<f64>,
    /// Items of a run.
    pub items: usize,
    /// Floating-point operations of a run, where they can be counted.
    pub run_flops: Option<f64>,
    /// Largest resident memory of the phase's process (host memory, also with a GPU).
    pub peak_bytes: Option<u64>,
}

/// Seconds of several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Median of the runs.
    pub median: f64,
    /// Fastest run.
    pub min: f64,
    /// Slowest run.
    pub max: f64,
}

impl Summary {
    /// Of these runs; NaN without any.
    pub fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let at = |index: usize| seconds.get(index).copied().unwrap_or(f64::NAN);
        let last = seconds.len().saturating_sub(1);
        let median = 0.5 * (at(last / 2) + at(last.div_ceil(2)));
        Self { median, min: at(0), max: at(last) }
    }
}

impl Measurement {
    /// Seconds an item over the runs; NaN without a run.
    pub fn summary(&self) -> Summary {
        let items = self.items.max(1) as f64;
        Summary::of(self.run_seconds.iter().map(|run| run / items).collect())
    }

    /// Operations a second at the median.
    pub fn flops_per_second(&self) -> Option<f64> {
        Some(self.run_flops? / (self.summary().median * self.items as f64))
    }
}

impl Job {
    /// Runs the phase in a new process of `program`, which is given [`CHILD_ARGUMENTS`] and
    /// must hand its input to [`Job::answer`].
    ///
    /// # Errors
    /// [`Error::Usage`] when that process fails; it has said why on standard error.
    pub fn run_in_child(&self, program: &Path) -> Result<Measurement> {
        let what = format!("one {}", self.phase.item());
        child::ask(program, CHILD_ARGUMENTS, self, &what)
    }

    /// The other end of [`Job::run_in_child`]: a job as JSON in, its measurement as JSON out.
    ///
    /// # Errors
    /// [`Error::Usage`] when `input` is no job, and as [`Job::run`].
    pub fn answer(input: &str) -> Result<String> {
        child::answer(input, Self::run)
    }

    /// Runs the phase here.
    ///
    /// # Errors
    /// An impossible workload, or a device that fails.
    pub fn run(&self) -> Result<Measurement> {
        let (phase, workload) = (self.phase, &self.workload);
        workload.validate()?;
        let device = device::choose(&workload.gpu_id)?;
        device.seed(workload.seed);
        let run_seconds = match phase {
            Phase::Images => timed(phase, workload, images(workload, &device)?)?,
            Phase::Captions => timed(phase, workload, captions(workload, &device)?)?,
            Phase::Step => steps(workload, self.method, &device)?,
        };
        Ok(Measurement {
            phase,
            device: device::describe(&device),
            run_seconds,
            items: phase.items(workload),
            run_flops: flops::of_phase(phase, workload),
            peak_bytes: peak_memory(),
        })
    }
}

/// Encodes a batch of images again and again.
pub(super) fn images(
    workload: &Workload,
    device: &Device,
) -> Result<impl FnMut(usize) -> Result<()> + use<>> {
    let (model, batch, side) =
        (network(workload, device)?, workload.image_batch, workload.model.image_size);
    let plan = workload.model.sampling.fixed_plan(ImageTower::grid(&workload.model), batch);
    let (host, device) = (pixels(workload, batch), device.clone());
    Ok(move |_| {
        let data = TensorData::new(host.clone(), [batch, 3, side, side]);
        read(model.encode_images(Tensor::from_data(data, &device), &plan))
    })
}

/// Encodes a batch of captions again and again.
pub(super) fn captions(
    workload: &Workload,
    device: &Device,
) -> Result<impl FnMut(usize) -> Result<()> + use<>> {
    let (model, device) = (network(workload, device)?, device.clone());
    let tokens = tokens(workload, workload.caption_batch);
    Ok(move |_| read(model.encode_captions(token_tensor(&tokens, &device), &tokens.lengths)))
}

fn steps(workload: &Workload, method: Method, device: &Device) -> Result<Vec<f64>> {
    let mut trainee = Trainee::new(workload, method, device)?;
    timed(Phase::Step, workload, |run| {
        trainee.step(run)?;
        wait(device)
    })
}

/// A network of random weights in training, and the batch that all its steps take: as `avse train` does it, with
/// its default optimiser and loss.
pub(super) struct Trainee<'a> {
    workload: &'a Workload,
    method: Method,
    config: TrainConfig,
    replica: Option<Replica>,
    /// Without its pixels.
    batch: Batch,
    /// `[B, 3, R, R]`, on the autodiff device: a run has the next batch there before it is needed.
    pixels: Tensor<4>,
    alone: HostCollective,
    /// Losses of the steps whose figures have been read.
    pub(super) losses: Vec<f64>,
}

impl<'a> Trainee<'a> {
    pub(super) fn new(workload: &'a Workload, method: Method, device: &Device) -> Result<Self> {
        let device = device.clone().autodiff();
        let config = TrainConfig::default();
        let model = network(workload, &device)?;
        let optimiser = Optimiser::new(&model, &config.optimiser);
        let scale = LossScale::new(method.precision);
        let every = config.log_every(&device);
        let count = workload.step_batch;
        let side = workload.model.image_size;
        let data = TensorData::new(pixels(workload, count), [count, 3, side, side]);
        let (pixels, tokens) = (Tensor::from_data(data, &device), tokens(workload, count));
        let grid = ImageTower::grid(&workload.model);
        let plan = workload.model.sampling.random_plan(grid, count, &mut rng(workload));
        let batch = Batch { pixels: Vec::new(), tokens, plan };
        let (alone, losses) = (HostCollective::new(1), Vec::new());
        let replica = Some(Replica::new((0, device), model, optimiser, scale, every));
        Ok(Self { workload, method, config, replica, batch, pixels, alone, losses })
    }

    /// One step, which the device may still be at. Does nothing after a failed step: the weights are gone.
    pub(super) fn step(&mut self, run: usize) -> Result<()> {
        let objective = Objective {
            model: &self.workload.model,
            loss: &self.config.loss,
            negatives: Negatives::All,
        };
        let (rate, seed) = (self.config.optimiser.learning_rate, self.workload.seed + run as u64);
        let plan = StepPlan { step: run + 1, objective, method: self.method, rate, seed };
        // Given away for the step: nothing else may hold its weights.
        let Some(before) = self.replica.take() else { return Ok(()) };
        let pixels = self.pixels.clone();
        self.replica = Some(before.step_with(&self.batch, pixels, &plan, &self.alone)?);
        match &self.replica {
            Some(replica) if replica.should_read() => self.read(),
            _ => Ok(()),
        }
    }

    /// Waits for the steps so far and takes note of their losses.
    pub(super) fn read(&mut self) -> Result<()> {
        let Some(replica) = &mut self.replica else { return Ok(()) };
        let losses = &mut self.losses;
        replica.read(&mut |report| {
            losses.push(report.loss);
            Ok(())
        })
    }
}

/// Waits until the device has done everything.
pub(super) fn wait(device: &Device) -> Result<()> {
    device.sync().map_err(|e| device_failed(&e))
}

/// The whole network, as evaluation and training hold it, also where one tower would do.
fn network(workload: &Workload, device: &Device) -> Result<AvseModel> {
    Ok(AvseModel::new(&workload.model, device)?.drawn())
}

/// Seconds of each run after the warm-up; `work` is told the run's number and must wait for
/// its results.
fn timed(
    phase: Phase,
    workload: &Workload,
    mut work: impl FnMut(usize) -> Result<()>,
) -> Result<Vec<f64>> {
    let mut timed = Vec::with_capacity(workload.repetitions);
    for run in 0..workload.warmup + workload.repetitions {
        let began = Instant::now();
        work(run)?;
        let seconds = began.elapsed().as_secs_f64();
        let batch = phase.batch(workload);
        let what = match (run + 1).checked_sub(workload.warmup) {
            None | Some(0) => "warm-up".to_string(),
            Some(number) => format!("run {number} of {}", workload.repetitions),
        };
        note!("{}, batch {batch}: {what}, {seconds:.3} s", phase.item());
        if run >= workload.warmup {
            timed.push(seconds);
        }
    }
    Ok(timed)
}

/// Waits for a result.
fn read(embeddings: Tensor<2>) -> Result<()> {
    embeddings.try_into_data().map(drop).map_err(|e| device_failed(&e))
}

fn device_failed(error: &dyn std::fmt::Debug) -> Error {
    Error::Device(format!("{error:?}"))
}

fn rng(workload: &Workload) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(workload.seed)
}

/// `[batch, 3, R, R]` of about the range of normalised pixels.
fn pixels(workload: &Workload, batch: usize) -> Vec<f32> {
    let mut rng = rng(workload);
    let count = batch * 3 * workload.model.image_size.pow(2);
    (0..count).map(|_| rng.random_range(-2.0f32..2.0)).collect()
}

/// Captions of one length, without padding.
fn tokens(workload: &Workload, batch: usize) -> TokenBatch {
    let mut rng = rng(workload);
    let (width, entries) = (workload.caption_tokens, workload.model.text.vocab_size as u32);
    let ids = (0..batch * width).map(|_| rng.random_range(0..entries)).collect();
    TokenBatch { ids, lengths: vec![width; batch], width, truncated: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(run_seconds: Vec<f64>) -> Measurement {
        Measurement {
            phase: Phase::Images,
            device: "test".into(),
            run_seconds,
            items: 2,
            run_flops: Some(12.0),
            peak_bytes: None,
        }
    }

    #[test]
    fn seconds_an_item() {
        let three = measured(vec![8.0, 2.0, 6.0]);
        assert_eq!(three.summary(), Summary { median: 3.0, min: 1.0, max: 4.0 });
        assert_eq!(three.flops_per_second(), Some(2.0));
        let two = measured(vec![4.0, 2.0]);
        assert_eq!(two.summary(), Summary { median: 1.5, min: 1.0, max: 2.0 });
        assert!(measured(vec![]).summary().median.is_nan());
    }
}
