//! What comes when the steps of an epoch are taken: evaluate, save, record.

use std::sync::atomic::Ordering;

use avse_core::Avse;
use avse_core::metrics::RetrievalMetrics;
use avse_core::weights::Precision as StoredPrecision;
use burn::module::Module;

use super::room::explained;
use super::{EpochRecord, STOP, Trainer};
use crate::reading::Skipped;
use crate::terminal::note;
use crate::{Error, Result, evaluate};

/// The list of the validation's pictures that are left out, in the run's folder.
const SKIPPED_VALIDATION: &str = "skipped.validation.jsonl";

/// What an evaluation says.
pub(super) struct Measured {
    metrics: RetrievalMetrics,
    /// Pictures that could not be read; the figures are of the others.
    skipped: usize,
}

impl Trainer {
    /// Evaluates, saves and records an epoch whose steps are taken.
    pub(super) fn finish_epoch(&mut self) -> Result<()> {
        let epoch = self.keeper.position.epoch;
        let last = epoch + 1 == self.run.config.num_epochs || STOP.load(Ordering::Relaxed);
        let evaluate = last || (epoch + 1).is_multiple_of(self.run.config.evaluate_every);
        let measured = if evaluate { Some(self.evaluate()?) } else { None };
        self.save(measured.as_ref().map(|measured| &measured.metrics))?;
        self.record(measured)
    }

    /// The network as it would be used now.
    fn current(&self) -> Result<Avse> {
        let model = match &self.keeper.average {
            Some(average) => average.model().clone(),
            None => self.replicas[0].model.valid(),
        };
        Ok(Avse::new(self.run.model_config.clone(), model, self.run.tokenizer.clone())?)
    }

    fn evaluate(&self) -> Result<Measured> {
        let current = self.current()?;
        let device = &self.replicas[0].device;
        let total = self.validation.images.len() + self.run.broken_validation.len();
        let total = (total, "validation pictures");
        let list = self.run.folder(SKIPPED_VALIDATION);
        let skipped = Skipped::new(&self.run.config.reading(), total, list);
        skipped.add_all(&self.run.broken_validation)?;
        let evaluated = explained(None, device, || {
            evaluate::evaluate_split(&current, &self.validation, &skipped)
        });
        skipped.finish();
        skipped.summary().into_iter().for_each(|said| note!("{said}"));
        let metrics = evaluated.map_err(|error| match error {
            Error::Core(avse_core::Error::Shape(message)) => {
                Error::Exploded(format!("validation: {message}"))
            }
            other => other,
        })?;
        Ok(Measured { metrics, skipped: skipped.count() })
    }

    /// Writes `last`, and `best` when the validation says so.
    pub(super) fn save(&mut self, metrics: Option<&RetrievalMetrics>) -> Result<()> {
        let current = self.current()?;
        current.save(self.run.folder("last"), StoredPrecision::F32)?;
        let best = &mut self.keeper.position.best;
        if let Some(metrics) = metrics
            && best.is_none_or(|best| metrics.rsum > best)
        {
            *best = Some(metrics.rsum);
            current.save(self.run.folder("best"), StoredPrecision::F32)?;
        }
        Ok(())
    }

    pub(super) fn record(&mut self, measured: Option<Measured>) -> Result<()> {
        let skipped_validation = measured.as_ref().map_or(0, |measured| measured.skipped);
        let measured = measured.map(|measured| measured.metrics);
        let position = &self.keeper.position;
        let seconds = position.seconds_of_epoch.max(1e-9);
        let captions = position.step_of_epoch * self.run.world * self.run.config.batch_size;
        let record = EpochRecord {
            epoch: position.epoch,
            steps: position.step_of_epoch,
            loss: position.loss_of_epoch / position.step_of_epoch.max(1) as f64,
            learning_rate: self.run.rate(position.epoch, position.step),
            images_per_second: captions as f64 / seconds,
            data_wait: position.waited_of_epoch / seconds,
            seconds,
            elapsed: self.keeper.elapsed(),
            truncated_captions: position.truncated_of_epoch,
            validation: measured,
            best_rsum: position.best,
            validation_split: measured.map(|_| self.validation.name.clone()),
            skipped_pictures: self.run.preparation.skipped.count(),
            skipped_validation,
        };
        if let (Some(metrics), Some(best)) = (measured, position.best) {
            self.keeper.dashboard.evaluated(metrics.rsum, best);
        }
        let step = self.keeper.position.step;
        self.keeper.log.epoch(record, step)
    }
}
