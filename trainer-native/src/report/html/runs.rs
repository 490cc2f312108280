//! Training runs, alone or side by side.

use avse_core::metrics::RetrievalMetrics;

use super::sections::{self, comparison_table, figure};
use super::{Comparison, document};
use crate::Result;
use crate::report::curves::{Chart, line_chart};
use crate::report::escape::escape;

/// Everything the page shows. Parts that are empty are left out.
#[derive(Debug, Clone, Default)]
pub struct RunsPage {
    /// The heading.
    pub title: String,
    /// The best figures of a run alone, by the split and epoch they are of.
    pub best: Option<(String, RetrievalMetrics)>,
    /// Names and values of a run alone.
    pub facts: Vec<(String, String)>,
    /// What a reader must know to trust the figures.
    pub notes: Vec<String>,
    /// The best epoch of each run.
    pub best_epochs: Comparison,
    /// Curves, a line for each run.
    pub charts: Vec<Chart>,
    /// What `parameters` are.
    pub parameters_title: String,
    /// Parameters of the runs.
    pub parameters: Comparison,
    /// What could not be read.
    pub problems: Vec<String>,
    /// Program and version that made it.
    pub generated_by: String,
}

/// The page as one HTML document.
///
/// # Errors
/// [`crate::Error::Usage`] when a chart cannot be drawn.
pub fn render_runs(page: &RunsPage) -> Result<String> {
    let best: Vec<_> = page.best.clone().into_iter().collect();
    let mut charts = String::new();
    for chart in &page.charts {
        charts += &figure(&chart.title, &line_chart(chart)?);
    }
    let body = [
        list("Could not be read", &page.problems),
        list("Note", &page.notes),
        sections::headline(&best),
        sections::facts(&page.facts),
        table("Best epochs", &page.best_epochs),
        format!("<section><h2>Curves</h2>\n<div class=\"charts\">\n{charts}</div></section>\n"),
        table(&page.parameters_title, &page.parameters),
    ]
    .concat();
    let lead = "What the training runs have logged: curves over the epochs, the best epoch of each, and how \
                they were started.";
    Ok(document(&page.title, lead, &body, &page.generated_by))
}

fn table(title: &str, comparison: &Comparison) -> String {
    if comparison.rows.is_empty() {
        return String::new();
    }
    format!("<section><h2>{}</h2>\n{}</section>\n", escape(title), comparison_table(comparison))
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let items: String = lines.iter().map(|line| format!("<li>{}</li>\n", escape(line))).collect();
    format!("<section class=\"notice\"><h2>{}</h2>\n<ul>\n{items}</ul></section>\n", escape(title))
}
