//! `avse bench`: speed and memory of this build on this machine.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use avse_core::similarity::BlockShape;
use clap::Subcommand;

use super::bench_loader::LoaderArgs;
use super::bench_similarity::SimilarityArgs;
use super::bench_training::TrainingArgs;
use super::source::Precision;
use crate::bench::training::EvaluationJob;
use crate::bench::{self, Job, Machine, Phase, Report, VitSize, Workload};
use crate::gallery::{self, BenchOptions};
use crate::train::Method;
use crate::{Error, Result, device, files};

const EXAMPLES: &str = "\
Examples:
  avse bench model
  avse bench model --vit small --img_res 224 --repetitions 3
  RAYON_NUM_THREADS=2 avse bench model --json bench/model.json";

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
    Model(ModelArgs),
    /// Peak memory of a training step with --micro-batch and --recompute on and off
    ///
    /// Measured for ViT-B/16 + BERT-base at 256 px on the CPU, a process each; predicted for larger
    /// batches and the other published backbones by a formula fitted to what was measured.
    Memory(MemoryArgs),
    /// The similarity engine: score matrix, recall, one query among 100,000 images
    ///
    /// Random unit blocks of the published shapes on the processor; seconds, and the operations
    /// and bytes that the work takes at the least.
    Similarity(SimilarityArgs),
    /// The training loader: images a second and worker, from JPEG files to normalised crops
    ///
    /// Decoding, random crop, resize, mirror and normalisation, as training does them.
    Loader(LoaderArgs),
    /// Training steps and an evaluation of the published network: seconds and peak memory
    ///
    /// ViT-B/16 and BERT-base at 256 px: steps at batch 4 and 32, with --micro-batch and --recompute; 200
    /// photographs and 1,000 captions from files to recalls. About 10 minutes, with the peer 25.
    Training(TrainingArgs),
    /// A gallery of random embeddings: seconds, and anonymous memory, of building and searching it
    Gallery(GalleryArgs),
    /// One phase, as `model` starts it: the job as JSON on standard input
    #[command(hide = true)]
    Phase,
    /// An evaluation, as `training` starts it: the job as JSON on standard input
    #[command(hide = true)]
    Evaluation,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct ModelArgs {
    /// Side of the network's input in pixels
    #[arg(long = "img_res", alias = "img-res", default_value_t = 256)]
    img_res: usize,
    /// Size of the Vision Transformer
    #[arg(long, value_enum, default_value = "base")]
    vit: VitSize,
    /// Device: a GPU's number, `auto` or `cpu`
    #[arg(long = "gpu-id", alias = "gpu_id", default_value = "auto")]
    gpu_id: String,
    /// Timed runs of each phase, after one warm-up [default: 5]
    #[arg(long)]
    repetitions: Option<usize>,
    /// Tiny sizes, to try the command; the figures mean nothing
    #[arg(long, conflicts_with_all = ["img_res", "vit"])]
    quick: bool,
    /// Also write the raw numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
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
            What::Phase => println!("{}", Job::answer(&standard_input()?)?),
            What::Evaluation => println!("{}", EvaluationJob::answer(&standard_input()?)?),
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  avse bench memory\n  avse bench memory --json bench/memory.json"
)]
struct MemoryArgs {
    /// A tiny network, to try the command; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Also write the raw numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl MemoryArgs {
    fn run(self) -> Result<()> {
        if let Some(path) = &self.json {
            check_folder("--json", path)?;
        }
        let report = bench::memory(&own_program()?, self.quick)?;
        print!("{}", report.table());
        for row in report.misses() {
            eprintln!(
                "warning: the formula is off by more than {:.0}% at batch {}, {:?}",
                100.0 * bench::MEMORY_TOLERANCE,
                row.batch,
                row.method
            );
        }
        if let Some(path) = &self.json {
            files::write_atomically(path, &files::json(&report)?)?;
            eprintln!("raw numbers: {}", path.display());
        }
        Ok(())
    }
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    let mut input = std::io::stdin();
    input.read_to_string(&mut text).map_err(|e| Error::io("standard input", e))?;
    Ok(text)
}

pub(super) fn own_program() -> Result<PathBuf> {
    std::env::current_exe()
        .map_err(|e| Error::Usage(format!("this program's own file is not to be found: {e}")))
}

const GALLERY_EXAMPLES: &str = "\
Examples:
  avse bench gallery
  avse bench gallery --items 1000000 --folder /var/tmp --json gallery.json";

#[derive(Debug, clap::Args)]
#[command(after_help = GALLERY_EXAMPLES)]
struct GalleryArgs {
    /// Number of images; a million take 6.2 GB on disk, twice that for a while
    #[arg(long, default_value_t = 20_000)]
    items: usize,
    /// Blocks of an image
    #[arg(long, default_value_t = 8)]
    blocks: usize,
    /// Numbers of a block
    #[arg(long, default_value_t = 256)]
    width: usize,
    /// How blocks are kept beside the 8-bit ones
    #[arg(long, value_enum, default_value = "f16")]
    precision: Precision,
    /// Searches
    #[arg(long, default_value_t = 10)]
    queries: usize,
    /// Folder for the gallery, which is removed afterwards
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Also write the raw numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl GalleryArgs {
    fn run(self) -> Result<()> {
        if let Some(path) = &self.json {
            check_folder("--json", path)?;
        }
        let report = gallery::bench(&BenchOptions {
            items: self.items,
            shape: BlockShape { blocks: self.blocks, width: self.width },
            precision: self.precision.stored(),
            queries: self.queries,
            limit: 10,
            folder: self.folder,
        })?;
        print!("{report}");
        if let Some(path) = &self.json {
            files::write_atomically(path, &files::json(&report)?)?;
            eprintln!("raw numbers: {}", path.display());
        }
        Ok(())
    }
}

impl ModelArgs {
    fn run(self) -> Result<()> {
        let workload = self.workload();
        workload.validate()?;
        device::choose(&workload.gpu_id)?;
        if let Some(path) = &self.json {
            check_folder("--json", path)?;
        }
        let program = own_program()?;
        let machine = Machine::here();
        let measurements = Phase::ALL
            .into_iter()
            .map(|phase| {
                let (workload, method) = (workload.clone(), Method::default());
                Job { phase, workload, method }.run_in_child(&program)
            })
            .collect::<Result<_>>()?;
        let report = Report::new(machine, workload, measurements);
        print!("{}", report.table());
        if let Some(path) = &self.json {
            files::write_atomically(path, &files::json(&report)?)?;
            eprintln!("raw numbers: {}", path.display());
        }
        Ok(())
    }

    fn workload(&self) -> Workload {
        let mut workload = match self.quick {
            true => Workload::quick(),
            false => Workload::published(self.vit, self.img_res),
        };
        workload.gpu_id.clone_from(&self.gpu_id);
        if let Some(repetitions) = self.repetitions {
            workload.repetitions = repetitions;
        }
        workload
    }
}

/// Minutes of measuring should not end in a file that cannot be written.
pub(super) fn check_folder(option: &str, path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(Error::Usage(
            format!("{option} {}: there is no folder {}", path.display(), folder.display()),
        )),
        _ => Ok(()),
    }
}
