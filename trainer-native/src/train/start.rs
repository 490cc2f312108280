//! What a run starts from: data, tokenizer and weights.

use avse_core::AvseModel;
use avse_core::config::ModelConfig;
use avse_core::similarity::BlockShape;
use avse_core::text::tokenizer::{CaptionTokenizer, train_vocab};
use burn::tensor::Device;
use rayon::prelude::*;

use super::TrainConfig;
use crate::data::{Dataset, DatasetSpec, Split, picture};
use crate::hub::Hub;
use crate::pretrained::{Backbones, from_backbones};
use crate::reading::{OnError, Problem};
use crate::terminal::note;
use crate::{Error, Result};

/// The parts that a [`super::Trainer`] is made of.
pub struct Start {
    /// Architecture.
    pub model_config: ModelConfig,
    /// Captions to ids.
    pub tokenizer: CaptionTokenizer,
    /// The network on the autodiff device.
    pub model: AvseModel,
    /// Training split.
    pub train: Split,
    /// Split that picks the best epoch.
    pub validation: Split,
    /// Records that cannot be used, and are left out: of the training split or of none, and of the other one.
    pub broken: [Vec<Problem>; 2],
}

/// Where a run's dataset is.
pub(super) fn dataset_spec(config: &TrainConfig) -> DatasetSpec {
    DatasetSpec {
        name: config.dataset.clone(),
        data_path: config.data_path.clone(),
        images: config.images.clone(),
    }
}

/// Finds a run's dataset, which must have splits.
///
/// # Errors
/// Whatever is wrong with the dataset, naming file and line.
pub(super) fn open_dataset(config: &TrainConfig) -> Result<Dataset> {
    let dataset = Dataset::open_skipping(&dataset_spec(config))?;
    if let Some(whole) = dataset.without_splits() {
        let known = dataset.known;
        return Err(Error::Usage(format!(
            "{whole}. Training needs `{}` and `{}`: a column or field `split`, or a file for each \
             (a folder with train.csv and val.csv, or train-000000.tar and val-000000.tar)",
            known.train, known.validation
        )));
    }
    Ok(dataset)
}

/// Reads the training split and the one to select on.
///
/// # Errors
/// Whatever is wrong with the dataset, naming file and line; a picture that is not there.
fn open_splits(config: &TrainConfig, dataset: &Dataset) -> Result<(Split, Split)> {
    let name = validation_split(config, dataset);
    let splits = (dataset.split(dataset.known.train)?, dataset.split(name)?);
    require_pictures(&splits.0, config)?;
    require_pictures(&splits.1, config)?;
    Ok(splits)
}

/// The split that picks the best epoch: a real validation split where there is one.
pub(super) fn validation_split<'a>(config: &'a TrainConfig, dataset: &Dataset) -> &'a str {
    let known = dataset.known;
    match config.select_on.as_str() {
        "auto" => {
            if dataset.has_split(known.validation) {
                known.validation
            } else {
                note!(
                    "no `{}` split there: the best epoch is picked on `{}`, as the official code does",
                    known.validation,
                    known.test
                );
                known.test
            }
        }
        "test" => known.test,
        other => other,
    }
}

/// Steps of an epoch on `world` devices.
///
/// # Errors
/// [`Error::Usage`] when the captions do not fill a single one.
pub(super) fn steps_per_epoch(
    config: &TrainConfig,
    world: usize,
    captions: usize,
) -> Result<usize> {
    match captions / (config.batch_size * world).max(1) {
        0 => Err(Error::Usage(format!(
            "--batch_size {} on {world} device(s): the training split has only {captions} captions",
            config.batch_size,
        ))),
        steps => Ok(steps),
    }
}

