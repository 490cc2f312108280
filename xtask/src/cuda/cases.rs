//! What is run on the stand-in: every kernel of training and evaluation, at sizes of a moment and at real ones.

use std::fs;
use std::io;
use std::path::Path;

use super::dataset;

/// Something that the program does on a pretended GPU.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is, for people.
    pub name: String,
    /// Compute capability of the GPU.
    pub capability: &'static str,
    /// CUDA version of the driver.
    pub driver: u32,
    /// GPUs.
    pub devices: usize,
    /// What else is special about them: settings of the stand-in, without their prefix.
    pub machine: Vec<(&'static str, &'static str)>,
    /// Words of the error that it ends with; `None` where it ends well.
    pub refused: Option<&'static str>,
    /// How the program is called.
    pub work: Work,
    /// Whether its steps are counted: it runs with fewer and with more steps.
    pub counted: bool,
    /// Whether it is part of the short check.
    pub short: bool,
}

/// A call of the program.
#[derive(Clone, Debug)]
pub enum Work {
    /// `avse bench phase`: encoding or steps with random weights.
    Phase {
        /// `images`, `captions` or `step`.
        phase: &'static str,
        /// The network, as JSON.
        model: &'static str,
        /// Images, or pairs of a step.
        batch: usize,
        /// How the gradients are computed.
        method: Method,
    },
    /// `avse train` and then `avse eval`, with these lines of TOML and these options.
    Train {
        /// The network's image half and what else is special.
        toml: &'static str,
        /// Options of the command line.
        options: Vec<&'static str>,
    },
}

/// How a step's gradients are computed.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// What the backbones compute in.
    pub precision: &'static str,
    /// Pairs that they take at once.
    pub micro_batch: usize,
    /// Whether they compute their layers again.
    pub recompute: bool,
}

/// The GPUs, and the drivers that they are tried with: the oldest that the program can use, and a newer one.
const GPUS: [(&str, u32); 3] = [("8.0", 12080), ("9.0", 12080), ("10.0", 13000)];

/// Steps of the short and of the long run of a counted case.
pub const STEPS: (u64, u64) = (2, 6);

const VIT_BASE: &str = r#""image": {"model_type": "vit"}"#;
const SWIN_BASE: &str = r#""image": {"model_type": "swin", "embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]}"#;

const SMALL_VIT: &str = "\
model_type = \"vit\"
hidden_size = 128
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 256
image_size = 64
patch_size = 8
";
/// So many patches that its attention maps fill gigabytes.
const FINE_VIT: &str = "\
model_type = \"vit\"
hidden_size = 128
num_hidden_layers = 4
num_attention_heads = 4
intermediate_size = 256
image_size = 64
patch_size = 2
";
const SMALL_SWIN: &str = "\
model_type = \"swin\"
image_size = 64
patch_size = 4
embed_dim = 64
depths = [2, 2]
num_heads = [2, 4]
window_size = 4
";
const SMALL_RESNET: &str = "\
model_type = \"resnet\"
embedding_size = 48
hidden_sizes = [64, 160]
depths = [2, 3]
layer_type = \"basic\"
";
/// Behind the network's tables.
const HARDEST: &str = "[loss]\nall_negatives_epochs = 0\n";
const MUON: &str = "[optimiser]\nmatrices = \"muon\"\n";

/// All cases.
pub fn all() -> Vec<Case> {
    GPUS.iter().flat_map(|(capability, driver)| of_gpu(capability, *driver)).collect()
}

fn of_gpu(capability: &'static str, driver: u32) -> Vec<Case> {
    let case = |name: &str, work| Case {
        name: name.into(),
        capability,
        driver,
        devices: 1,
        machine: Vec::new(),
        refused: None,
        work,
        counted: false,
        short: false,
    };
    let train = |name: &str, toml, options: &[&'static str]| {
        case(name, Work::Train { toml, options: options.to_vec() })
    };
    let step = |name: &str, model, batch, precision: &'static str, micro_batch, recompute| {
        let method = Method { precision, micro_batch, recompute };
        case(name, Work::Phase { phase: "step", model, batch, method })
    };
    let encode = |name: &str, phase, model, batch| {
        let method = Method { precision: "f32", micro_batch: 0, recompute: false };
        case(name, Work::Phase { phase, model, batch, method })
    };
    // The short check has every kind of work once, spread over the GPUs.
    let on = |gpu: &str, case| Case { short: capability == gpu, ..case };
    let counted = |case| Case { counted: capability == "9.0", ..case };
    let two = ["--gpu-id", "0,1", "--multi_gpu", "1", "--sync-bn", "--batch_size", "4"];
    let pieces = ["--precision", "bf16", "--micro-batch", "4", "--recompute"];
    vec![
        counted(on(
            "10.0",
            step("step, ViT-B + BERT, f32, batch 32", VIT_BASE, 32, "f32", 0, false),
        )),
        counted(on(
            "9.0",
            step("step, ViT-B + BERT, bf16, batch 32", VIT_BASE, 32, "bf16", 0, false),
        )),
        step("step, ViT-B + BERT, bf16, batch 128", VIT_BASE, 128, "bf16", 0, false),
        counted(step(
            "step, ViT-B + BERT, bf16, micro-batch 8, recompute",
            VIT_BASE,
            32,
            "bf16",
            8,
            true,
        )),
        step("step, ViT-B + BERT, f16, batch 32", VIT_BASE, 32, "f16", 0, false),
        counted(step("step, Swin-B + BERT, f32, batch 16", SWIN_BASE, 16, "f32", 0, false)),
        step("step, Swin-B + BERT, bf16, batch 32", SWIN_BASE, 32, "bf16", 0, false),
        encode("images, ViT-B, batch 32", "images", VIT_BASE, 32),
        encode("captions, BERT, batch 32", "captions", VIT_BASE, 32),
        encode("images, Swin-B, batch 32", "images", SWIN_BASE, 32),
        counted(on(
            "8.0",
            train("train and evaluate, small ViT, hardest negatives", SMALL_VIT, &[]),
        )),
        on(
            "10.0",
            train(
                "train, small ViT, f16, micro-batch 4",
                SMALL_VIT,
                &["--precision", "f16", "--micro-batch", "4"],
            ),
        ),
        on("9.0", train("train, small Swin, bf16, micro-batch 4, recompute", SMALL_SWIN, &pieces)),
        on("10.0", train("train, small ResNet", SMALL_RESNET, &[])),
        on("8.0", train("train, small ViT, Muon, all negatives", MUON, &[])),
        Case { devices: 2, ..on("9.0", train("train on two GPUs, small ViT", SMALL_VIT, &two)) },
        Case {
            machine: vec![("MEMORY", "80G"), ("TAKEN", "78G@2000")],
            refused: Some("This would fit: --micro-batch"),
            ..train("out of memory in the middle", FINE_VIT, &[])
        },
    ]
}

