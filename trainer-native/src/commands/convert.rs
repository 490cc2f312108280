//! `avse convert`: weights from one form into another.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use avse_core::AvseModel;
use avse_core::config::ModelConfig;
use avse_core::text::tokenizer::CaptionTokenizer;
use avse_core::weights::{
    AVERAGED_STEPS, Bundle, BundleContents, Naming, Precision, StateDict, Towers, canonical,
    complete_official, first_few, infer_config, load_into, read_checkpoint, state_dict_of,
};
use burn::tensor::Device;
use clap::ValueEnum;

use crate::files::read_json;
use crate::hub::{self, Hub};
use crate::pretrained::{Backbones, Heads, from_backbones};
use crate::terminal::{note, say};
use crate::{Error, Result};

/// Options of `avse convert`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to read: a bundle, an official checkpoint (.pth), a .safetensors
    /// file with official keys, or an image backbone (folder or hub name), which
    /// with that of --text makes an untrained model.
    #[arg(long)]
    from: String,
    /// What to write.
    #[arg(long, value_enum)]
    to: Form,
    /// Where to write it: a folder for a bundle, a file otherwise.
    #[arg(long)]
    out: PathBuf,
    /// Precision of the weights in the file.
    #[arg(long, value_enum, default_value = "f32")]
    precision: PrecisionArg,
    /// The model's config.json in this project's form, where the weights come
    /// without one; left out, it is told from the weights' shapes.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where the tokenizer is, or the text backbone beside an image backbone:
    /// a folder or a hub name. A bundle brings its own tokenizer.
    #[arg(long, alias = "bert_path", alias = "bert-path", default_value = "bert-base-uncased")]
    text: String,
    /// Side of the network input in pixels, where the weights do not say.
    #[arg(long, alias = "img_res")]
    img_res: Option<usize>,
    /// Width of a view's and a caption's embedding, for a model made of backbones.
    #[arg(long, alias = "embed_size", default_value_t = 1024)]
    embed_size: usize,
    /// Seed of the heads of a model made of backbones.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// What `avse convert` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A folder that `avse eval` and the others load.
    Bundle,
    /// A safetensors file with every key that the official code's strict loading asks for.
    Official,
    /// A safetensors file with official keys, only those that the model uses.
    Safetensors,
}

/// How precisely weights are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum PrecisionArg {
    /// 4 bytes a weight: what was there.
    F32,
    /// 2 bytes a weight.
    F16,
    /// 1 byte a weight, with a scale for each row of a matrix.
    Int8,
}

impl From<PrecisionArg> for Precision {
    fn from(precision: PrecisionArg) -> Self {
        match precision {
            PrecisionArg::F32 => Self::F32,
            PrecisionArg::F16 => Self::F16,
            PrecisionArg::Int8 => Self::Int8,
        }
    }
}

/// A model's weights that fit its configuration.
struct Source {
    config: ModelConfig,
    /// What the model uses, under official names.
    weights: StateDict,
    /// What else the file held and the official layout knows.
    unused: StateDict,
    /// The names of what else it held.
    outside: Vec<String>,
    /// If the source brings one.
    tokenizer: Option<Vec<u8>>,
}

impl Args {
    /// Reads, checks that the weights fit, and writes.
    ///
    /// # Errors
    /// Whatever is wrong with the input, or could not be written.
    pub fn run(self) -> Result<ExitCode> {
        if matches!(self.precision, PrecisionArg::Int8) && self.to != Form::Bundle {
            let message = "--precision int8 is for bundles: other programs do not know its scales";
            return Err(Error::Usage(message.into()));
        }
        let source = self.read()?;
        let unused = source.unused.names().map(str::to_string);
        report_unused(&unused.chain(source.outside.iter().cloned()).collect::<Vec<_>>());
        let count = source.weights.len();
        self.write(source)?;
        say!("{}: {count} tensors", self.out.display())?;
        Ok(ExitCode::SUCCESS)
    }

    fn read(&self) -> Result<Source> {
        let path = Path::new(&self.from);
        let says_all = Bundle::is_at(path);
        if self.img_res.is_some() && (says_all || self.config.is_some()) {
            let message = "--img-res does not go with a bundle or with --config: they say the size";
            return Err(Error::Usage(message.into()));
        }
        if says_all && self.config.is_some() {
            return Err(Error::Usage(
                "--config does not go with a bundle, which has its own".into(),
            ));
        }
        if says_all {
            let bundle = Bundle::open(path)?;
            if !bundle.manifest().towers.has_image() {
                let message = "holds the text tower alone: convert the bundle it was made from";
                return Err(Error::format(path, message));
            }
            let tokenizer = Some(bundle.tokenizer()?);
            return checked(path, bundle.config()?, bundle.weights()?, tokenizer);
        }
        if path.is_file() {
            return self.read_file(path);
        }
        let weights = ["pth", "pt", "ckpt", "bin", "safetensors", "json"];
        if path.extension().is_some_and(|end| weights.iter().any(|known| end == *known)) {
            return Err(Error::Usage(format!("--from {}: no such file", self.from)));
        }
        let device = Device::flex();
        device.seed(self.seed);
        let backbones = Backbones {
            image: self.from.clone(),
            text: self.text.clone(),
            embed_size: self.embed_size,
            image_size: self.img_res.unwrap_or(256),
            heads: Heads::default(),
        };
        let made = from_backbones(&backbones, &Hub::default(), &device)?;
        report_unused(&made.image_report.unused);
        report_unused(&made.text_report.unused);
        Ok(Source {
            config: made.config,
            weights: state_dict_of(&made.model, Naming::OFFICIAL)?,
            unused: StateDict::new(),
            outside: Vec::new(),
            tokenizer: Some(made.tokenizer.to_json()?.into_bytes()),
        })
    }