/// The files must be there, but for those that may be left out: the validation's are read only when an epoch is
/// over, far too late for such news.
fn require_pictures(split: &Split, config: &TrainConfig) -> Result<()> {
    let missing: Vec<_> =
        split.images.par_iter().filter(|image| picture::stat(&image.path).is_err()).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let (id, name) = (&first.id, &split.name);
    let rest = match missing.len() - 1 {
        0 => String::new(),
        n => format!(" (and {n} more; `avse data verify` lists them)"),
    };
    let message = format!("image {id:?} of split {name} is missing{rest}");
    let (total, most) = (split.images.len(), config.max_errors.of(split.images.len()));
    if config.on_error == OnError::Stop {
        return Err(Error::format(
            &first.path,
            format!(
                "{message}. Bring it back, or leave out what cannot be read with --on-error skip"
            ),
        ));
    }
    if missing.len() > most {
        return Err(Error::format(
            &first.path,
            format!(
                "{message}. That is more than the {most} of {total} that --max-errors {} allows",
                config.max_errors
            ),
        ));
    }
    note!("warning: {}: {message}: it will be left out", first.path.display());
    Ok(())
}

/// Loads everything a run needs.
///
/// # Errors
/// Whatever is wrong with the data, the configuration or the weights.
pub fn prepare(config: &TrainConfig, device: &Device) -> Result<Start> {
    let dataset = open_dataset(config)?;
    let (train, validation) = open_splits(config, &dataset)?;
    let of_train = dataset.broken_in(Some(&train.name)).chain(dataset.broken_in(None));
    let of_validation = dataset.broken_in(Some(&validation.name));
    let broken = [of_train.cloned().collect(), of_validation.cloned().collect()];
    let (model_config, tokenizer, model) = network(config, &train.captions, device)?;
    Ok(Start { model_config, tokenizer, model, train, validation, broken })
}

/// The network that a run starts from: random, with a vocabulary of the training captions, or with
/// pretrained backbones; checked for what the run will ask of it.
///
/// # Errors
/// Whatever is wrong with the configuration or the weights.
pub(super) fn network(
    config: &TrainConfig,
    captions: &[String],
    device: &Device,
) -> Result<(ModelConfig, CaptionTokenizer, AvseModel)> {
    let (model_config, tokenizer, model) = match &config.model {
        Some(model) => from_scratch(config, model, captions, device)?,
        None => pretrained(config, device)?,
    };
    let (words, rows) = (tokenizer.vocab_size(), model_config.text.vocab_size);
    if words > rows {
        let message = format!("{rows} rows for the {words} word pieces of the tokenizer");
        return Err(avse_core::Error::config("text.vocab_size", message).into());
    }
    config.check_backbone(&model_config.image)?;
    // What the evaluation will ask for, found out before hours of training.
    let (blocks, width) = (model_config.caption_blocks(), model_config.block_size);
    BlockShape { blocks, width }.validate()?;
    Ok((model_config, tokenizer, model))
}

/// Random weights and a vocabulary learnt from the training captions.
fn from_scratch(
    config: &TrainConfig,
    model: &ModelConfig,
    captions: &[String],
    device: &Device,
) -> Result<(ModelConfig, CaptionTokenizer, AvseModel)> {
    let vocabulary = train_vocab(captions.iter().map(String::as_str), config.vocabulary_size)?;
    let tokenizer = CaptionTokenizer::from_vocab(&vocabulary)?;
    let mut model_config = model.clone();
    if model_config.text.vocab_size == 0 {
        model_config.text.vocab_size = tokenizer.vocab_size();
    }
    config.set_method(&mut model_config.sampling);
    let model = AvseModel::new(&model_config, device)?.drawn();
    Ok((model_config, tokenizer, model))
}

/// Hugging Face backbones with fresh heads, as the published commands train.
fn pretrained(
    config: &TrainConfig,
    device: &Device,
) -> Result<(ModelConfig, CaptionTokenizer, AvseModel)> {
    let backbones = Backbones {
        image: config.vit_type.clone(),
        text: config.bert_type.clone(),
        embed_size: config.embed_size,
        image_size: config.img_res,
        heads: config.heads.clone(),
    };
    let mut pretrained = from_backbones(&backbones, &Hub::default(), device)?;
    let unused = [&pretrained.image_report, &pretrained.text_report]
        .map(|report| report.unused.join(", "))
        .join(", ");
    if unused.len() > 2 {
        note!("tensors of the checkpoints that AVSE has no use for: {unused}");
    }
    config.set_method(&mut pretrained.config.sampling);
    Ok((pretrained.config, pretrained.tokenizer, pretrained.model.drawn()))
}
