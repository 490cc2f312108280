//! One piece of work on one device: seconds, and what the device's memory held. The script that tries a machine
//! with GPUs (bench/gpu/run.py) asks for one at a time, each in a process of its own that it can end.

use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;

use super::phase::{Trainee, captions, images, wait};
use super::{Phase, Workload, flops};
use crate::machine::peak_memory;
use crate::terminal::note;
use crate::train::memory::{Layers, Sizes, weights};
use crate::train::{Collective, HostCollective, Membership, Method, Precision, nccl, room};
use crate::{Error, Result, device};

/// Steps between two waits for the device: enough that it never runs out of work, few enough that the time limit
/// holds.
const TOGETHER: usize = 4;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct GpuJob {
    /// Encoding or a training step.
    pub phase: Phase,
    /// Device, shapes and how often.
    pub workload: Workload,
    /// How a training step's gradients are computed.
    pub method: Method,
    /// Ends the timed runs, also before their number is reached.
    pub limit: Duration,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct GpuMeasurement {
    /// What was done.
    pub phase: Phase,
    /// The device that did it.
    pub device: String,
    /// Images, captions or pairs of a run.
    pub batch: usize,
    /// How gradients were computed.
    pub method: Method,
    /// Seconds of each run before the timed ones; the first compiles the kernels and chooses among them.
    pub warmup_seconds: Vec<f64>,
    /// Seconds of a timed run; of steps, means over a few that the device may do without a pause.
    pub run_seconds: Vec<f64>,
    /// Images, captions or pairs a second, over all timed runs.
    pub per_second: f64,
    /// Floating-point operations a second, where those of a run can be counted.
    pub flops_per_second: Option<f64>,
    /// Loss of the first and of the last step.
    pub losses: Vec<f64>,
    /// Bytes in use and reserved by the device's allocator at the end; it gives nothing back by itself, so what is
    /// reserved is its peak.
    pub device_memory: Option<HeldMemory>,
    /// What the memory formula for GPUs counts for this step.
    pub counted: Option<Counted>,
    /// Largest resident memory of the process on the host.
    pub host_peak_bytes: Option<u64>,
}

/// What the device's allocator holds, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct HeldMemory {
    /// Taken by tensors.
    pub in_use: u64,
    /// Taken from the device.
    pub reserved: u64,
}

/// Terms of the memory formula: peak = fixed + `weights` + bytes a number x `kept`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Counted {
    /// Weights, gradients and moments, in bytes.
    pub weights: f64,
    /// Numbers that a graph keeps at once.
    pub kept: f64,
    /// The peak that the formula for GPUs says, in bytes.
    pub predicted: f64,
}

impl GpuJob {
    /// Does it here.
    ///
    /// # Errors
    /// An impossible workload, a device that is not there, cannot or fails.
    pub fn run(&self) -> Result<GpuMeasurement> {
        let (workload, phase) = (&self.workload, self.phase);
        workload.validate()?;
        let device = device::choose(&workload.gpu_id)?;
        self.method.precision.check(std::slice::from_ref(&device))?;
        device.seed(workload.seed);
        let mut losses = Vec::new();
        let (warmup_seconds, run_seconds) = match phase {
            Phase::Images => self.encoded(images(workload, &device)?)?,
            Phase::Captions => self.encoded(captions(workload, &device)?)?,
            Phase::Step => room::explained(None, &device, || self.steps(&device, &mut losses))?,
        };
        let batch = phase.batch(workload);
        let mean = run_seconds.iter().sum::<f64>() / run_seconds.len() as f64;
        Ok(GpuMeasurement {
            phase,
            device: device::describe(&device),
            batch,
            method: self.method,
            per_second: batch as f64 / mean,
            flops_per_second: flops::of_phase(phase, workload).map(|count| count / mean),
            warmup_seconds,
            run_seconds,
            losses,
            device_memory: device.memory_pool_usage().map(|usage| HeldMemory {
                in_use: usage.bytes_in_use,
                reserved: usage.bytes_reserved,
            }),
            counted: self.counted(&device)?,
            host_peak_bytes: peak_memory(),
        })
    }

