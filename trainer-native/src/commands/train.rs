//! `avse train`: the published training command.

mod resolve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Parser};

use super::official::Ignored;
use super::reading::ReadingArgs;
use crate::terminal::{self, note, say};
use crate::train::{Clip, DryRun, Precision, TrainConfig, Trainer, stop_on_ctrl_c};
use crate::{Result, device, runs};

const EXAMPLES: &str = "\
Examples:
  avse train --dataset f30k --gpu-id 0 --img_res 256 --logger_name runs/f30k_vit_224 --batch_size 128 \\
      --vit_type google/vit-base-patch16-224-in21k --embed_size 1024
  avse train --config data/emoji.toml
  avse train --dataset coco --data_path dataset_coco.json --images ~/coco --cache /var/tmp/coco
  avse train --data_path pairs.csv --images ~/Pictures --logger_name runs/own
  avse train --data_path shards/ --logger_name runs/own
  avse train --config data/emoji.toml --num_epochs 2 --logger_name runs/short
  avse train --config data/emoji.toml --dry-run
  avse train --resume --logger_name runs/short
  avse train --dataset coco --gpu-id 0,1,2,3 --multi_gpu 1 --batch_size 64 --sync-bn
  avse train --dataset f30k --batch_size 1024 --micro-batch 32 --precision bf16 --recompute";

/// Train a model.
///
/// The options are those of the official code, with underscores or hyphens. A --config
/// file holds a whole run, also what no option says (a network from scratch, the [heads] of a pretrained
/// one: block_size, views, pooling); options given beside it win.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A whole run as TOML
    #[arg(long)]
    config: Option<PathBuf>,
    /// f30k, coco or emoji
    #[arg(long, default_value = "f30k")]
    dataset: String,
    /// Folder that holds the datasets, or a file (Karpathy's .json, .csv, .tsv, .jsonl), or .tar files:
    /// a folder of them or a pattern like shard-{000000..000009}.tar
    #[arg(long = "data_path", alias = "data-path", default_value = "data")]
    data_path: PathBuf,
    /// Folder of the pictures, when it is not the usual one
    #[arg(long)]
    images: Option<PathBuf>,
    /// Keep decoded pictures in this folder, for later epochs and runs: the same samples, without
    /// decoding. It says first how much it will take; a photo of 640 x 480 takes 0.9 MB
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Device: a GPU's number, `auto` or `cpu`; with --multi_gpu 1 a list like 0,1
    #[arg(long = "gpu-id", alias = "gpu_id", default_value = "auto")]
    gpu_id: String,
    /// Side of the network's input in pixels
    #[arg(long = "img_res", alias = "img-res", default_value_t = 224)]
    img_res: usize,
    /// The run's folder
    #[arg(long = "logger_name", alias = "logger-name", default_value = "runs/test")]
    logger_name: PathBuf,
    /// Captions a step and a device
    #[arg(long = "batch_size", alias = "batch-size", default_value_t = 128)]
    batch_size: usize,
    /// Pretrained image backbone: a folder or a hub name
    #[arg(
        long = "vit_type",
        alias = "vit-type",
        default_value = "google/vit-base-patch16-224-in21k"
    )]
    vit_type: String,
    /// Pretrained text backbone: a folder or a hub name
    #[arg(
        long = "bert_type",
        alias = "bert-type",
        alias = "bert_path",
        alias = "bert-path",
        default_value = "bert-base-uncased"
    )]
    bert_type: String,
    /// Width of a view's and a caption's embedding
    #[arg(long = "embed_size", alias = "embed-size", default_value_t = 1024)]
    embed_size: usize,
    /// Epochs
    #[arg(long = "num_epochs", alias = "num-epochs", default_value_t = 30)]
    num_epochs: usize,
    /// Epochs (from 0) before which the rate falls
    #[arg(long = "lr_schedules", alias = "lr-schedules", num_args = 1.., default_values_t = [9, 15, 20, 25])]
    lr_schedules: Vec<usize>,
    /// What the rate is multiplied by there
    #[arg(long = "decay_rate", alias = "decay-rate", default_value_t = 0.3)]
    decay_rate: f64,
    /// Learning rate of the heads; the backbones take a tenth
    #[arg(long = "learning_rate", alias = "learning-rate", default_value_t = 2e-4)]
    learning_rate: f64,
    /// Margin of the triplet loss
    #[arg(long, default_value_t = 0.2)]
    margin: f64,
    /// Largest gradient norm
    #[arg(long = "grad_clip", alias = "grad-clip", default_value_t = 2.0)]
    grad_clip: f64,
    /// Clip the true gradient norm, or the fp16-scaled one as the official code
    #[arg(long, value_enum, default_value = "true")]
    clip: Clip,
    /// Caption augmentation: 1 on, 0 off
    #[arg(long = "size_augment", alias = "size-augment", default_value_t = 1)]
    size_augment: u8,
    /// Patches of a training view: the nearest (official code) or drawn by weight (paper)
    #[arg(long = "view-sampling", alias = "view_sampling", default_value = "nearest", value_parser = ["nearest", "gumbel"])]
    view_sampling: String,
    /// Regulariser as in the official code, or as the paper writes it
    #[arg(long, default_value = "official", value_parser = ["official", "paper"])]
    regulariser: String,
    /// Threads that prepare batches, for each device (0: half of the cores, shared by all
    /// devices, at most 16 each)
    #[arg(long, default_value_t = 0)]
    workers: usize,
    /// Split that picks the best epoch: auto, test, or a split's name
    #[arg(long = "select-on", alias = "select_on", default_value = "auto")]
    select_on: String,
    /// Seed of every random draw
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Go on with the run of --logger_name where its last checkpoint is, exactly as if it had
    /// never stopped; without one, start it
    #[arg(long)]
    resume: bool,
    /// Steps whose loss and gradient norm are read from the device together; reading waits for the device
    /// (0: 1 on the CPU, 16 on GPUs). Every step's are in the event files
    #[arg(long = "log-every", alias = "log_every", default_value_t = 0)]
    log_every: usize,
    /// Steps between checkpoints within an epoch (0: only after each epoch)
    #[arg(long = "checkpoint-steps", alias = "checkpoint_steps", default_value_t = 0)]
    checkpoint_steps: usize,
    /// Checkpoints that are kept
    #[arg(long = "keep-checkpoints", alias = "keep_checkpoints", default_value_t = 2)]
    keep_checkpoints: usize,
    /// Train on every device of --gpu-id: 1 on, 0 off
    #[arg(long = "multi_gpu", alias = "multi-gpu")]
    multi_gpu: Option<u8>,
    /// Batch norm over the captions of all devices, not of each
    #[arg(long = "sync-bn", alias = "sync_bn")]
    sync_bn: bool,
    /// Samples that the backbones take at once, for large batches in little memory (0: all)
    #[arg(long = "micro-batch", alias = "micro_batch", default_value_t = 0)]
    micro_batch: usize,
    /// Compute the backbones' layers again instead of keeping them: less memory, more time
    #[arg(long)]
    recompute: bool,
    /// What the backbones compute in; weights, heads and loss are always f32
    #[arg(long, value_enum, default_value = "f32")]
    precision: Precision,
    /// Check data, weights (fetched where they are named by the hub) and devices and print the run as
    /// TOML, without training or making its folder; all problems are listed, and the exit code is then 1
    #[arg(long = "dry-run", alias = "dry_run")]
    dry_run: bool,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    ignored: Ignored,
}

