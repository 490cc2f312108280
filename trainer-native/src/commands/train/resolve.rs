//! The run that options, a file and an earlier run make together.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::Args;
use crate::train::{Schedule, TrainConfig};
use crate::{Error, Result};

impl Args {
    /// The run that is resumed, `--config` or the defaults, and over it what was given by hand.
    pub(super) fn resolve(&self, matches: &ArgMatches) -> Result<TrainConfig> {
        let by_hand = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
        let file = self.config.as_deref().map(TrainConfig::read).transpose()?;
        let folder = match &file {
            Some(file) if !by_hand("logger_name") => &file.logger_name,
            _ => &self.logger_name,
        };
        let resumed = folder.join("run.toml");
        let before = match self.resume && resumed.is_file() {
            true => Some(TrainConfig::read(&resumed)?),
            false => None,
        };
        let from_file = file.is_some() || before.is_some();
        // What a file says beside --resume counts as what is said by hand.
        let mut config = match (&before, &self.config) {
            (Some(before), Some(path)) => {
                TrainConfig { logger_name: folder.clone(), ..before.overlaid(path)? }
            }
            (Some(before), None) => before.clone(),
            (None, _) => file.clone().unwrap_or_default(),
        };
        let given = |name: &str| !from_file || by_hand(name);
        macro_rules! take {
            ($($name:ident => $($field:ident).+),* $(,)?) => {$(
                if given(stringify!($name)) {
                    config.$($field).+ = self.$name.clone();
                }
            )*};
        }
        take!(
            dataset => dataset,
            data_path => data_path,
            images => images,
            cache => cache,
            logger_name => logger_name,
            batch_size => batch_size,
            num_epochs => num_epochs,
            workers => workers,
            seed => seed,
            select_on => select_on,
            img_res => img_res,
            embed_size => embed_size,
            vit_type => vit_type,
            bert_type => bert_type,
            learning_rate => optimiser.learning_rate,
            grad_clip => optimiser.grad_clip,
            clip => optimiser.clip,
            margin => loss.triplet.margin,
            micro_batch => micro_batch,
            recompute => recompute,
            precision => precision,
            sync_bn => sync_bn,
            log_every => log_every,
            checkpoint_steps => checkpoint_steps,
            keep_checkpoints => keep_checkpoints,
        );
        self.schedule(&mut config.optimiser.schedule, given("lr_schedules"), given("decay_rate"))?;
        if given("size_augment") {
            // 1 beside a file that says how leaves it at that.
            config.caption_augmentation = match self.size_augment {
                0 => None,
                _ => Some(config.caption_augmentation.unwrap_or_default()),
            };
        }
        if given("view_sampling") {
            config.view_sampling = Some(parse("--view-sampling", &self.view_sampling)?);
        }
        if given("regulariser") {
            config.loss.regulariser.form = parse("--regulariser", &self.regulariser)?;
        }
        for option in ["img_res", "embed_size", "vit_type", "bert_type"] {
            if from_file && config.model.is_some() && by_hand(option) {
                return Err(Error::Usage(format!(
                    "--{option}: the --config file trains a [model] from scratch; change it there"
                )));
            }
        }
        self.reading.put_into(&mut config);
        if let Some(before) = before {
            before.check_resumable(&config)?;
        }
        Ok(config)
    }

    /// Puts --lr_schedules and --decay_rate, those that are given, into a schedule.
    fn schedule(&self, schedule: &mut Schedule, epochs: bool, rate: bool) -> Result<()> {
        match schedule {
            _ if epochs && rate => {
                let epochs = self.lr_schedules.clone();
                *schedule = Schedule::Step { epochs, factor: self.decay_rate };
            }
            Schedule::Step { epochs: before, .. } if epochs => {
                before.clone_from(&self.lr_schedules);
            }
            Schedule::Step { factor, .. } if rate => *factor = self.decay_rate,
            _ if epochs || rate => {
                return Err(Error::Usage(
                    "--lr_schedules and --decay_rate: the run's rate does not fall in steps; give both for \
                     one that does"
                        .into(),
                ));
            }
            _ => {}
        }
        Ok(())
    }
}

/// A word that serde knows as an enum's variant.
fn parse<T: serde::de::DeserializeOwned>(option: &str, word: &str) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(word.into()))
        .map_err(|e| Error::Usage(format!("{option}: {e}")))
}
