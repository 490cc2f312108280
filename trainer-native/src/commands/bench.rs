//! `avse bench`: speed and memory of this build on this machine.

mod gallery;
mod gpu;
mod loader;
mod memory;
mod model;
mod output;
mod similarity;
mod training;

use std::io::Read;
use std::process::ExitCode;

use clap::Subcommand;

use crate::bench::Job;
use crate::bench::training::EvaluationJob;
use crate::terminal::say;
use crate::{Error, Result};

/// Options of `avse bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Encoding of images and captions and a training step, with random weights
    ///
    /// ViT and BERT-base of the published shapes; seconds, GFLOP/s and peak memory of each,
    /// beside what the official code takes. Each phase runs in a process of its own.
    Model(model::ModelArgs),
    /// Peak memory of a training step with --micro-batch and --recompute on and off
    ///
    /// Measured for ViT-B/16 + BERT-base at 256 px on the CPU, a process each; predicted for larger
    /// batches and the other published backbones by a formula fitted to what was measured.
    Memory(memory::MemoryArgs),
    /// The similarity engine: score matrix, recall, one query among 100,000 images
    ///
    /// Random unit blocks of the published shapes on the processor; seconds, and the operations
    /// and bytes that the work takes at the least.
    Similarity(similarity::SimilarityArgs),
    /// The training loader: images a second and worker, from JPEG files to normalised crops
    ///
    /// Decoding, random crop, resize, mirror and normalisation, as training does them.
    Loader(loader::LoaderArgs),
    /// Training steps and an evaluation of the published network: seconds and peak memory
    ///
    /// ViT-B/16 and BERT-base at 256 px: steps at batch 4 and 32, with --micro-batch and --recompute; 200
    /// photographs and 1,000 captions from files to recalls. About 10 minutes, with the peer 25.
    Training(training::TrainingArgs),
    /// A gallery of random embeddings: seconds, and anonymous memory, of building and searching it
    Gallery(gallery::GalleryArgs),
    /// One piece of work on one device: seconds, and what its memory held, as JSON
    ///
    /// For trying a machine with GPUs; bench/gpu/run.py asks for one after the other.
    Gpu(gpu::GpuArgs),
    /// One phase, as `model` starts it: the job as JSON on standard input
    #[command(hide = true)]
    Phase,
    /// An evaluation, as `training` starts it: the job as JSON on standard input
    #[command(hide = true)]
    Evaluation,
}

impl Args {
    /// Measures and prints.
    ///
    /// # Errors
    /// An impossible option, a phase that failed, or a file that cannot be written.
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Model(args) => args.run()?,
            What::Memory(args) => args.run()?,
            What::Similarity(args) => args.run()?,
            What::Loader(args) => args.run()?,
            What::Gallery(args) => args.run()?,
            What::Training(args) => args.run()?,
            What::Gpu(args) => args.run()?,
            What::Phase => say!("{}", Job::answer(&standard_input()?)?)?,
            What::Evaluation => say!("{}", EvaluationJob::answer(&standard_input()?)?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    let mut input = std::io::stdin();
    input.read_to_string(&mut text).map_err(|e| Error::io("standard input", e))?;
    Ok(text)
}
