//! The steps of an epoch, on every device at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use avse_core::config::ModelConfig;
use avse_core::loss::Negatives;
use avse_core::text::tokenizer::CaptionTokenizer;

use super::collective::{Collective, Membership, sum_of};
use super::loader::{EpochLoader, Preparation, Shard};
use super::objective::Objective;
use super::position::Position;
use super::replica::{Replica, StepPlan, StepReport};
use super::{Progress, STOP, TrainConfig};
use crate::{Error, Result};

/// What stays the same over a run.
pub(super) struct Run {
    pub config: TrainConfig,
    pub model_config: ModelConfig,
    pub tokenizer: CaptionTokenizer,
    pub preparation: Arc<Preparation>,
    /// Number of replicas.
    pub world: usize,
}

/// A step that a replica has taken.
pub(super) struct Taken {
    pub report: StepReport,
    /// Time that it waited for data.
    pub waited: Duration,
    /// Captions that were cut.
    pub truncated: usize,
}

/// What the first replica does after each of its steps.
pub(super) type AfterStep<'a> = dyn FnMut(&Replica, Taken) -> Result<()> + 'a;

impl Run {
    /// Steps in an epoch; every step takes a batch on each device.
    pub fn steps_per_epoch(&self) -> usize {
        self.preparation.split.captions.len() / (self.config.batch_size * self.world)
    }

    /// The heads' learning rate at a step.
    pub fn rate(&self, epoch: usize, step: usize) -> f64 {
        let steps = self.steps_per_epoch() * self.config.num_epochs;
        self.config.optimiser.rate_at(Progress { epoch, step, steps })
    }

    /// The rest of the epoch in progress, a thread for each replica; ends early on Ctrl-C.
    ///
    /// # Errors
    /// What stopped the first replica that failed; the others then stop, too.
    pub fn all_replicas(
        &self,
        replicas: Vec<Replica>,
        collective: &dyn Collective,
        start: &Position,
        after: &mut AfterStep<'_>,
    ) -> Result<Vec<Replica>> {
        let mut replicas = replicas.into_iter();
        let Some(first) = replicas.next() else { return Ok(Vec::new()) };
        let outcomes: Vec<Result<Replica>> = std::thread::scope(|scope| {
            let others: Vec<_> = replicas
                .map(|replica| {
                    let rank = replica.rank;
                    let work = move || self.replica(replica, collective, start, &mut |_, _| Ok(()));
                    (rank, scope.spawn(work))
                })
                .collect();
            let mut outcomes = vec![self.replica(first, collective, start, after)];
            for (rank, thread) in others {
                outcomes.push(thread.join().unwrap_or_else(|panic| Err(crashed(rank, &*panic))));
            }
            outcomes
        });
        let (whole, failed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        // A replica that only missed another one says less than that one does.
        let mut failures: Vec<Error> = failed.into_iter().filter_map(Result::err).collect();
        failures.sort_by_key(|error| matches!(error, Error::ReplicaGone(_)));
        match failures.into_iter().next() {
            Some(failure) => Err(failure),
            None => whole.into_iter().collect(),
        }
    }

    fn replica(
        &self,
        mut replica: Replica,
        collective: &dyn Collective,
        start: &Position,
        after: &mut AfterStep<'_>,
    ) -> Result<Replica> {
        let membership = Membership::new(collective, replica.rank);
        let shard = Shard { rank: replica.rank, world: self.world };
        let (epoch, from) = (start.epoch, start.step_of_epoch);
        let workers = self.config.workers(self.world);
        let mut loader = EpochLoader::start(&self.preparation, epoch, shard, from, workers);
        let mut step = start.step;
        while !self.stop(&replica, collective)? {
            let asked = Instant::now();
            let Some(batch) = loader.next_batch() else { break };
            let (batch, waited) = (batch?, asked.elapsed());
            let plan = self.plan(epoch, step);
            let report;
            (replica, report) = replica.step(&batch, &plan, collective)?;
            step += 1;
            after(&replica, Taken { report, waited, truncated: batch.tokens.truncated })?;
        }
        membership.done();
        Ok(replica)
    }

    /// Whether Ctrl-C was pressed, as all replicas agree: one that stopped alone would be waited for.
    fn stop(&self, replica: &Replica, collective: &dyn Collective) -> Result<bool> {
        let vote = f32::from(u8::from(STOP.load(Ordering::Relaxed)));
        Ok(sum_of(collective, replica.rank, &replica.device, vote)? > 0.0)
    }

    fn plan(&self, epoch: usize, step: usize) -> StepPlan<'_> {
        let all = epoch < self.config.loss.all_negatives_epochs;
        let objective = Objective {
            model: &self.model_config,
            loss: &self.config.loss,
            negatives: if all { Negatives::All } else { Negatives::Hardest },
        };
        StepPlan {
            objective,
            method: self.config.method(),
            rate: self.rate(epoch, step),
            // Dropout draws on the device: a seed for each step makes it repeatable.
            seed: self.config.seed.wrapping_add(1 + step as u64),
        }
    }
}

fn crashed(rank: usize, panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    Error::Usage(format!("replica {rank} crashed: {text}"))
}
