//! Peak memory of a training step with each way of saving it, measured and predicted.

use std::fmt::Write as _;
use std::path::Path;

use avse_core::AvseModel;
use avse_core::config::{ImageBackboneConfig, ModelConfig, SwinConfig};
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{Job, Machine, Phase, VitSize, Workload};
use crate::train::Method;
use crate::{Error, Result};

/// Bytes of an f32.
const NUMBER: f64 = 4.0;
/// Weights, gradients and the two moments of AdamW.
const COPIES: f64 = 4.0;
/// Largest error that a prediction for a measured row may have.
pub const TOLERANCE: f64 = 0.1;

/// One training step in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Backbone and input side.
    pub network: String,
    /// Image-caption pairs.
    pub batch: usize,
    /// How the gradients are computed.
    pub method: Method,
    /// Peak that was measured, in bytes.
    pub measured: Option<u64>,
    /// Peak by [`Formula`], in bytes.
    pub predicted: f64,
    /// Seconds of a step, where it was measured.
    pub seconds: Option<f64>,
}

/// Measured and predicted rows with what they were made on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemoryReport {
    /// Where.
    pub machine: Machine,
    /// What was fitted to the measured rows.
    pub formula: Formula,
    /// The rows.
    pub rows: Vec<Row>,
}

/// Peak = fixed + copies of the weights + what a piece's graph keeps + what the batch keeps.
///
/// What a graph keeps is counted in numbers from the configuration ([`Sizes`]); two factors say how
/// much of it there is in bytes beyond 4 each, fitted by least squares to the measured rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Formula {
    /// Program, threads, and a layer's temporaries, in bytes.
    pub fixed: f64,
    /// Bytes for each number that a graph keeps.
    pub kept: f64,
}

/// Numbers of a network that its configuration fixes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    parameters: f64,
    /// Kept by the graph of one image-caption pair in the backbones.
    graph: f64,
    /// Of these, what the largest part of a backbone keeps.
    largest_part: f64,
    /// Passing between all parts of the backbones, for one pair.
    between: f64,
    /// Pixels, tokens for the heads and what the heads keep, for one pair.
    outside: f64,
}

impl Sizes {
    /// Counts for captions of `caption_tokens` tokens.
    ///
    /// # Errors
    /// An impossible configuration.
    pub fn of(config: &ModelConfig, caption_tokens: usize) -> Result<Self> {
        let parameters = AvseModel::new(config, &Device::flex())?.num_params() as f64;
        let views = config.sampling.views as f64;
        let text = &config.text;
        let text_tokens = caption_tokens as f64;
        let text_layer = layer(text_tokens, text.hidden_size, text.intermediate_size);
        let text_layers = text.num_hidden_layers as f64;
        let text_between = text_tokens * text.hidden_size as f64;
        let side = config.image.grid_side(config.image_size) as f64;
        let kept = (config.sampling.keep_training * (side * side + 1.0)).floor();
        let output = config.image.output_size() as f64;
        // Linear layer, mask, ranks and weights of the pooling over E numbers a token.
        let head =
            |tokens: f64, width: f64| tokens * (2.0 * width + 4.0 * config.embed_size as f64);
        let pixels = 3.0 * (config.image_size as f64).powi(2);
        let outside =
            pixels + head(views * kept, output) + head(text_tokens, text.hidden_size as f64);
        let (image_graph, image_part, image_between) = match &config.image {
            ImageBackboneConfig::Vit(vit) => {
                let tokens = views * (kept + 1.0);
                let one = layer(tokens, vit.hidden_size, vit.intermediate_size);
                let layers = vit.num_hidden_layers as f64;
                (layers * one, one, layers * tokens * vit.hidden_size as f64)
            }
            ImageBackboneConfig::Swin(swin) => swin_sizes(swin, config.image_size),
            ImageBackboneConfig::ResNet(_) => {
                return Err(Error::Usage("the memory of a ResNet is not predicted".into()));
            }
        };
        Ok(Self {
            parameters,
            graph: image_graph + text_layers * text_layer,
            largest_part: image_part.max(text_layer),
            between: image_between + text_layers * text_between,
            outside,
        })
    }

    /// Numbers that a graph holds at most at once, for a batch in `method`.
    fn kept(&self, batch: usize, method: Method) -> f64 {
        let batch = batch as f64;
        let piece =
            if method.micro_batch == 0 { batch } else { (method.micro_batch as f64).min(batch) };
        let backbones = if method.recompute {
            piece * (self.largest_part + self.between)
        } else {
            piece * self.graph
        };
        batch * self.outside + backbones
    }
}

