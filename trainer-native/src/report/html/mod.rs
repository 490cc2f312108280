//! The demo's report, a search's hits and training runs: one HTML file that holds its style, charts and
//! pictures, asks for nothing over the network and needs no JavaScript.
//!
//! The markup is well-formed XML as well, so that a strict parser can check it.

mod hits;
mod misses;
mod runs;
mod sections;

use avse_core::metrics::RetrievalMetrics;

use super::curves::Chart;
use super::escape::escape;
use crate::Result;

pub use hits::{HitsPage, Question, render_hits};
pub use misses::{MissesPage, PictureMiss, WantedCaption, render_misses};
pub use runs::{RunsPage, render_runs};

/// Everything the page shows. Parts that are empty are left out.
#[derive(Debug, Clone, Default)]
pub struct DemoReport {
    /// The heading.
    pub title: String,
    /// Program, version and command that made it.
    pub generated_by: String,
    /// Quality on each test set by name; the first is the one shown large.
    pub headline: Vec<(String, RetrievalMetrics)>,
    /// Names and values: model size, images, captions, seconds, device...
    pub facts: Vec<(String, String)>,
    /// Sentences and the pictures they found.
    pub text_queries: Vec<TextQuery>,
    /// Pictures and the captions they found.
    pub image_queries: Vec<ImageQuery>,
    /// Sentences whose right picture ranked worst.
    pub failures: Vec<TextQuery>,
    /// Line charts, such as the training curves.
    pub charts: Vec<Chart>,
    /// This model beside others.
    pub comparison: Option<Comparison>,
    /// Who made the pictures and words, under which licence.
    pub credits: Vec<String>,
}

/// A sentence and the pictures it found, best first.
#[derive(Debug, Clone, Default)]
pub struct TextQuery {
    /// The sentence.
    pub sentence: String,
    /// The best pictures.
    pub hits: Vec<PictureHit>,
    /// The right picture, where it is known but not among the hits.
    pub target: Option<Target>,
}

/// A picture that a sentence found.
#[derive(Debug, Clone, Default)]
pub struct PictureHit {
    /// The encoded picture: PNG, or any other format that browsers show.
    pub png: Vec<u8>,
    /// Words for it.
    pub caption: String,
    /// Its similarity to the sentence.
    pub score: f32,
    /// Whether it is the right one.
    pub correct: bool,
}

/// The right picture of a sentence that was not among the best.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The encoded picture, as in [`PictureHit`].
    pub png: Vec<u8>,
    /// Words for it.
    pub caption: String,
    /// Its rank; the first is 1.
    pub rank: usize,
}

/// A picture and the captions it found, best first.
#[derive(Debug, Clone, Default)]
pub struct ImageQuery {
    /// The encoded picture, as in [`PictureHit`].
    pub png: Vec<u8>,
    /// What it shows.
    pub title: String,
    /// The best captions.
    pub hits: Vec<CaptionHit>,
}

/// A caption that a picture found.
#[derive(Debug, Clone, Default)]
pub struct CaptionHit {
    /// The caption.
    pub caption: String,
    /// Its similarity to the picture.
    pub score: f32,
    /// Whether it is one of the picture's own.
    pub correct: bool,
}

/// A table of models or recipes side by side.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Headings of the columns.
    pub header: Vec<String>,
    /// Rows of cells; short rows are filled with empty cells.
    pub rows: Vec<Vec<String>>,
}

/// The page as one HTML document.
///
/// # Errors
/// [`crate::Error::Usage`] when a chart cannot be drawn.
pub fn render(report: &DemoReport) -> Result<String> {
    let body = [
        sections::headline(&report.headline),
        sections::facts(&report.facts),
        sections::text_queries(&report.text_queries),
        sections::image_queries(&report.image_queries),
        sections::failures(&report.failures),
        sections::details(report)?,
        sections::credits(&report.credits),
    ]
    .concat();
    let lead = "Sentences find pictures, and pictures find sentences. Every figure and every\n\
                ranking below was computed by the run that wrote this page.";
    Ok(document(&report.title, lead, &body, &report.generated_by))
}

/// The document around a page's body, which is markup; all else is text.
fn document(title: &str, lead: &str, body: &str, generated_by: &str) -> String {
    let [title, lead, generated_by] = [title, lead, generated_by].map(escape);
    let style = include_str!("style.css");
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<link rel="icon" href="data:,"/>
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<p class="eyebrow">Asymmetric Visual Semantic Embedding</p>
<h1>{title}</h1>
<p class="lead">{lead}</p>
</header>
<main>
{body}</main>
<footer>{generated_by}</footer>
</body>
</html>
"#
    )
}

#[cfg(test)]
mod tests;
