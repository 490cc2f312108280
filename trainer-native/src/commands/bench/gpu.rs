//! `avse bench gpu`: one piece of work on one device.

use std::time::Duration;

use clap::ValueEnum;

use crate::bench::training::network;
use crate::bench::{GpuJob, Phase, VitSize, Workload, check_collective};
use crate::terminal::say;
use crate::train::{Method, Precision};
use crate::{Error, Result};

const EXAMPLES: &str = "\
Examples:
  avse bench gpu --gpu-id 0 --batch_size 128 --precision bf16
  avse bench gpu --gpu-id 0 --what images --batch_size 100 --repetitions 10
  avse bench gpu --gpu-id 0,1 --what collective";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Training steps of ViT-B/16 and BERT-base
    Step,
    /// Encoding of images
    Images,
    /// Encoding of captions
    Captions,
    /// What several replicas tell each other, also on one device alone
    Collective,
    /// The network's sizes, for a peer
    Network,
}

/// Options of `avse bench gpu`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct GpuArgs {
    /// What to do
    #[arg(long, value_enum, default_value = "step")]
    what: Work,
    /// Device: a GPU's number, `auto` or `cpu`; for `--what collective` a list like 0,1
    #[arg(long = "gpu-id", alias = "gpu_id", default_value = "auto")]
    gpu_id: String,
    /// Pairs of a step, or images or captions that are encoded together
    #[arg(long = "batch_size", alias = "batch-size", default_value_t = 128)]
    batch_size: usize,
    /// Samples that the backbones take at once (0: all)
    #[arg(long = "micro-batch", alias = "micro_batch", default_value_t = 0)]
    micro_batch: usize,
    /// Compute the backbones' layers again instead of keeping them
    #[arg(long)]
    recompute: bool,
    /// What the backbones compute in, in a step
    #[arg(long, value_enum, default_value = "f32")]
    precision: Precision,
    /// Side of the network's input in pixels
    #[arg(long = "img_res", alias = "img-res", default_value_t = 256)]
    img_res: usize,
    /// Runs before the timed ones
    #[arg(long, default_value_t = 2)]
    warmup: usize,
    /// Timed runs
    #[arg(long, default_value_t = 20)]
    repetitions: usize,
    /// Seconds after which no further timed run begins
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Tiny sizes, to try the command; the figures mean nothing
    #[arg(long, conflicts_with = "img_res")]
    quick: bool,
}

impl GpuArgs {
    pub(super) fn run(self) -> Result<()> {
        let found = match self.phase() {
            Some(phase) => serde_json::to_value(self.job(phase)?.run()?),
            None if self.what == Work::Collective => {
                serde_json::to_value(check_collective(&self.gpu_id)?)
            }
            None => Ok(network(&self.workload())?),
        };
        say!("{}", found.map_err(|e| Error::Usage(format!("JSON: {e}")))?)?;
        Ok(())
    }

    fn phase(&self) -> Option<Phase> {
        match self.what {
            Work::Step => Some(Phase::Step),
            Work::Images => Some(Phase::Images),
            Work::Captions => Some(Phase::Captions),
            Work::Collective | Work::Network => None,
        }
    }

    fn workload(&self) -> Workload {
        let mut workload = match self.quick {
            true => Workload::quick(),
            false => Workload::published(VitSize::Base, self.img_res),
        };
        workload.gpu_id.clone_from(&self.gpu_id);
        (workload.warmup, workload.repetitions) = (self.warmup, self.repetitions);
        workload
    }

    fn job(&self, phase: Phase) -> Result<GpuJob> {
        let limit = Duration::try_from_secs_f64(self.seconds)
            .map_err(|e| Error::Usage(format!("--seconds {}: {e}", self.seconds)))?;
        if phase != Phase::Step && self.precision != Precision::F32 {
            return Err(Error::Usage("--precision: encoding is always in f32".into()));
        }
        let mut workload = self.workload();
        let batch = match phase {
            Phase::Step => &mut workload.step_batch,
            Phase::Images => &mut workload.image_batch,
            Phase::Captions => &mut workload.caption_batch,
        };
        *batch = self.batch_size;
        let micro_batch = if self.micro_batch < self.batch_size { self.micro_batch } else { 0 };
        let method = Method {
            micro_batch,
            recompute: self.recompute,
            precision: self.precision,
            ..Method::default()
        };
        Ok(GpuJob { phase, workload, method, limit })
    }
}