/// What an encoder layer keeps of `tokens` tokens: its input, queries, keys, values, attention's
/// result, the sum after it, the inner activations.
fn layer(tokens: f64, width: usize, inner: usize) -> f64 {
    tokens * (7.0 * width as f64 + inner as f64)
}

/// Swin's blocks are made of tensor operations, each of which keeps its inputs: attention weights
/// within windows twice, norms, activations.
fn swin_sizes(swin: &SwinConfig, side: usize) -> (f64, f64, f64) {
    let (mut graph, mut part, mut between) = (0.0, 0.0f64, 0.0);
    let mut tokens = (side as f64 / swin.patch_size as f64).powi(2);
    for (stage, &depth) in swin.depths.iter().enumerate() {
        let width = swin.stage_size(stage) as f64;
        let heads = swin.num_heads[stage] as f64;
        let window = (swin.window_size as f64).powi(2);
        let block = tokens * (12.0 * width + 2.0 * swin.mlp_ratio * width + 3.0 * heads * window);
        graph += depth as f64 * block;
        part = part.max(block);
        between += depth as f64 * tokens * width;
        tokens /= 4.0;
    }
    (graph, part, between)
}

impl Formula {
    /// Least squares over measured rows: `(sizes, batch, method, bytes)`.
    ///
    /// # Errors
    /// [`Error::Usage`] when they do not fix both numbers.
    pub fn fit(measured: &[(Sizes, usize, Method, f64)]) -> Result<Self> {
        // peak - copies * weights = fixed + kept * x. Each row counts by its relative error.
        let points = measured.iter().map(|(sizes, batch, method, bytes)| {
            let weight = 1.0 / bytes.powi(2);
            let rest = bytes - COPIES * NUMBER * sizes.parameters;
            (weight, sizes.kept(*batch, *method), rest)
        });
        let [mut w, mut wx, mut wy, mut wxx, mut wxy] = [0.0; 5];
        for (weight, x, y) in points {
            (w, wx, wy) = (w + weight, wx + weight * x, wy + weight * y);
            (wxx, wxy) = (wxx + weight * x * x, wxy + weight * x * y);
        }
        let determinant = w * wxx - wx * wx;
        if determinant <= 1e-12 * w * wxx {
            return Err(Error::Usage("too few measured rows to fit the memory formula".into()));
        }
        let kept = (w * wxy - wx * wy) / determinant;
        Ok(Self { fixed: (wy - kept * wx) / w, kept })
    }

    /// Peak in bytes.
    pub fn predict(&self, sizes: &Sizes, batch: usize, method: Method) -> f64 {
        let kept = sizes.kept(batch, method);
        COPIES * NUMBER * sizes.parameters + self.fixed + self.kept * kept
    }
}

/// What is measured: batches, with and without recomputation, and one batch in pieces.
fn measured_plan() -> Vec<(usize, Method)> {
    let method = |micro_batch, recompute| Method { micro_batch, recompute, ..Method::default() };
    let mut plan = Vec::new();
    for recompute in [false, true] {
        plan.extend([4, 8, 16].map(|batch| (batch, method(0, recompute))));
        plan.push((32, method(4, recompute)));
    }
    plan
}

/// What is predicted only.
fn predicted_plan() -> Vec<(usize, Method)> {
    let method = |micro_batch, recompute| Method { micro_batch, recompute, ..Method::default() };
    let all = [(0, false), (0, true), (8, false), (8, true)];
    let batches = [32, 64, 128, 256, 1024];
    batches
        .into_iter()
        .flat_map(|batch| all.map(|(micro, again)| (batch, method(micro, again))))
        .collect()
}

/// The published backbones.
fn networks() -> Vec<(&'static str, ModelConfig)> {
    let vit = |side| Workload::published(VitSize::Base, side).model;
    let swin = |side, window_size| {
        let mut model = vit(side);
        model.image = ImageBackboneConfig::Swin(SwinConfig {
            image_size: side,
            window_size,
            embed_dim: 128,
            depths: vec![2, 2, 18, 2],
            num_heads: vec![4, 8, 16, 32],
            ..SwinConfig::default()
        });
        model
    };
    vec![
        ("ViT-B/16, 256 px", vit(256)),
        ("ViT-B/16, 384 px", vit(384)),
        ("Swin-B, 224 px", swin(224, 7)),
        ("Swin-B, 384 px", swin(384, 12)),
    ]
}