    /// A whole model with official keys, from a .safetensors or a PyTorch file.
    fn read_file(&self, path: &Path) -> Result<Source> {
        let checkpoint = read_checkpoint(path)?;
        let saved_size = checkpoint.options.get("opt.img_res").and_then(|size| size.as_u64());
        let saved_size = saved_size.and_then(|size| usize::try_from(size).ok());
        let (weights, outside) = canonical(checkpoint.weights, Naming::OFFICIAL)
            .map_err(|e| Error::format(path, e.to_string()))?;
        let config = match &self.config {
            Some(file) => read_json(file)?,
            None => {
                let size = self.img_res.or(saved_size).ok_or_else(|| {
                    let path = path.display();
                    Error::Usage(format!("{path}: does not say the input size; give --img-res"))
                })?;
                infer_config(&weights, size)
                    .map_err(|e| Error::format(path, format!("{e} (--config)")))?
            }
        };
        Ok(Source { outside, ..checked(path, config, weights, None)? })
    }

    fn write(&self, source: Source) -> Result<()> {
        let Source { config, mut weights, unused, tokenizer, .. } = source;
        let precision = self.precision.into();
        match self.to {
            Form::Bundle => {
                let brought = tokenizer.is_some();
                let tokenizer = match tokenizer {
                    Some(tokenizer) => tokenizer,
                    None => {
                        let folder = Hub::default().resolve(&self.text, hub::TOKENIZER)?;
                        CaptionTokenizer::from_folder(folder)?.to_json()?.into_bytes()
                    }
                };
                self.check_vocabulary(&tokenizer, &config, brought)?;
                let config = serde_json::to_value(&config)
                    .map_err(|e| Error::format(&self.out, e.to_string()))?;
                let contents = BundleContents {
                    config: &config,
                    weights: &weights,
                    tokenizer: &tokenizer,
                    precision,
                    towers: Towers::Both,
                };
                Bundle::write(&self.out, contents)?;
            }
            Form::Official => {
                for (name, data) in unused {
                    weights.insert(name, data);
                }
                complete_official(&mut weights);
                weights.write_safetensors(&self.out, precision)?;
            }
            Form::Safetensors => weights.write_safetensors(&self.out, precision)?,
        }
        Ok(())
    }

    /// A tokenizer of another vocabulary would silently give wrong results; one that the source `brought` is the
    /// model's own, whose table may have rows to spare.
    fn check_vocabulary(
        &self,
        tokenizer: &[u8],
        config: &ModelConfig,
        brought: bool,
    ) -> Result<()> {
        let size = CaptionTokenizer::from_json(&String::from_utf8_lossy(tokenizer))?.vocab_size();
        let rows = config.text.vocab_size;
        if size == rows || (brought && size < rows) {
            return Ok(());
        }
        let advice = if brought { "" } else { "; give the model's own with --text" };
        Err(Error::Usage(format!("the tokenizer has {size} tokens and the model {rows}{advice}")))
    }
}

/// Says which tensors the model has no use for, by the first few of their names.
fn report_unused(names: &[String]) {
    if !names.is_empty() {
        note!("not used by the model: {}", first_few(names));
    }
}

/// Puts the weights through a model of this configuration, so that nothing
/// that would not load is ever written.
fn checked(
    path: &Path,
    config: ModelConfig,
    weights: StateDict,
    tokenizer: Option<Vec<u8>>,
) -> Result<Source> {
    let model = AvseModel::new(&config, &Device::flex())?;
    // What belongs to an average and not to the model is no key of the official code.
    let unused = weights
        .iter()
        .filter(|(name, _)| Naming::OFFICIAL.is_unused(name) && *name != AVERAGED_STEPS);
    let unused = unused.map(|(name, data)| (name.to_string(), data.clone())).collect();
    let (model, _) = load_into(model, weights, Naming::OFFICIAL)
        .map_err(|e| Error::format(path, e.to_string()))?;
    let weights = state_dict_of(&model, Naming::OFFICIAL)?;
    Ok(Source { config, weights, unused, outside: Vec::new(), tokenizer })
}
