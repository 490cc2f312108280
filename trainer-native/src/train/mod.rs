//! Training: from a configuration to a bundle.

mod adamw;
mod average;
mod check;
mod checkpoint;
mod collective;
mod config;
mod curves;
mod dashboard;
mod epoch_end;
mod factor;
mod feed;
mod figures;
mod gradients;
mod info;
mod keeper;
mod loader;
mod log;
pub(crate) mod memory;
mod moments;
mod muon;
mod objective;
mod optimiser;
mod parameter_ids;
mod picture_cache;
mod position;
mod precision;
mod random;
mod replica;
pub(crate) mod room;
mod run;
mod start;
mod stop;
mod tensorboard;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use avse_core::AvseModel;
use burn::module::Module;
use burn::tensor::Device;

use self::checkpoint::{Snapshot, put_aside};
use self::keeper::{Keeper, Kept};
use self::position::{Position, Share};
use self::room::Room;
use self::run::Run;
use crate::data::Split;
use crate::device::is_cpu;
use crate::files::shell_word;
use crate::terminal::note;
use crate::{Error, Result};

pub use average::WeightAverage;
pub use check::DryRun;
pub use collective::{Collective, HostCollective, Membership, nccl};
pub use config::{
    Clip, LossConfig, MatrixUpdate, OptimiserConfig, Progress, Schedule, TrainConfig,
};
pub use curves::{read_log, training_charts};
pub use factor::Factor;
pub use figures::StepReport;
pub use gradients::{Computed, Method, Place};
pub use info::{RunInfo, SplitInfo};
pub use loader::{Batch, EpochLoader, Preparation, Shard};
pub use log::{EpochRecord, RunLog, RunSummary, StepRecord};
pub use objective::Objective;
pub use optimiser::Optimiser;
pub use picture_cache::{CacheSize, PictureCache};
pub use precision::{LossScale, Precision};
pub use replica::{Replica, StepPlan, replicate};
pub use room::explains_panics;
pub use start::Start;
use stop::UnderWay;
pub use stop::{STOP, stop_on_ctrl_c};
pub use tensorboard::EventWriter;

/// A run in progress.
pub struct Trainer {
    run: Run,
    replicas: Vec<Replica>,
    collective: Box<dyn Collective>,
    keeper: Keeper,
    validation: Split,
    selected_on_test: bool,
}

impl Trainer {
    /// Loads data and weights and makes the run's folder, or finds where a run stopped; one replica
    /// on each of `devices`.
    ///
    /// # Errors
    /// Whatever is wrong with the configuration, the data or the weights.
    pub fn new(config: TrainConfig, devices: &[Device], resume: bool) -> Result<Self> {
        config.validate()?;
        config.precision.check(devices)?;
        let devices: Vec<Device> = devices.iter().map(|device| device.clone().autodiff()).collect();
        let Some(first) = devices.first() else {
            return Err(Error::Usage("no device to train on".into()));
        };
        first.seed(config.seed);
        let start = start::prepare(&config, first)?;
        start::steps_per_epoch(&config, devices.len(), start.train.captions.len())?;
        let snapshot =
            if resume { Snapshot::load(&config.logger_name, &start.model)? } else { None };
        let mut preparation = Preparation::new(&config, &start);
        if snapshot.is_some() {
            preparation.skipped =
                preparation.skipped.resumed(|key| preparation.is_unreadable(key))?;
        }
        let [broken, broken_validation] = start.broken;
        if !broken.is_empty() {
            // The list is in the run's folder.
            let folder = &config.logger_name;
            fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        }
        preparation.skipped.add_all(&broken)?;
        preparation.prepare_cache()?;
        let room = match is_cpu(first) {
            true => None,
            false => Room::of(&config, &start.model_config, &preparation),
        };
        let run = Run {
            room,
            model_config: start.model_config,
            tokenizer: start.tokenizer,
            preparation: Arc::new(preparation),
            broken_validation,
            world: devices.len(),
            config,
        };
        Self::assemble(run, &devices, start.model, start.validation, snapshot)
    }

    fn assemble(
        run: Run,
        devices: &[Device],
        fresh: AvseModel,
        validation: Split,
        snapshot: Option<Snapshot>,
    ) -> Result<Self> {
        let config = &run.config;
        let decay = config.optimiser.average_decay;
        let share = Share::of(devices.len(), &run.preparation.split);
        let (model, position, records, averaged) = match snapshot {
            Some(Snapshot { mut position, model, average, optimiser }) => {
                if let Some(before) = &position.share {
                    before.check_resumable(&share)?;
                }
                position.share = Some(share);
                (model, position, Some(optimiser), average)
            }
            None => (fresh, Position::start(config.precision, share), None, None),
        };
        let updates = position.average_updates;
        let average = (decay > 0.0).then(|| match averaged {
            Some(averaged) => WeightAverage::resume(averaged, decay, updates),
            None => WeightAverage::new(model.valid(), decay),
        });
        let info = RunInfo::new(&run, devices, &model, &validation);
        let selected_on_test = info.selected_on_test;
        let log = match records {
            Some(_) => RunLog::resume(config, info, &position)?,
            None => {
                put_aside(&config.logger_name)?;
                RunLog::create(config, info)?
            }
        };
        let mut replicas = Vec::with_capacity(devices.len());
        for (rank, device) in devices.iter().enumerate() {
            let model = match rank {
                0 => model.clone(),
                _ => replicate(&model, &run.model_config, device)?,
            };
            let mut optimiser = Optimiser::new(&model, &config.optimiser);
            if let Some(records) = &records {
                optimiser.restore(records)?;
            }
            let (scale, every) = (position.scale, config.log_every(device));
            replicas.push(Replica::new((rank, device.clone()), model, optimiser, scale, every));
        }
        let keeper = Keeper::new(&run, log, average, position);
        let collective = collective::between(devices);
        Ok(Self { run, replicas, collective, keeper, validation, selected_on_test })
    }

