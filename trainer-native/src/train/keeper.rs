//! What the first replica keeps for all while a run goes on.

use std::time::Instant;

use burn::module::Module;

use super::average::WeightAverage;
use super::checkpoint::Snapshot;
use super::dashboard::{Dashboard, RunLength, StepFigures};
use super::figures::StepReport;
use super::log::{RunLog, StepRecord};
use super::position::Position;
use super::replica::Replica;
use super::run::{Run, Taken, Watcher};
use crate::Result;

/// What the first replica keeps for all: averaged weights, log, position.
pub(super) struct Keeper {
    pub average: Option<WeightAverage>,
    pub log: RunLog,
    pub position: Position,
    /// When this process began, and the seconds of the run before that.
    started: (Instant, f64),
    /// When this process began the epoch, or went on with it, and what had been waited for until then; `None`
    /// between epochs.
    epoch: Option<(Instant, f64)>,
    pub dashboard: Dashboard,
}

impl Keeper {
    /// Of a run at `position`.
    pub fn new(run: &Run, log: RunLog, average: Option<WeightAverage>, position: Position) -> Self {
        let now = Instant::now();
        let dashboard = Dashboard::new(RunLength {
            epochs: run.config.num_epochs,
            steps_per_epoch: run.steps_per_epoch(),
            captions_per_step: run.world * run.config.batch_size,
        });
        let started = (now, position.elapsed);
        Self { average, log, position, started, epoch: None, dashboard }
    }

    /// Before the first step of an epoch, or of what is left of it.
    pub fn begin_epoch(&mut self) {
        self.dashboard.begin_epoch(self.position.epoch, self.position.step_of_epoch);
        self.epoch = Some((Instant::now(), self.position.waited_of_epoch));
    }

    /// After the epoch's last step, or Ctrl-C.
    pub fn end_epoch(&mut self) {
        self.position.seconds_of_epoch += self.seconds_since_begin();
        self.epoch = None;
        self.dashboard.end_epoch();
    }

    /// Seconds of the epoch that its position does not count yet.
    fn seconds_since_begin(&self) -> f64 {
        self.epoch.map_or(0.0, |(begun, _)| begun.elapsed().as_secs_f64())
    }

    /// Seconds of the run so far, interruptions left out.
    pub fn elapsed(&self) -> f64 {
        self.started.1 + self.started.0.elapsed().as_secs_f64()
    }

    /// Writes a checkpoint, from which the run can go on exactly as it would now.
    pub fn snapshot(&mut self, run: &Run, replica: &Replica) -> Result<()> {
        let mut position = self.position.clone();
        position.elapsed = self.elapsed();
        position.seconds_of_epoch += self.seconds_since_begin();
        position.average_updates = self.average.as_ref().map_or(0, WeightAverage::updates);
        Snapshot {
            position,
            // Not a clone, which lacks the last batch's running statistics: Burn merges them when they are read.
            model: replica.model.valid(),
            average: self.average.as_ref().map(|average| average.model().clone()),
            optimiser: replica.optimiser.records()?,
        }
        .save(&run.config.logger_name, run.config.keep_checkpoints)
    }
}

/// The first replica's steps, of which the keeper takes note.
pub(super) struct Kept<'a> {
    pub run: &'a Run,
    pub keeper: &'a mut Keeper,
}

impl Kept<'_> {
    /// Whether the step just taken is one after which the run writes a checkpoint; that of an epoch's last step
    /// is written when it has been evaluated.
    fn checkpoint_is_due(&self) -> bool {
        let (every, position) = (self.run.config.checkpoint_steps, &self.keeper.position);
        every > 0
            && position.step.is_multiple_of(every)
            && position.step_of_epoch < self.run.steps_per_epoch()
    }
}

impl Watcher for Kept<'_> {
    fn taken(&mut self, replica: &Replica, taken: &Taken) -> Result<bool> {
        if let Some(average) = &mut self.keeper.average {
            average.update(&replica.model.valid());
        }
        let position = &mut self.keeper.position;
        position.step += 1;
        position.step_of_epoch += 1;
        position.truncated_of_epoch += taken.truncated;
        position.waited_of_epoch += taken.waited.as_secs_f64();
        Ok(self.checkpoint_is_due())
    }

    fn report(&mut self, report: &StepReport) -> Result<()> {
        let Keeper { position, log, dashboard, epoch, .. } = &mut *self.keeper;
        let StepReport { step, learning_rate, loss, gradient_norm, .. } = *report;
        let before_epoch = position.step - position.step_of_epoch;
        let of_epoch = step - before_epoch;
        // The loss of a step that f16 skipped may be no number; it counts as the mean of the others.
        let mean = position.loss_of_epoch / (of_epoch - 1).max(1) as f64;
        position.loss_of_epoch += if loss.is_finite() { loss } else { mean };
        log.step(&StepRecord { step, loss, gradient_norm, learning_rate });
        dashboard.step(&StepFigures {
            loss: position.loss_of_epoch / of_epoch as f64,
            gradient_norm,
            learning_rate,
            waited: position.waited_of_epoch - epoch.map_or(0.0, |(_, before)| before),
        });
        Ok(())
    }

    fn sound(&mut self, replica: &Replica) -> Result<()> {
        self.keeper.position.scale = replica.scale;
        if self.checkpoint_is_due() {
            self.keeper.snapshot(self.run, replica)?;
        }
        Ok(())
    }
}