impl Args {
    /// Trains.
    ///
    /// # Errors
    /// Whatever stopped the run, in words for its user.
    pub fn run(self, matches: &ArgMatches) -> Result<ExitCode> {
        self.ignored.warn(matches);
        let several = self.multi_gpu.is_some_and(|on| on != 0);
        let devices = device::choose_all(&self.gpu_id, several);
        if several && devices.as_ref().is_ok_and(|devices| devices.len() == 1) {
            note!("warning: --multi_gpu: there is one device");
        }
        let config = self.resolve(matches)?;
        if self.dry_run {
            return dry_run(&config, DryRun::of(&config, devices, self.resume));
        }
        let devices = devices?;
        stop_on_ctrl_c();
        let trainer = Trainer::new(config.clone(), &devices, self.resume)?;
        let summary = trainer.run()?;
        runs::report_on(&config.logger_name);
        let Some(best) = summary.best_rsum else {
            say!("stopped before the first evaluation, after {:.0} s", summary.seconds)?;
            return Ok(ExitCode::SUCCESS);
        };
        let on_test =
            if summary.selected_on_test { " (picked on the test split itself)" } else { "" };
        say!(
            "best rSum {best:.1}{on_test} after {:.0} s; bundle {}",
            summary.seconds,
            config.logger_name.join("best").display()
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints what a dry run has found: the run on standard output, the rest on standard error.
fn dry_run(config: &TrainConfig, found: DryRun) -> Result<ExitCode> {
    terminal::text(&found.text(config)?)?;
    found.warnings.iter().for_each(|warning| note!("warning: {warning}"));
    found.verdict()?;
    note!("no problems: the run can start");
    Ok(ExitCode::SUCCESS)
}