    fn counted(&self, device: &Device) -> Result<Option<Counted>> {
        if self.phase != Phase::Step {
            return Ok(None);
        }
        let workload = &self.workload;
        let fused = device::is_cpu(device) && self.method.precision == Precision::F32;
        let layers = if fused { Layers::Fused } else { Layers::Plain };
        let sizes = Sizes::of(&workload.model, workload.caption_tokens, layers)?;
        let kept = sizes.kept(workload.step_batch, self.method);
        let formula = room::formula(self.method.precision);
        let predicted = formula.predict(&sizes, workload.step_batch, self.method);
        Ok(Some(Counted { weights: weights(&sizes, self.method), kept, predicted }))
    }

    /// Warm-up and timed runs of something that waits for its own result.
    fn encoded(&self, mut run: impl FnMut(usize) -> Result<()>) -> Result<(Vec<f64>, Vec<f64>)> {
        let mut warmup = Vec::new();
        let mut timed = Vec::new();
        for at in 0..self.workload.warmup {
            warmup.push(seconds(|| run(at))?);
        }
        let began = Instant::now();
        while timed.is_empty()
            || timed.len() < self.workload.repetitions && began.elapsed() < self.limit
        {
            timed.push(seconds(|| run(timed.len()))?);
        }
        Ok((warmup, timed))
    }

    fn steps(&self, device: &Device, losses: &mut Vec<f64>) -> Result<(Vec<f64>, Vec<f64>)> {
        let mut trainee = Trainee::new(&self.workload, self.method, device)?;
        let mut number = 0;
        let mut several = |count: usize| -> Result<f64> {
            let began = Instant::now();
            for _ in 0..count {
                trainee.step(number)?;
                number += 1;
            }
            wait(device)?;
            Ok(began.elapsed().as_secs_f64() / count as f64)
        };
        let mut warmup = Vec::new();
        for run in 0..self.workload.warmup {
            warmup.push(several(1)?);
            note!("step: warm-up {run}, {:.3} s", warmup[run]);
        }
        let mut timed = Vec::new();
        let mut left = self.workload.repetitions;
        let began = Instant::now();
        while left > 0 && (timed.is_empty() || began.elapsed() < self.limit) {
            let count = left.min(TOGETHER);
            timed.push(several(count)?);
            left -= count;
            note!("step: {:.4} s", timed[timed.len() - 1]);
        }
        trainee.read()?;
        let ends = [trainee.losses.first(), trainee.losses.last()];
        losses.extend(ends.into_iter().flatten());
        Ok((warmup, timed))
    }
}

fn seconds(run: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    run()?;
    Ok(began.elapsed().as_secs_f64())
}

/// What several devices found when they added and exchanged known numbers.
#[derive(Clone, Debug, Serialize)]
pub struct CollectiveCheck {
    /// The devices.
    pub devices: Vec<String>,
    /// Through what they talk.
    pub through: &'static str,
    /// Largest difference from what the sums and the collections are.
    pub error: f64,
    /// Seconds of adding up `bytes` on all devices, the best of a few.
    pub sum_seconds: f64,
    /// Size of what is added up.
    pub bytes: usize,
}

/// Numbers that are added up: as many as a large model's largest weight has.
const NUMBERS: usize = 1 << 24;

/// Tries what replicas tell each other on the devices of `--gpu-id`, also on a single one.
///
/// # Errors
/// A device that is not there; numbers that are wrong.
pub fn check_collective(gpu_ids: &str) -> Result<CollectiveCheck> {
    let devices = device::choose_all(gpu_ids, true)?;
    let (group, through): (Box<dyn Collective>, _) = match nccl(&devices) {
        Some(group) => (group, "NCCL"),
        None => (Box::new(HostCollective::new(devices.len())), "the host's memory"),
    };
    let collective = group.as_ref();
    let outcomes: Vec<Result<(f64, f64)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = devices
            .iter()
            .enumerate()
            .map(|(rank, device)| scope.spawn(move || exchange(collective, rank, device)))
            .collect();
        let crashed = || Err(Error::Usage("a device's thread crashed".into()));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| crashed())).collect()
    });
    let mut found = CollectiveCheck {
        devices: devices.iter().map(device::describe).collect(),
        through,
        error: 0.0,
        sum_seconds: f64::INFINITY,
        bytes: NUMBERS * size_of::<f32>(),
    };
    for outcome in outcomes {
        let (error, seconds) = outcome?;
        found.error = larger(found.error, error);
        found.sum_seconds = found.sum_seconds.min(seconds);
    }
    Ok(found)
}