/// Writes the data of `Train` cases into `folder`: as many steps of the short run in `short`, and of the long
/// one in `long`.
pub fn prepare(folder: &Path) -> io::Result<()> {
    // A batch of 8 captions; 5 of an image.
    let images = |steps: u64| (steps as usize * 8).div_ceil(5);
    for (name, steps) in [("short", STEPS.0), ("long", STEPS.1)] {
        let splits = [("train", images(steps)), ("dev", 4), ("test", 8)];
        dataset::write(&folder.join("data").join(name), splits)?;
    }
    Ok(())
}

impl Work {
    /// Arguments of the calls one after the other, each with what it is given as input; `long` takes more
    /// steps. The data is in `work`, which [`prepare`] has filled; files are written into `folder`.
    pub fn calls(
        &self,
        (work, folder): (&Path, &Path),
        long: bool,
    ) -> io::Result<Vec<(Vec<String>, String)>> {
        let steps = if long { STEPS.1 } else { STEPS.0 };
        match self {
            Self::Phase { phase, model, batch, method } => {
                let Method { precision, micro_batch, recompute } = method;
                let job = format!(
                    "{{\"phase\": \"{phase}\", \"workload\": {{\"gpu_id\": \"0\", \"model\": {{\
                     \"embed_size\": 1024, \"image_size\": 256, {model}, \"text\": {{}}}}, \
                     \"image_batch\": {batch}, \"caption_batch\": {batch}, \"caption_tokens\": 16, \
                     \"step_batch\": {batch}, \"warmup\": 1, \"repetitions\": {steps}, \"seed\": 0}}, \
                     \"method\": {{\"micro_batch\": {micro_batch}, \"recompute\": {recompute}, \
                     \"precision\": \"{precision}\", \"sync_bn\": false}}}}"
                );
                Ok(vec![(vec!["bench".into(), "phase".into()], job)])
            }
            Self::Train { toml, options } => {
                let run = folder.join("run");
                let _ = fs::remove_dir_all(&run);
                let config = folder.join("run.toml");
                fs::write(&config, configuration(toml))?;
                let data = work.join("data").join(if long { "long" } else { "short" });
                let text = |path: &Path| path.to_string_lossy().into_owned();
                let mut train = vec!["train".to_owned(), "--config".into(), text(&config)];
                train.extend([
                    "--data_path".into(),
                    text(&data),
                    "--logger_name".into(),
                    text(&run),
                ]);
                if !options.contains(&"--gpu-id") {
                    train.extend(["--gpu-id".into(), "0".into()]);
                }
                train.extend(options.iter().map(|option| (*option).to_owned()));
                let mut eval = vec!["eval".to_owned(), "--data_path".into(), text(&data)];
                eval.extend([
                    "--model".into(),
                    text(&run.join("best")),
                    "--gpu-id".into(),
                    "0".into(),
                ]);
                Ok(vec![(train, String::new()), (eval, String::new())])
            }
        }
    }
}

/// A run of a small network. `special` is its image half, or a table of its own.
fn configuration(special: &str) -> String {
    let (image, table) = match special {
        MUON => (SMALL_VIT, MUON),
        image => (image, HARDEST),
    };
    format!(
        "dataset = \"f30k\"\nseed = 1\nbatch_size = 8\nnum_epochs = 1\nworkers = 1\nvocabulary_size = 200\n\n\
         [model]\nembed_size = 128\nblock_size = 32\nimage_size = 64\n\n[model.image]\n{image}\n\
         [model.text]\nvocab_size = 0\nhidden_size = 128\nnum_hidden_layers = 2\nnum_attention_heads = 2\n\
         intermediate_size = 256\nmax_position_embeddings = 24\n\n{table}"
    )
}