/// Measures the plan's steps, each in a process of its own, fits the formula and predicts the rest.
///
/// # Errors
/// A step that fails, or memory that cannot be read on this system.
pub fn memory(program: &Path, quick: bool) -> Result<MemoryReport> {
    let machine = Machine::here();
    let mut workload = match quick {
        true => Workload::quick(),
        false => Workload::published(VitSize::Base, 256),
    };
    workload.gpu_id = "cpu".into();
    (workload.warmup, workload.repetitions) = (1, 1);
    let sizes = Sizes::of(&workload.model, workload.caption_tokens)?;
    let mut points = Vec::new();
    let mut seconds = Vec::new();
    for (batch, method) in measured_plan() {
        let workload = Workload { step_batch: batch, ..workload.clone() };
        let measurement = Job { phase: Phase::Step, workload, method }.run_in_child(program)?;
        let peak = measurement.peak_bytes.ok_or_else(|| {
            Error::Usage("the peak memory of a process is known on Linux only".into())
        })?;
        seconds.push(measurement.summary().median);
        points.push((sizes, batch, method, peak as f64));
    }
    let formula = Formula::fit(&points)?;
    let names = networks();
    let mut rows: Vec<Row> = points
        .iter()
        .zip(seconds)
        .map(|((sizes, batch, method, bytes), seconds)| Row {
            network: if quick { "quick".into() } else { names[0].0.into() },
            batch: *batch,
            method: *method,
            measured: Some(*bytes as u64),
            predicted: formula.predict(sizes, *batch, *method),
            seconds: Some(seconds),
        })
        .collect();
    for (name, model) in names {
        let sizes = Sizes::of(&model, workload.caption_tokens)?;
        rows.extend(predicted_plan().into_iter().map(|(batch, method)| Row {
            network: name.into(),
            batch,
            method,
            measured: None,
            predicted: formula.predict(&sizes, batch, method),
            seconds: None,
        }));
    }
    Ok(MemoryReport { machine, formula, rows })
}

impl MemoryReport {
    /// The measured rows whose prediction is off by more than [`TOLERANCE`].
    pub fn misses(&self) -> Vec<&Row> {
        let off = |row: &&Row| {
            row.measured.is_some_and(|peak| (row.predicted / peak as f64 - 1.0).abs() > TOLERANCE)
        };
        self.rows.iter().filter(off).collect()
    }

    /// The rows as a Markdown table.
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| network | batch | micro-batch | recompute | peak GB | predicted GB | s a step |\n|---|---|---|---|---|---|---|\n",
        );
        let gigabytes = |bytes: f64| format!("{:.2}", bytes / 1e9);
        for row in &self.rows {
            let micro = match row.method.micro_batch {
                0 => "–".into(),
                micro => micro.to_string(),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {micro} | {} | {} | {} | {} |",
                row.network,
                row.batch,
                if row.method.recompute { "yes" } else { "–" },
                row.measured.map_or("*predicted*".into(), |peak| gigabytes(peak as f64)),
                gigabytes(row.predicted),
                row.seconds.map_or("–".into(), |seconds| format!("{seconds:.1}")),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_is_found_again() {
        let model = Workload::quick().model;
        let sizes = Sizes::of(&model, 6).unwrap();
        let truth = Formula { fixed: 3e7, kept: 5.5 };
        let rows = measured_plan()
            .into_iter()
            .map(|(batch, method)| (sizes, batch, method, truth.predict(&sizes, batch, method)));
        let found = Formula::fit(&rows.collect::<Vec<_>>()).unwrap();
        assert!((found.fixed / truth.fixed - 1.0).abs() < 1e-6, "{found:?}");
        assert!((found.kept / truth.kept - 1.0).abs() < 1e-6, "{found:?}");
        let one = [(sizes, 4, Method::default(), 1e8)];
        assert!(Formula::fit(&one).is_err());
    }

    #[test]
    fn every_way_of_saving_saves() {
        for (name, model) in networks() {
            let sizes = Sizes::of(&model, 16).unwrap();
            let kept = |micro_batch, recompute| {
                sizes.kept(64, Method { micro_batch, recompute, ..Method::default() })
            };
            assert!(kept(0, true) < kept(0, false), "{name}");
            assert!(kept(8, false) < kept(0, false), "{name}");
            assert!(kept(8, true) < kept(8, false), "{name}");
        }
    }
}
