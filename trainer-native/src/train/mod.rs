//! Training: from a configuration to a bundle.

mod average;
mod config;
mod loader;
mod log;
mod start;
mod step;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use avse_core::loss::Negatives;
use avse_core::metrics::RetrievalMetrics;
use avse_core::similarity::BlockShape;
use avse_core::text::tokenizer::CaptionTokenizer;
use avse_core::weights::Precision;
use avse_core::{Avse, AvseModel};
use burn::module::Module;
use burn::tensor::Device;

use crate::data::Split;
use crate::{Error, Result, evaluate, progress};

pub use average::WeightAverage;
pub use config::{
    Clip, LossConfig, MatrixUpdate, OptimiserConfig, Progress, Schedule, TrainConfig,
};
pub use loader::{Batch, EpochLoader, Preparation};
pub use log::{EpochRecord, RunLog, RunSummary};
pub use start::{Start, open_datasets};
pub use step::{Objective, Optimiser, StepReport};

/// Asked for by Ctrl-C: the run saves its last state and ends.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// What to do about numbers that overflow.
const EXPLODED: &str =
    "The weights have grown without bounds; a lower --learning_rate or --grad_clip helps";

/// A run in progress.
pub struct Trainer {
    config: TrainConfig,
    model_config: avse_core::config::ModelConfig,
    tokenizer: CaptionTokenizer,
    model: AvseModel,
    average: Option<WeightAverage>,
    optimiser: Optimiser,
    preparation: Arc<Preparation>,
    validation: Split,
    device: Device,
    log: RunLog,
    started: Instant,
    step: usize,
    best: f64,
}

/// Times and sums of one epoch.
#[derive(Default)]
struct EpochTotals {
    steps: usize,
    loss: f64,
    waited: Duration,
    took: Duration,
    truncated: usize,
}

impl Trainer {
    /// Loads data and weights and makes the run's folder.
    ///
    /// # Errors
    /// Whatever is wrong with the configuration, the data or the weights.
    pub fn new(config: TrainConfig, device: &Device) -> Result<Self> {
        config.validate()?;
        let device = device.clone().autodiff();
        device.seed(config.seed);
        let Start { model_config, tokenizer, model, train, validation } =
            start::prepare(&config, &device)?;
        // What the evaluation will ask for, found out before hours of training.
        let (blocks, width) = (model_config.caption_blocks(), model_config.block_size);
        BlockShape { blocks, width }.validate()?;
        let preparation = Arc::new(Preparation {
            grid: avse_core::image::ImageTower::grid(&model_config),
            preprocess: avse_core::image::pixels::Preprocess::new(model_config.image_size),
            tokenizer: tokenizer.clone(),
            max_tokens: model_config.text.max_position_embeddings,
            image_augmentation: config.image_augmentation.clone(),
            caption_augmentation: config.caption_augmentation.clone(),
            sampling: model_config.sampling.clone(),
            batch_size: config.batch_size,
            seed: config.seed,
            split: train,
        });
        if preparation.batches_per_epoch() == 0 {
            return Err(Error::Usage(format!(
                "--batch_size {}: the training split has only {} captions",
                config.batch_size,
                preparation.split.captions.len()
            )));
        }
        let decay = config.optimiser.average_decay;
        let average = (decay > 0.0).then(|| WeightAverage::new(model.valid(), decay));
        let optimiser = Optimiser::new(&model, &config.optimiser);
        let log = RunLog::create(&config)?;
        Ok(Self {
            config,
            model_config,
            tokenizer,
            model,
            average,
            optimiser,
            preparation,
            validation,
            device,
            log,
            started: Instant::now(),
            step: 0,
            best: f64::NEG_INFINITY,
        })
    }

    /// Trains to the end, or until Ctrl-C.
    ///
    /// # Errors
    /// A loss that is not a number, an unreadable image, a file that cannot be written.
    pub fn run(mut self) -> Result<RunSummary> {
        self.announce();
        let mut metrics = None;
        for epoch in 0..self.config.num_epochs {
            let totals = self.epoch(epoch)?;
            let last = epoch + 1 == self.config.num_epochs || STOP.load(Ordering::Relaxed);
            let measured = if last || (epoch + 1) % self.config.evaluate_every == 0 {
                Some(self.evaluate()?)
            } else {
                None
            };
            self.save(measured.as_ref())?;
            self.record(epoch, &totals, measured.as_ref())?;
            metrics = measured.or(metrics);
            if STOP.load(Ordering::Relaxed) {
                eprintln!(
                    "stopped by Ctrl-C: {} holds the last state",
                    self.folder("last").display()
                );
                break;
            }
        }
        self.log.finish(RunSummary {
            best_rsum: self.best,
            seconds: self.started.elapsed().as_secs_f64(),
            steps: self.step,
            stopped_early: STOP.load(Ordering::Relaxed),
        })
    }

