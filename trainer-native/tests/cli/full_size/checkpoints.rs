//! Random weights in the files that Hugging Face publishes: names, shapes, `config.json`.

use std::fs;
use std::path::Path;

use avse_core::weights::{Precision, StateDict};
use burn::tensor::TensorData;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// The tensors of a checkpoint, by the names in its file.
struct Checkpoint {
    weights: StateDict,
    rng: ChaCha8Rng,
}

impl Checkpoint {
    fn new() -> Self {
        Self { weights: StateDict::new(), rng: ChaCha8Rng::seed_from_u64(1) }
    }

    /// Uniform numbers with the standard deviation of new transformers, 0.02.
    fn random(&mut self, name: impl Into<String>, shape: &[usize]) {
        let count = shape.iter().product();
        let values: Vec<f32> =
            (0..count).map(|_| self.rng.random_range(-0.0346f32..0.0346)).collect();
        self.weights.insert(name, TensorData::new(values, shape));
    }

    fn linear(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.random(format!("{name}.weight"), &[outputs, inputs]);
        self.random(format!("{name}.bias"), &[outputs]);
    }

    fn norm(&mut self, name: &str, (weight, bias): (&str, &str), width: usize) {
        let ones = TensorData::ones::<f32, _>([width]);
        self.weights.insert(format!("{name}.{weight}"), ones);
        self.random(format!("{name}.{bias}"), &[width]);
    }

    fn write(self, folder: &Path, config: &Value) {
        fs::create_dir_all(folder).unwrap();
        self.weights.write_safetensors(folder.join("model.safetensors"), Precision::F32).unwrap();
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
    }
}

const NORM: (&str, &str) = ("weight", "bias");

/// `google/vit-base-patch16-224-in21k` is a bare `ViTModel` with a pooler, and
/// `google/vit-base-patch16-384` a classifier.
pub fn vit(folder: &Path, side: usize, prefix: &str) {
    let mut file = Checkpoint::new();
    let tokens = 1 + (side / 16) * (side / 16);
    file.random(format!("{prefix}embeddings.cls_token"), &[1, 1, 768]);
    file.random(format!("{prefix}embeddings.position_embeddings"), &[1, tokens, 768]);
    let patches = format!("{prefix}embeddings.patch_embeddings.projection");
    file.random(format!("{patches}.weight"), &[768, 3, 16, 16]);
    file.random(format!("{patches}.bias"), &[768]);
    for layer in 0..12 {
        let layer = format!("{prefix}encoder.layer.{layer}");
        for part in ["query", "key", "value"] {
            file.linear(&format!("{layer}.attention.attention.{part}"), 768, 768);
        }
        file.linear(&format!("{layer}.attention.output.dense"), 768, 768);
        file.linear(&format!("{layer}.intermediate.dense"), 768, 3072);
        file.linear(&format!("{layer}.output.dense"), 3072, 768);
        file.norm(&format!("{layer}.layernorm_before"), NORM, 768);
        file.norm(&format!("{layer}.layernorm_after"), NORM, 768);
    }
    file.norm(&format!("{prefix}layernorm"), NORM, 768);
    match prefix {
        "" => file.linear("pooler.dense", 768, 768),
        _ => file.linear("classifier", 768, 1000),
    }
    let config = json!({
        "architectures": [if prefix.is_empty() { "ViTModel" } else { "ViTForImageClassification" }],
        "attention_probs_dropout_prob": 0.0,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "hidden_size": 768,
        "image_size": side,
        "initializer_range": 0.02,
        "intermediate_size": 3072,
        "layer_norm_eps": 1e-12,
        "model_type": "vit",
        "num_attention_heads": 12,
        "num_channels": 3,
        "num_hidden_layers": 12,
        "patch_size": 16,
        "qkv_bias": true
    });
    file.write(folder, &config);
}

