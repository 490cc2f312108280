//! The steps of an epoch, on every device at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use avse_core::config::ModelConfig;
use avse_core::loss::Negatives;
use avse_core::text::tokenizer::CaptionTokenizer;
use burn::tensor::Tensor;

use super::collective::{Collective, Membership};
use super::feed::{Fed, Feed};
use super::figures::StepReport;
use super::loader::{EpochLoader, Preparation, Shard};
use super::objective::Objective;
use super::position::Position;
use super::replica::{Replica, StepPlan};
use super::room::{Room, explained, panic_text};
use super::{Progress, STOP, TrainConfig};
use crate::reading::Problem;
use crate::{Error, Result};

/// What stays the same over a run.
pub(super) struct Run {
    pub config: TrainConfig,
    pub model_config: ModelConfig,
    pub tokenizer: CaptionTokenizer,
    pub preparation: Arc<Preparation>,
    /// Records of the validation split that cannot be used.
    pub broken_validation: Vec<Problem>,
    /// What a step takes of a GPU's memory, where that is predicted.
    pub room: Option<Room>,
    /// Number of replicas.
    pub world: usize,
}

/// What has taken some steps, and why there is no batch for the next one.
type Steps<T> = (T, Option<Error>);

/// A step that a replica has taken; its figures come later.
pub(super) struct Taken {
    /// Time that it waited for data.
    pub waited: Duration,
    /// Captions that were cut.
    pub truncated: usize,
}

/// Who looks on while a replica takes its steps.
pub(super) trait Watcher {
    /// After each step; whether the figures so far are wanted now.
    fn taken(&mut self, replica: &Replica, taken: &Taken) -> Result<bool>;

    /// The figures of a step, in order, some time after it.
    fn report(&mut self, report: &StepReport) -> Result<()>;

    /// When the figures of all steps taken have been reported, and all were numbers.
    fn sound(&mut self, replica: &Replica) -> Result<()>;
}

/// Nobody looks at the replicas but the first: they do the same.
struct Nobody;

impl Watcher for Nobody {
    fn taken(&mut self, _replica: &Replica, _taken: &Taken) -> Result<bool> {
        Ok(false)
    }

    fn report(&mut self, _report: &StepReport) -> Result<()> {
        Ok(())
    }

    fn sound(&mut self, _replica: &Replica) -> Result<()> {
        Ok(())
    }
}

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

    /// The rest of the epoch in progress, a thread for each replica; ends early on Ctrl-C, and where there is no
    /// batch for the next step: why, is returned beside the replicas, which are sound.
    ///
    /// # Errors
    /// What stopped the first replica that failed; the others then stop, too.
    pub fn all_replicas(
        &self,
        replicas: Vec<Replica>,
        collective: &dyn Collective,
        start: &Position,
        watcher: &mut dyn Watcher,
    ) -> Result<Steps<Vec<Replica>>> {
        let mut replicas = replicas.into_iter();
        let Some(first) = replicas.next() else { return Ok((Vec::new(), None)) };
        let outcomes: Vec<Result<Steps<Replica>>> = std::thread::scope(|scope| {
            let others: Vec<_> = replicas
                .map(|replica| {
                    let (rank, stream) = (replica.rank, replica.streams[0]);
                    let work = move || {
                        stream.executes(|| self.replica(replica, collective, start, &mut Nobody))
                    };
                    (rank, scope.spawn(work))
                })
                .collect();
            let mut outcomes = vec![self.replica(first, collective, start, watcher)];
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
            None => {
                let whole: Vec<Steps<Replica>> = whole.into_iter().collect::<Result<_>>()?;
                let (replicas, failures): (Vec<_>, Vec<_>) = whole.into_iter().unzip();
                Ok((replicas, failures.into_iter().flatten().next()))
            }
        }
    }

    fn replica(
        &self,
        replica: Replica,
        collective: &dyn Collective,
        start: &Position,
        watcher: &mut dyn Watcher,
    ) -> Result<Steps<Replica>> {
        let device = replica.device.clone();
        explained(self.room.as_ref(), &device, || self.steps(replica, collective, start, watcher))
    }

    fn steps(
        &self,
        mut replica: Replica,
        collective: &dyn Collective,
        start: &Position,
        watcher: &mut dyn Watcher,
    ) -> Result<Steps<Replica>> {
        let membership = Membership::new(collective, replica.rank);
        let shard = Shard { rank: replica.rank, world: self.world };
        let (epoch, from) = (start.epoch, start.step_of_epoch);
        let workers = self.config.workers(self.world);
        let loader = EpochLoader::start(&self.preparation, epoch, shard, from, workers);
        let mut feed = Feed::start(loader, &replica.device, replica.streams[1]);
        let (mut step, mut failure) = (start.step, None);
        loop {
            let asked = Instant::now();
            let fed = feed.next_batch().transpose();
            let waited = asked.elapsed();
            let fed = fed.unwrap_or_else(|error| {
                failure = Some(error);
                None
            });
            if self.stop(replica.rank, collective, failure.is_some())? {
                break;
            }
            let Some(Fed { batch, pixels }) = fed else { break };
            let pixels = Tensor::from_inner(pixels);
            replica = replica.step_with(&batch, pixels, &self.plan(epoch, step), collective)?;
            step += 1;
            let taken = Taken { waited, truncated: batch.tokens.truncated };
            if watcher.taken(&replica, &taken)? || replica.should_read() {
                replica.read(&mut |report| watcher.report(report))?;
                watcher.sound(&replica)?;
            }
        }
        // A step after which a checkpoint is due has been read, and the checkpoint written.
        if replica.has_unread() {
            replica.read(&mut |report| watcher.report(report))?;
            watcher.sound(&replica)?;
        }
        membership.done();
        Ok((replica, failure))
    }

    /// Whether Ctrl-C was pressed or a replica has no batch, as all replicas agree: one that stopped alone would be
    /// waited for.
    fn stop(&self, rank: usize, collective: &dyn Collective, failed: bool) -> Result<bool> {
        let vote = f32::from(u8::from(failed || STOP.load(Ordering::Relaxed)));
        Ok(collective.numbers(rank, vec![vote])?.concat().into_iter().any(|vote| vote > 0.0))
    }

    fn plan(&self, epoch: usize, step: usize) -> StepPlan<'_> {
        let all = epoch < self.config.loss.all_negatives_epochs;
        let objective = Objective {
            model: &self.model_config,
            loss: &self.config.loss,
            negatives: if all { Negatives::All } else { Negatives::Hardest },
        };
        StepPlan {
            step: step + 1,
            objective,
            method: self.config.method(),
            rate: self.rate(epoch, step),
            // Dropout draws on the device: a seed for each step makes it repeatable.
            seed: self.config.seed.wrapping_add(1 + step as u64),
        }
    }
}

fn crashed(rank: usize, panic: &(dyn std::any::Any + Send)) -> Error {
    Error::Usage(format!("replica {rank} crashed: {}", panic_text(panic).unwrap_or("a panic")))
}
