//! The demo's report: what is said around the answers.

use std::path::Path;

use avse_core::Avse;
use burn::module::Module;

use super::{DemoResults, Scored};
use crate::Result;
use crate::data::emoji::{self, data_folder};
use crate::report::Chart;
use crate::report::html::{Comparison, DemoReport, render as render_html};
use crate::train::{read_log, training_charts};

/// The table of facts.
pub fn facts(
    avse: &Avse,
    bundle: &Path,
    results: &DemoResults,
    test: &Scored,
) -> Vec<(String, String)> {
    let fact = |name: &str, value: String| (name.to_string(), value);
    let size = std::fs::metadata(bundle.join("model.safetensors")).map_or(0, |file| file.len());
    vec![
        fact("Model", bundle.display().to_string()),
        fact("Parameters", avse.model.num_params().to_string()),
        fact("Weights on disk", format!("{:.1} MB", size as f64 / 1e6)),
        fact("Network input", format!("{0} x {0} pixels", avse.config.image_size)),
        fact(
            "Blocks",
            format!(
                "{} an image, {} a caption, {} wide",
                avse.config.image_blocks(),
                avse.config.caption_blocks(),
                avse.config.block_size
            ),
        ),
        fact("Images, captions", format!("{}, {}", results.images, results.captions)),
        fact("Captions cut", test.encoded.truncated.to_string()),
        fact("Encoding, scoring and answering", format!("{:.1} s", results.seconds)),
    ]
}

/// Whose drawings and words the page shows: those of the set in `folder`.
///
/// # Errors
/// As [`emoji::credits_of`].
pub fn credits(folder: &Path) -> Result<Vec<String>> {
    let drawings = emoji::credits_of(folder)?.unwrap_or_default().into_iter();
    let drawings = drawings
        .map(|credit| format!("{}, {}, {}", credit.name, credit.author.name, credit.license.title));
    let words = emoji::WORDS.into_iter().map(|(what, by, _)| format!("{what}, {by}, MIT"));
    Ok(drawings.chain(words).collect())
}

/// The whole page.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn render(mut page: DemoReport, results: &DemoResults, bundle: &Path) -> Result<String> {
    page.headline = results.sets.iter().map(|set| (set.name.clone(), set.metrics)).collect();
    page.charts = charts(bundle);
    page.comparison = comparison();
    render_html(&page)
}

/// The curves of the training, where its log lies beside the bundle.
fn charts(bundle: &Path) -> Vec<Chart> {
    let logs = [bundle.join("log.jsonl"), bundle.join("../log.jsonl")];
    let log = logs.iter().find_map(|path| read_log(path).ok());
    log.map_or_else(Vec::new, |log| training_charts(&log))
}

/// What the committed runs reached, from `data/emoji-runs.json`.
fn comparison() -> Option<Comparison> {
    let text = std::fs::read_to_string(data_folder().ok()?.join("emoji-runs.json")).ok()?;
    let runs: Vec<serde_json::Value> = serde_json::from_str(&text).ok()?;
    let cell = |run: &serde_json::Value, key: &str| match &run[key] {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => {
            number.as_f64().map_or_else(String::new, |n| format!("{n:.1}"))
        }
        _ => String::new(),
    };
    let keys = ["recipe", "rsum", "unseen_kinds_rsum", "emoji_new_rsum", "minutes"];
    let header = ["Recipe", "Emoji-1K rSum", "Unseen kinds rSum", "Emoji-New rSum", "Minutes"];
    Some(Comparison {
        header: header.map(String::from).to_vec(),
        rows: runs.iter().map(|run| keys.map(|key| cell(run, key)).to_vec()).collect(),
    })
}
