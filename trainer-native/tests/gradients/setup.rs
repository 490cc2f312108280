//! Small networks of every backbone, a batch for them, and how gradients are compared.

use avse_core::AvseModel;
use avse_core::config::ModelConfig;
use avse_core::image::ImageTower;
use avse_core::loss::{Negatives, Regulariser};
use avse_core::text::tokenizer::TokenBatch;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trainer_native::train::{
    Batch, Collective, Computed, Factor, HostCollective, LossConfig, Method, Objective, Place,
};

use super::comparisons::{Comparisons, largest, relative_l2};

/// Captions of the batch.
pub const BATCH: usize = 8;
pub const SEED: u64 = 11;
/// Largest relative difference on the CPU, of a tensor's gradient and of the loss.
pub const GRADIENT: f64 = 5e-5;
pub const LOSS: f64 = 1e-5;

/// A network with `dropout` everywhere.
pub fn config(image: &str, dropout: f64) -> ModelConfig {
    let image = match image {
        "vit" => format!(
            r#"{{"model_type": "vit", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 32, "image_size": 32, "patch_size": 8, "hidden_dropout_prob": {dropout},
            "attention_probs_dropout_prob": {dropout}, "initializer_range": 0.2}}"#
        ),
        "swin" => format!(
            r#"{{"model_type": "swin", "image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [2, 1],
            "num_heads": [2, 2], "window_size": 4, "hidden_dropout_prob": {dropout}, "drop_path_rate": {dropout},
            "initializer_range": 0.2}}"#
        ),
        other => panic!("{other}"),
    };
    let text = format!(
        r#"{{"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 24, "hidden_dropout_prob": {dropout},
        "attention_probs_dropout_prob": {dropout}, "initializer_range": 0.2}}"#
    );
    let config = format!(
        r#"{{"embed_size": 32, "block_size": 16, "image_size": 32, "text_dropout": {dropout},
        "pooling": {{"position_size": 8, "hidden_size": 8, "temperature": 0.1}},
        "image": {image}, "text": {text}}}"#
    );
    serde_json::from_str(&config).unwrap()
}

/// Random pictures, captions of different lengths, random views.
pub fn batch(config: &ModelConfig, seed: u64) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = BATCH * 3 * config.image_size.pow(2);
    let pixels = (0..count).map(|_| rng.random_range(-2.0f32..2.0)).collect();
    let lengths: Vec<usize> = (0..BATCH).map(|at| 3 + (at * 5) % 9).collect();
    let width = *lengths.iter().max().unwrap();
    let mut ids = vec![0; BATCH * width];
    for (row, length) in lengths.iter().enumerate() {
        ids[row * width..][..*length].fill_with(|| rng.random_range(1..50));
    }
    let plan = config.sampling.random_plan(ImageTower::grid(config), BATCH, &mut rng);
    Batch { pixels, tokens: TokenBatch { ids, lengths, width, truncated: 0 }, plan }
}

/// The part of a batch that replica `rank` of `world` takes, padded to its own longest caption.
pub fn shard(batch: &Batch, rank: usize, world: usize) -> Batch {
    let count = BATCH / world;
    let range = rank * count..(rank + 1) * count;
    let size = batch.pixels.len() / BATCH;
    let tokens = &batch.tokens;
    let lengths = tokens.lengths[range.clone()].to_vec();
    let width = *lengths.iter().max().unwrap();
    let ids = range.clone().flat_map(|row| tokens.ids[row * tokens.width..][..width].to_vec());
    Batch {
        pixels: batch.pixels[range.start * size..range.end * size].to_vec(),
        tokens: TokenBatch { ids: ids.collect(), lengths, width, truncated: 0 },
        plan: batch.plan.slice(range),
    }
}

pub fn device() -> Device {
    Device::flex().autodiff()
}

/// A network with weights that depend on nothing but the configuration.
pub fn network(config: &ModelConfig) -> AvseModel {
    // The draws of several tests in one process must not mix.
    static DRAWING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _held = DRAWING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let device = device();
    device.seed(5);
    AvseModel::new(config, &device).unwrap().drawn()
}

pub fn loss() -> LossConfig {
    LossConfig {
        regulariser: Regulariser { weight: 0.01, ..Regulariser::default() },
        ..LossConfig::default()
    }
}

pub fn objective<'a>(config: &'a ModelConfig, loss: &'a LossConfig) -> Objective<'a> {
    Objective { model: config, loss, negatives: Negatives::Hardest }
}

/// A step's gradients on one device.
pub fn alone(method: Method, model: &AvseModel, batch: &Batch, config: &ModelConfig) -> Computed {
    let loss = loss();
    let group = HostCollective::new(1);
    with_place(&group, 0, 1.0, |place| {
        method.compute(model, batch, &objective(config, &loss), place).unwrap()
    })
}

pub fn with_place<T>(
    collective: &dyn Collective,
    rank: usize,
    scale: f32,
    work: impl FnOnce(&Place<'_>) -> T,
) -> T {
    let device = device();
    let scale = Factor::Number(scale);
    work(&Place { device: &device, collective, rank, seed: SEED, scale })
}

/// Every parameter's gradient by its path.
pub fn named(model: &AvseModel, gradients: &GradientsParams) -> Vec<(String, Vec<f32>)> {
    struct Names<'a> {
        gradients: &'a GradientsParams,
        path: Vec<String>,
        found: Vec<(String, Vec<f32>)>,
    }
    impl ModuleVisitor for Names<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.get::<D>(param.id) {
                let values = gradient.into_data().try_to_vec().unwrap();
                self.found.push((self.path.join("."), values));
            }
        }
    }
    let mut names = Names { gradients, path: Vec::new(), found: Vec::new() };
    model.visit(&mut names);
    names.found
}

/// How one step's gradients are compared with another's.
pub struct Check<'a> {
    /// Where the result goes.
    pub comparisons: &'a Comparisons,
    /// What is compared, before the tensor's name.
    pub case: String,
    /// Largest relative L2 difference of a tensor.
    pub limit: f64,
}

impl Check<'_> {
    /// Every tensor: relative to its size; key biases and the bias before batch norm, whose
    /// gradients are zero but for rounding, absolutely.
    pub fn gradients(
        &self,
        model: &AvseModel,
        found: &GradientsParams,
        expected: &GradientsParams,
    ) {
        let (found, expected) = (named(model, found), named(model, expected));
        let names =
            |list: &[(String, Vec<f32>)]| list.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected));
        assert!(found.len() > 40, "only {} tensors", found.len());
        for ((name, found), (_, expected)) in found.iter().zip(&expected) {
            let tensor = format!("{}: {name}", self.case);
            if name.ends_with("key.bias") || name.ends_with("mlp_in.bias") {
                self.comparisons.add(&tensor, largest(found, expected), 1e-4);
            } else {
                assert!(expected.iter().any(|value| *value != 0.0), "{name}: no gradient");
                self.comparisons.add(&tensor, relative_l2(found, expected), self.limit);
            }
        }
    }

    /// Losses, relative to their size.
    pub fn loss(&self, found: f64, expected: f64, limit: f64) {
        let error = (found - expected).abs() / expected.abs();
        self.comparisons.add(&format!("{}: loss", self.case), error, limit);
    }
}
