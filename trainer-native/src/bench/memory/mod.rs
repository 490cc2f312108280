//! Peak memory of a training step with each way of saving it, measured and predicted.

mod formula;

use std::fmt::Write as _;
use std::path::Path;

use avse_core::config::{ImageBackboneConfig, ModelConfig, SwinConfig};
use burn::tensor::DType;
use serde::{Deserialize, Serialize};

pub(super) use self::formula::{Sizes, weights};
use super::{Job, Phase, VitSize, Workload};
use crate::machine::Machine;
use crate::train::{Method, Precision};
use crate::{Error, Result};

pub use self::formula::Formula;

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
    /// What was fitted to the measured rows of single precision.
    pub formula: Formula,
    /// What was fitted to those of half precision.
    pub half: Formula,
    /// The rows.
    pub rows: Vec<Row>,
}

/// What is measured: batches, and one batch in pieces, with and without recomputation, in single
/// and half precision. The two half types are of one size; f16 is left out since its first steps overflow until
/// its scale is found, and a skipped step leaves the optimiser's moments unmade.
fn measured_plan() -> Vec<(usize, Method)> {
    let mut plan = Vec::new();
    for precision in [Precision::F32, Precision::Bf16] {
        for recompute in [false, true] {
            let method = |micro_batch| way(micro_batch, recompute, precision);
            plan.extend([4, 8, 16].map(|batch| (batch, method(0))));
            plan.push((32, method(4)));
        }
    }
    plan
}

/// What is predicted only.
fn predicted_plan() -> Vec<(usize, Method)> {
    let single = |micro_batch, recompute| way(micro_batch, recompute, Precision::F32);
    let half = |micro_batch, recompute| way(micro_batch, recompute, Precision::Bf16);
    let all = [
        single(0, false),
        single(0, true),
        single(8, false),
        single(8, true),
        half(0, false),
        half(8, true),
    ];
    let batches = [32, 64, 128, 256, 1024];
    batches.into_iter().flat_map(|batch| all.map(|method| (batch, method))).collect()
}

fn way(micro_batch: usize, recompute: bool, precision: Precision) -> Method {
    Method { micro_batch, recompute, precision, ..Method::default() }
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
    let is_single = |method: &Method| method.precision == Precision::F32;
    let (single, narrow): (Vec<_>, Vec<_>) =
        points.iter().partition(|(_, _, method, _)| is_single(method));
    let (formula, half) = (Formula::fit(&single)?, Formula::fit(&narrow)?);
    let predict = |sizes: &Sizes, batch, method| {
        let formula = if is_single(&method) { &formula } else { &half };
        formula.predict(sizes, batch, method)
    };
    let names = networks();
    let mut rows: Vec<Row> = points
        .iter()
        .zip(seconds)
        .map(|((sizes, batch, method, bytes), seconds)| Row {
            network: if quick { "quick".into() } else { names[0].0.into() },
            batch: *batch,
            method: *method,
            measured: Some(*bytes as u64),
            predicted: predict(sizes, *batch, *method),
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
            predicted: predict(&sizes, batch, method),
            seconds: None,
        }));
    }
    Ok(MemoryReport { machine, formula, half, rows })
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
            "| network | batch | micro-batch | recompute | precision | peak GB | predicted GB | s a step |\n|---|---|---|---|---|---|---|---|\n",
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
                "| {} | {} | {micro} | {} | {} | {} | {} | {} |",
                row.network,
                row.batch,
                if row.method.recompute { "yes" } else { "–" },
                DType::from(row.method.precision.dtype()).name(),
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