    fn announce(&self) {
        let preparation = &self.preparation;
        eprintln!(
            "training on {}: {} captions of {} images, {} steps an epoch, {} parameters; validating on {} \
             ({} images); run folder {}",
            self.config.dataset,
            preparation.split.captions.len(),
            preparation.split.images.len(),
            preparation.batches_per_epoch(),
            self.model.num_params(),
            self.validation.name,
            self.validation.images.len(),
            self.config.logger_name.display(),
        );
    }

    fn epoch(&mut self, epoch: usize) -> Result<EpochTotals> {
        let steps = self.preparation.batches_per_epoch();
        let bar = progress::bar((steps * self.config.batch_size) as u64, &format!("epoch {epoch}"));
        let mut loader = EpochLoader::start(&self.preparation, epoch, self.workers());
        let mut totals = EpochTotals::default();
        let began = Instant::now();
        while !STOP.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let Some(batch) = loader.next_batch() else { break };
            totals.waited += asked.elapsed();
            let batch = batch?;
            totals.truncated += batch.tokens.truncated;
            let report = self.step(epoch, batch)?;
            totals.steps += 1;
            totals.loss += report.loss;
            bar.inc(self.config.batch_size as u64);
            bar.set_message(format!(
                "loss {:.3} (|g| {:.2})",
                totals.loss / totals.steps as f64,
                report.gradient_norm
            ));
        }
        totals.took = began.elapsed();
        bar.finish_and_clear();
        Ok(totals)
    }

    fn step(&mut self, epoch: usize, batch: Batch) -> Result<StepReport> {
        let negatives = if epoch < self.config.loss.all_negatives_epochs {
            Negatives::All
        } else {
            Negatives::Hardest
        };
        let objective = Objective {
            model: &self.model_config,
            loss: &self.config.loss,
            negatives,
            device: &self.device,
        };
        let rate = self.config.optimiser.rate_at(self.progress(epoch));
        // Dropout draws on the device: a seed for each step makes them repeatable.
        self.device.seed(self.config.seed.wrapping_add(1 + self.step as u64));
        let (model, report) = self.optimiser.step(self.model.clone(), batch, rate, &objective)?;
        self.model = model;
        self.step += 1;
        if let Some(average) = &mut self.average {
            average.update(&self.model.valid());
        }
        Ok(report)
    }

    fn progress(&self, epoch: usize) -> Progress {
        let steps = self.preparation.batches_per_epoch() * self.config.num_epochs;
        Progress { epoch, step: self.step, steps }
    }

    fn workers(&self) -> usize {
        match self.config.workers {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2)),
            workers => workers,
        }
    }

    /// The network as it would be used now.
    fn current(&self) -> Result<Avse> {
        let model = match &self.average {
            Some(average) => average.model().clone(),
            None => self.model.valid(),
        };
        Ok(Avse::new(self.model_config.clone(), model, self.tokenizer.clone())?)
    }

    fn evaluate(&self) -> Result<RetrievalMetrics> {
        evaluate::evaluate_split(&self.current()?, &self.validation, false).map_err(|error| {
            match error {
                Error::Core(avse_core::Error::Shape(message)) => {
                    Error::Usage(format!("validation: {message}. {EXPLODED}"))
                }
                other => other,
            }
        })
    }

    /// Writes `last`, and `best` when the validation says so.
    fn save(&mut self, metrics: Option<&RetrievalMetrics>) -> Result<()> {
        let current = self.current()?;
        current.save(self.folder("last"), Precision::F32)?;
        if let Some(metrics) = metrics
            && metrics.rsum > self.best
        {
            self.best = metrics.rsum;
            current.save(self.folder("best"), Precision::F32)?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        epoch: usize,
        totals: &EpochTotals,
        metrics: Option<&RetrievalMetrics>,
    ) -> Result<()> {
        let seconds = totals.took.as_secs_f64();
        let record = EpochRecord {
            epoch,
            steps: totals.steps,
            loss: totals.loss / totals.steps.max(1) as f64,
            learning_rate: self.config.optimiser.rate_at(self.progress(epoch)),
            images_per_second: (totals.steps * self.config.batch_size) as f64 / seconds.max(1e-9),
            data_wait: totals.waited.as_secs_f64() / seconds.max(1e-9),
            seconds,
            elapsed: self.started.elapsed().as_secs_f64(),
            truncated_captions: totals.truncated,
            validation: metrics.copied(),
            best_rsum: self.best.is_finite().then_some(self.best),
        };
        self.log.epoch(record)
    }

    fn folder(&self, name: &str) -> PathBuf {
        Path::new(&self.config.logger_name).join(name)
    }
}