    /// Trains to the end, or until Ctrl-C.
    ///
    /// # Errors
    /// A loss that is not a number, an unreadable image, a file that cannot be written, a
    /// replica that failed.
    pub fn run(mut self) -> Result<RunSummary> {
        let _under_way = UnderWay::begin();
        self.announce();
        while self.keeper.position.epoch < self.run.config.num_epochs {
            self.epoch()?;
            if self.keeper.position.step_of_epoch < self.run.steps_per_epoch() {
                self.interrupted()?;
                break;
            }
            self.finish_epoch().map_err(|error| self.saved(error))?;
            self.keeper.position.begin_epoch(self.keeper.position.epoch + 1);
            self.snapshot()?;
            if STOP.load(Ordering::Relaxed) {
                break;
            }
        }
        self.run.preparation.skipped.finish();
        self.run.preparation.skipped.summary().into_iter().for_each(|said| note!("{said}"));
        let stopped_early = self.keeper.position.epoch < self.run.config.num_epochs;
        if stopped_early {
            self.say_stopped();
        }
        self.keeper.log.finish(RunSummary {
            best_rsum: self.keeper.position.best,
            seconds: self.keeper.elapsed(),
            steps: self.keeper.position.step,
            stopped_early,
            selected_on_test: self.selected_on_test,
        })
    }

    fn announce(&self) {
        if let Some(room) = &self.run.room {
            self.replicas.iter().for_each(|replica| room.warn(&replica.device));
        }
        let Run { config, preparation, .. } = &self.run;
        let position = &self.keeper.position;
        note!(
            "training on {}: {} captions of {} images, {} steps an epoch, {} parameters; validating on {} \
             ({} images); run folder {}",
            config.dataset,
            preparation.split.captions.len(),
            preparation.split.images.len(),
            self.run.steps_per_epoch(),
            self.replicas[0].model.num_params(),
            self.validation.name,
            self.validation.images.len(),
            config.logger_name.display(),
        );
        if self.selected_on_test {
            note!(
                "the best epoch is picked on the test split {}, as the official code does: its figures are \
                 no independent measure",
                self.validation.name
            );
        }
        if self.run.world > 1 {
            let total = self.run.world * config.batch_size;
            note!("{} devices, {total} captions a step", self.run.world);
        }
        if position.step > 0 {
            note!("going on at epoch {}, after {} steps", position.epoch, position.step);
        }
    }

    /// Saves the run before an error ends it; says so in the error. A network that has come to nothing is not saved:
    /// it would take the place of a sound one.
    fn saved(&mut self, error: Error) -> Error {
        if matches!(error, Error::Exploded(_)) {
            return error;
        }
        match self.snapshot() {
            Ok(()) => Error::Usage(format!(
                "{error}\nThe run is saved after {} steps: `avse train --resume --logger_name {}` goes on there",
                self.keeper.position.step,
                shell_word(&self.run.config.logger_name)
            )),
            // The first error is the one to mend.
            Err(_) => error,
        }
    }

    /// The rest of the epoch in progress, on all devices.
    fn epoch(&mut self) -> Result<()> {
        let Self { run, replicas, collective, keeper, .. } = self;
        keeper.begin_epoch();
        let start = keeper.position.clone();
        let before = std::mem::take(replicas);
        let outcome =
            run.all_replicas(before, collective.as_ref(), &start, &mut Kept { run, keeper });
        keeper.end_epoch();
        let (after, failure) = outcome?;
        *replicas = after;
        match failure {
            Some(error) => Err(self.saved(error)),
            None => Ok(()),
        }
    }

    /// Saves what an epoch that Ctrl-C ended has reached.
    fn interrupted(&mut self) -> Result<()> {
        self.snapshot()?;
        self.save(None)?;
        if self.keeper.position.step_of_epoch > 0 {
            self.record(None)?;
        }
        Ok(())
    }

    fn say_stopped(&self) {
        let last = self.run.folder("last");
        note!("stopped by Ctrl-C: {} holds the last state", last.display());
    }

    fn snapshot(&mut self) -> Result<()> {
        self.keeper.snapshot(&self.run, &self.replicas[0])
    }
}

impl Run {
    fn folder(&self, name: &str) -> PathBuf {
        Path::new(&self.config.logger_name).join(name)
    }
}