/// `microsoft/swin-base-patch4-window{7-224,12-384}-in22k`, classifiers of 21,841 classes.
pub fn swin(folder: &Path, side: usize, window: usize) {
    let (depths, heads) = ([2, 2, 18, 2], [4, 8, 16, 32]);
    let mut file = Checkpoint::new();
    let patches = "swin.embeddings.patch_embeddings.projection";
    file.random(format!("{patches}.weight"), &[128, 3, 4, 4]);
    file.random(format!("{patches}.bias"), &[128]);
    file.norm("swin.embeddings.norm", NORM, 128);
    for (stage, (depth, heads)) in depths.into_iter().zip(heads).enumerate() {
        let width = 128 << stage;
        for block in 0..depth {
            let block = format!("swin.encoder.layers.{stage}.blocks.{block}");
            let attention = format!("{block}.attention.self");
            for part in ["query", "key", "value"] {
                file.linear(&format!("{attention}.{part}"), width, width);
            }
            let positions = (2 * window - 1) * (2 * window - 1);
            file.random(format!("{attention}.relative_position_bias_table"), &[positions, heads]);
            let index = TensorData::zeros::<i64, _>([window * window, window * window]);
            file.weights.insert(format!("{attention}.relative_position_index"), index);
            file.linear(&format!("{block}.attention.output.dense"), width, width);
            file.linear(&format!("{block}.intermediate.dense"), width, 4 * width);
            file.linear(&format!("{block}.output.dense"), 4 * width, width);
            file.norm(&format!("{block}.layernorm_before"), NORM, width);
            file.norm(&format!("{block}.layernorm_after"), NORM, width);
        }
        if stage < 3 {
            let merging = format!("swin.encoder.layers.{stage}.downsample");
            file.random(format!("{merging}.reduction.weight"), &[2 * width, 4 * width]);
            file.norm(&format!("{merging}.norm"), NORM, 4 * width);
        }
    }
    file.norm("swin.layernorm", NORM, 1024);
    file.linear("classifier", 1024, 21_841);
    let config = json!({
        "architectures": ["SwinForImageClassification"],
        "attention_probs_dropout_prob": 0.0,
        "depths": depths,
        "drop_path_rate": 0.1,
        "embed_dim": 128,
        "encoder_stride": 32,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "hidden_size": 1024,
        "image_size": side,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-5,
        "mlp_ratio": 4.0,
        "model_type": "swin",
        "num_channels": 3,
        "num_heads": heads,
        "num_layers": 4,
        "patch_size": 4,
        "path_norm": true,
        "qkv_bias": true,
        "use_absolute_embeddings": false,
        "window_size": window
    });
    file.write(folder, &config);
}

/// `bert-base-uncased`: a pre-training head, and layer norms in the old spelling.
pub fn bert(folder: &Path) {
    const OLD: (&str, &str) = ("gamma", "beta");
    let mut file = Checkpoint::new();
    for (part, rows) in
        [("word_embeddings", 30_522), ("position_embeddings", 512), ("token_type_embeddings", 2)]
    {
        file.random(format!("bert.embeddings.{part}.weight"), &[rows, 768]);
    }
    file.norm("bert.embeddings.LayerNorm", OLD, 768);
    for layer in 0..12 {
        let layer = format!("bert.encoder.layer.{layer}");
        for part in ["query", "key", "value"] {
            file.linear(&format!("{layer}.attention.self.{part}"), 768, 768);
        }
        file.linear(&format!("{layer}.attention.output.dense"), 768, 768);
        file.norm(&format!("{layer}.attention.output.LayerNorm"), OLD, 768);
        file.linear(&format!("{layer}.intermediate.dense"), 768, 3072);
        file.linear(&format!("{layer}.output.dense"), 3072, 768);
        file.norm(&format!("{layer}.output.LayerNorm"), OLD, 768);
    }
    file.linear("bert.pooler.dense", 768, 768);
    file.random("cls.predictions.bias", &[30_522]);
    file.linear("cls.predictions.transform.dense", 768, 768);
    file.norm("cls.predictions.transform.LayerNorm", OLD, 768);
    file.linear("cls.seq_relationship", 768, 2);
    let config = json!({
        "architectures": ["BertForMaskedLM"],
        "attention_probs_dropout_prob": 0.1,
        "gradient_checkpointing": false,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": 768,
        "initializer_range": 0.02,
        "intermediate_size": 3072,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512,
        "model_type": "bert",
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "type_vocab_size": 2,
        "use_cache": true,
        "vocab_size": 30_522
    });
    file.write(folder, &config);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vocabulary = root.join("../tests/fixtures/parity/bert-base-uncased-vocab.txt");
    fs::copy(vocabulary, folder.join("vocab.txt")).unwrap();
}
