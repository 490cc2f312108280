//! The backbones of the published commands at full size: random weights in the files that Hugging
//! Face publishes, read as `avse train` reads them, and one step's gradients on the CPU.

mod checkpoints;

use std::fs;
use std::path::Path;
use std::time::Instant;

use avse_core::image::ImageTower;
use avse_core::loss::Negatives;
use avse_core::text::tokenizer::CaptionTokenizer;
use avse_core::weights::{Naming, state_dict_of};
use burn::module::Module;
use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use trainer_native::hub::Hub;
use trainer_native::pretrained::{Backbones, Heads, from_backbones};
use trainer_native::train::{Batch, LossConfig, Objective};

use self::checkpoints::{bert, swin, vit};
use super::gradients::GradientsAsWeights;

/// Images and captions of the step.
const BATCH: usize = 2;

/// Whether AVSE never uses a parameter, or its true gradient is zero.
fn has_no_gradient(name: &str) -> bool {
    // ViT's final norm belongs to `ViTModel` only; a constant added to all keys changes no
    // attention weight; batch norm takes a constant off again.
    let unused = ["visual_encoder.layernorm.weight", "visual_encoder.layernorm.bias"];
    let is_vit_norm = unused.iter().any(|unused| name.ends_with(unused));
    is_vit_norm || name.ends_with("key.bias") || name.ends_with("mlp.layers.0.bias")
}

/// One backbone through reading, loss and gradients. Says the times and the peak.
fn step(name: &str, img_res: usize, write: impl FnOnce(&Path)) {
    let root = TempDir::new().unwrap();
    let began = Instant::now();
    write(&root.path().join(name));
    bert(&root.path().join("bert-base-uncased"));
    let written = began.elapsed();
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();

    let device = Device::flex().autodiff();
    device.seed(1);
    let began = Instant::now();
    let backbones = Backbones {
        image: path(name),
        text: path("bert-base-uncased"),
        embed_size: 1024,
        image_size: img_res,
        heads: Heads::default(),
    };
    let pretrained = from_backbones(&backbones, &Hub::default(), &device).unwrap();
    let (config, model) = (pretrained.config, pretrained.model.materialize());
    let read = began.elapsed();
    drop(root);

    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let pixels = (0..BATCH * 3 * img_res * img_res).map(|_| rng.random_range(-2.0..2.0)).collect();
    let captions = ["two dogs run along the beach after a red ball", "a man repairs a bicycle"];
    let tokenizer: CaptionTokenizer = pretrained.tokenizer;
    let tokens = tokenizer.encode_batch(&captions, config.text.max_position_embeddings);
    let plan = config.sampling.random_plan(ImageTower::grid(&config), BATCH, &mut rng);
    let batch = Batch { pixels, tokens, plan };
    let loss = LossConfig::default();
    let objective = Objective { model: &config, loss: &loss, negatives: Negatives::All };
    let began = Instant::now();
    let total = objective.of_batch(&model, &batch, objective.pixels(&batch, &device));
    let value = total.clone().into_scalar::<f32>();
    let forward = began.elapsed();
    assert!(value.is_finite() && value > 0.0, "loss {value}");
    let began = Instant::now();
    let gradients = total.backward();
    let backward = began.elapsed();

    let mut as_weights = GradientsAsWeights { gradients: &gradients };
    let named = state_dict_of(&model.map(&mut as_weights), Naming::OFFICIAL).unwrap();
    let (mut parameters, mut checked, mut zero) = (0, 0, Vec::new());
    for (name, gradient) in named.iter().filter(|(name, _)| !name.contains(".running_")) {
        let values: Vec<f32> = gradient.clone().convert::<f32>().try_to_vec().unwrap();
        assert!(values.iter().all(|value| value.is_finite()), "{name}");
        parameters += values.len();
        if has_no_gradient(name) {
            continue;
        }
        checked += 1;
        if values.iter().all(|value| *value == 0.0) {
            zero.push(name.to_owned());
        }
    }
    assert!(zero.is_empty(), "no gradient: {zero:?}");
    assert!(checked > 300, "{checked}");
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown");
    println!(
        "{name} at {img_res}: {parameters} parameters, {checked} tensors with gradients, loss {value:.3}; \
         files written {written:.1?}, read {read:.1?}, forward {forward:.1?}, backward {backward:.1?}; {peak}"
    );
}

/// The position table of 14 x 14 patches is resized to 16 x 16.
#[test]
#[ignore = "slow: full size, some 10 seconds, 4 GB of memory, 1 GB of disk"]
fn vit_224_takes_a_step_at_full_size() {
    step("vit-base-patch16-224-in21k", 256, |folder| vit(folder, 224, ""));
}

#[test]
#[ignore = "slow: full size, some 10 seconds, 4 GB of memory, 1 GB of disk"]
fn vit_384_takes_a_step_at_full_size() {
    step("vit-base-patch16-384", 384, |folder| vit(folder, 384, "vit."));
}

/// Maps of 64 x 64 to 8 x 8 in windows of 7 are padded.
#[test]
#[ignore = "slow: full size, some 10 seconds, 4 GB of memory, 1 GB of disk"]
fn swin_224_takes_a_step_at_full_size() {
    step("swin-base-patch4-window7-224-in22k", 256, |folder| swin(folder, 224, 7));
}

#[test]
#[ignore = "slow: full size, some 10 seconds, 4 GB of memory, 1 GB of disk"]
fn swin_384_takes_a_step_at_full_size() {
    step("swin-base-patch4-window12-384-in22k", 384, |folder| swin(folder, 384, 12));
}
