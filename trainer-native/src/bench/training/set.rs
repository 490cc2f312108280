//! What ours and the peer both read: the network's sizes, and for the evaluation a bundle and a
//! dataset in the official layout.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use avse_core::config::ImageBackboneConfig;
use avse_core::image::ImageTower;
use avse_core::text::tokenizer::CaptionTokenizer;
use avse_core::weights::Precision;
use avse_core::{Avse, AvseModel};
use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::bench::Workload;
use crate::bench::loader::write_photos;
use crate::{Error, Result, files};

/// Captions of an image.
pub(super) const CAPTIONS_EACH: usize = 5;
/// The vocabulary's first entries, as BERT has them.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// How much is evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub images: usize,
    pub captions: usize,
}

/// Writes `network.json`, see [`network`].
pub(super) fn write_network(folder: &Path, workload: &Workload) -> Result<()> {
    write(&folder.join("network.json"), &files::json(&network(workload)?)?)
}

/// Sizes by the names that Hugging Face gives them, as peers read them.
///
/// # Errors
/// Another image backbone than ViT.
pub fn network(workload: &Workload) -> Result<serde_json::Value> {
    let model = &workload.model;
    let ImageBackboneConfig::Vit(vit) = &model.image else {
        return Err(Error::Usage("the peer knows ViT only".into()));
    };
    let text = &model.text;
    let grid = ImageTower::grid(model);
    let plan = model.sampling.fixed_plan(grid, 1);
    // The patches of each view, not its centre: some are equally near, and chance would decide.
    let kept: Vec<&[u32]> = plan.indices.chunks(plan.kept).collect();
    Ok(json!({
        "embed_size": model.embed_size,
        "block_size": model.block_size,
        "image_size": model.image_size,
        "text_dropout": model.text_dropout,
        "views": model.sampling.views,
        "kept": kept,
        "pooling": [model.pooling.position_size, model.pooling.hidden_size, model.pooling.temperature],
        "caption_tokens": workload.caption_tokens,
        "captions_each": CAPTIONS_EACH,
        "vit": {
            "hidden_size": vit.hidden_size,
            "num_hidden_layers": vit.num_hidden_layers,
            "num_attention_heads": vit.num_attention_heads,
            "intermediate_size": vit.intermediate_size,
            "image_size": vit.image_size,
            "patch_size": vit.patch_size,
            "layer_norm_eps": vit.layer_norm_eps,
            "hidden_dropout_prob": vit.hidden_dropout_prob,
            "attention_probs_dropout_prob": vit.attention_probs_dropout_prob,
        },
        "bert": {
            "vocab_size": text.vocab_size,
            "hidden_size": text.hidden_size,
            "num_hidden_layers": text.num_hidden_layers,
            "num_attention_heads": text.num_attention_heads,
            "intermediate_size": text.intermediate_size,
            "max_position_embeddings": text.max_position_embeddings,
            "layer_norm_eps": text.layer_norm_eps,
            "hidden_dropout_prob": text.hidden_dropout_prob,
            "attention_probs_dropout_prob": text.attention_probs_dropout_prob,
        },
    }))
}

/// Writes photographs, captions, vocabulary and a bundle of random weights.
pub(super) fn write_dataset(folder: &Path, workload: &Workload, quick: bool) -> Result<Counts> {
    let images = if quick { 4 } else { 200 };
    let counts = Counts { images, captions: images * CAPTIONS_EACH };
    let (texts, pictures) = (folder.join("data/f30k"), folder.join("data/flickr30k-images"));
    for folder in [&texts, &pictures] {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let names = write_photos(&pictures, images)?;
    let mapping: serde_json::Map<String, serde_json::Value> =
        names.into_iter().enumerate().map(|(id, name)| (id.to_string(), name.into())).collect();
    write(&texts.join("id_mapping.json"), &files::json(&mapping)?)?;

    let entries = workload.model.text.vocab_size;
    let mut vocabulary = SPECIAL.join("\n");
    (SPECIAL.len()..entries).for_each(|entry| {
        // Writing to a String cannot fail.
        let _ = write!(vocabulary, "\n{}", word(entry));
    });
    vocabulary.push('\n');
    write(&folder.join("vocab.txt"), vocabulary.as_bytes())?;

    let mut rng = ChaCha8Rng::seed_from_u64(workload.seed);
    let (mut ids, mut captions) = (String::new(), String::new());
    for caption in 0..counts.captions {
        // Each word a single piece: with `[CLS]` and `[SEP]` as long as a step's captions.
        let words: Vec<String> = (0..workload.caption_tokens - 2)
            .map(|_| word(rng.random_range(SPECIAL.len()..entries)))
            .collect();
        let _ = writeln!(captions, "{}", words.join(" "));
        let _ = writeln!(ids, "{}", caption / CAPTIONS_EACH);
    }
    write(&texts.join("test_ids.txt"), ids.as_bytes())?;
    write(&texts.join("test_caps.txt"), captions.as_bytes())?;

    let device = Device::flex();
    device.seed(workload.seed);
    let model = AvseModel::new(&workload.model, &device)?.drawn();
    let tokenizer = CaptionTokenizer::from_vocab(&vocabulary)?;
    let avse = Avse::new(workload.model.clone(), model, tokenizer)?;
    avse.save(folder.join("bundle"), Precision::F32)?;
    // The bundle's file has the official names.
    let weights = folder.join("weights.safetensors");
    let own = folder.join("bundle/model.safetensors");
    fs::hard_link(&own, &weights)
        .or_else(|_| fs::copy(&own, &weights).map(drop))
        .map_err(|e| Error::io(&weights, e))?;
    Ok(counts)
}

/// A word of its own for each number.
fn word(mut number: usize) -> String {
    let mut word = String::new();
    while number > 0 {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    word
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|e| Error::io(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, DatasetSpec};

    #[test]
    fn both_sides_files_are_there_and_the_dataset_opens() {
        let folder = tempfile::tempdir().unwrap();
        let workload = Workload::quick();
        write_network(folder.path(), &workload).unwrap();
        let counts = write_dataset(folder.path(), &workload, true).unwrap();
        let data_path = folder.path().join("data");
        let spec = DatasetSpec { name: "f30k".into(), data_path, images: None };
        let split = Dataset::open(&spec).unwrap().split("test").unwrap();
        assert_eq!((split.images.len(), split.captions.len()), (counts.images, counts.captions));
        let network = fs::read_to_string(folder.path().join("network.json")).unwrap();
        let network: serde_json::Value = serde_json::from_str(&network).unwrap();
        // A grid of 4 x 4 patches: the centres (1, 1) and (3, 3), then what is near.
        let kept = |view: usize| network["kept"][view].as_array().unwrap();
        assert_eq!((kept(0).len(), kept(1).len()), (15, 15));
        assert_eq!((&kept(0)[0], &kept(1)[0]), (&json!(5), &json!(15)));
        let vocabulary = fs::read_to_string(folder.path().join("vocab.txt")).unwrap();
        let words: std::collections::HashSet<&str> = vocabulary.lines().collect();
        assert_eq!(words.len(), workload.model.text.vocab_size, "every word once");
        let tokenizer = CaptionTokenizer::from_vocab(&vocabulary).unwrap();
        assert_eq!(tokenizer.encode(&split.captions[0]).len(), workload.caption_tokens);
    }
}