/// Largest error, and seconds of the fastest sum.
fn exchange(collective: &dyn Collective, rank: usize, device: &Device) -> Result<(f64, f64)> {
    // One that fails ends the others' wait.
    let membership = Membership::new(collective, rank);
    let world = collective.world();
    let own = |rank: usize| (0..NUMBERS).map(move |at| (at % 1000) as f32 + rank as f32);
    let tensor = |values: Vec<f32>| {
        let length = values.len();
        Tensor::<1>::from_data(TensorData::new(values, [length]), device)
    };
    let mine = tensor(own(rank).collect());
    let mut fastest = f64::INFINITY;
    let mut error = 0.0f64;
    for _ in 0..3 {
        wait(device)?;
        let began = Instant::now();
        let sums = collective.sum(rank, vec![mine.clone()])?;
        wait(device)?;
        fastest = fastest.min(began.elapsed().as_secs_f64());
        let ranks = (world * (world - 1) / 2) as f32;
        let expected = (0..NUMBERS).map(|at| (at % 1000 * world) as f32 + ranks);
        for sum in sums {
            error = worst(error, sum, expected.clone())?;
        }
    }
    let all = collective.gather(rank, mine.narrow(0, 0, 1000))?;
    for (rank, row) in all.into_iter().enumerate() {
        error = worst(error, row, own(rank).take(1000))?;
    }
    membership.done();
    Ok((error, fastest))
}

fn worst(before: f64, found: Tensor<1>, expected: impl Iterator<Item = f32>) -> Result<f64> {
    let data = found.try_into_data().map_err(|e| Error::Device(e.to_string()))?;
    let values = data.try_to_vec::<f32>().map_err(|e| Error::Device(e.to_string()))?;
    Ok(values.into_iter().zip(expected).fold(before, |worst, (found, expected)| {
        larger(worst, f64::from((found - expected).abs()))
    }))
}

/// NaN counts as the largest.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b <= a { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::VitSize;

    fn job(phase: Phase) -> GpuJob {
        let mut workload = Workload::quick();
        workload.gpu_id = "cpu".into();
        workload.repetitions = 6;
        GpuJob { phase, workload, method: Method::default(), limit: Duration::from_secs(60) }
    }

    #[test]
    fn steps_are_timed_several_at_once() {
        let found = job(Phase::Step).run().unwrap();
        assert_eq!((found.warmup_seconds.len(), found.run_seconds.len()), (1, 2));
        assert_eq!(found.losses.len(), 2);
        assert!(found.losses[0].is_finite() && found.losses[0] != found.losses[1]);
        let counted = found.counted.unwrap();
        assert!(counted.weights > 0.0 && counted.kept > 0.0);
    }

    #[test]
    fn a_limit_ends_the_runs() {
        for phase in Phase::ALL {
            let mut job = job(phase);
            (job.limit, job.workload.repetitions) = (Duration::ZERO, 1000);
            let found = job.run().unwrap();
            assert_eq!(found.run_seconds.len(), 1, "{phase:?}");
            assert!(found.per_second > 0.0);
        }
    }

    #[test]
    fn exchanged_numbers_are_checked() {
        let found = check_collective("cpu,cpu").unwrap();
        assert_eq!((found.devices.len(), found.error), (2, 0.0));
        let own = |values: [f32; 2]| Tensor::<1>::from_data(values, &Device::flex());
        let expected = [1.0, 2.0].into_iter();
        assert_eq!(worst(0.0, own([1.0, 2.5]), expected.clone()).unwrap(), 0.5);
        assert!(worst(0.0, own([f32::NAN, 9.0]), expected).unwrap().is_nan());
    }

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let mut job = job(Phase::Images);
        job.workload = Workload::published(VitSize::Base, 256);
        job.workload.gpu_id = "nothing".into();
        assert!(job.run().unwrap_err().to_string().contains("--gpu-id nothing"));
    }
}
