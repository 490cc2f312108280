//! Tables for the terminal.

use std::io::IsTerminal;

use avse_core::input::shown;
use avse_core::metrics::{Recall, RetrievalMetrics};

const COLUMNS: [&str; 5] = ["R@1", "R@5", "R@10", "MedR", "MeanR"];
const FIRST_COLUMN: &str = "set";
/// Width of a column of numbers, with the gap before it.
const WIDTH: usize = 8;
const GAP: &str = "   ";

/// A table of retrieval quality, one row a set: both directions and rSum.
///
/// Headings are bold when standard output is a terminal and `NO_COLOR` is unset.
pub fn metrics_table(rows: &[(&str, &RetrievalMetrics)]) -> String {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    layout(rows, wanted && std::io::stdout().is_terminal())
}

fn layout(rows: &[(&str, &RetrievalMetrics)], bold: bool) -> String {
    let names = rows.iter().map(|(name, _)| shown(name).chars().count());
    let first = names.max().unwrap_or(0).max(FIRST_COLUMN.len());
    let block = WIDTH * COLUMNS.len();
    let columns: String = COLUMNS.iter().map(|column| format!("{column:>WIDTH$}")).collect();

    let headings = [
        format!("{:first$}{GAP}{:^block$}{GAP}{:^block$}", "", "image-to-text", "text-to-image"),
        format!("{FIRST_COLUMN:first$}{GAP}{columns}{GAP}{columns}{GAP}{:>WIDTH$}", "rSum"),
    ];
    let rule = "─".repeat(first + 2 * block + WIDTH + 3 * GAP.len());
    let rows = rows.iter().map(|(name, metrics)| {
        let name = shown(name);
        let (images, texts) =
            (direction(&metrics.image_to_text), direction(&metrics.text_to_image));
        format!("{name:first$}{GAP}{images}{GAP}{texts}{GAP}{}", cell(metrics.rsum))
    });

    let mut table = String::new();
    for heading in headings {
        let heading = heading.trim_end();
        table += &if bold { format!("\x1b[1m{heading}\x1b[0m\n") } else { format!("{heading}\n") };
    }
    for line in std::iter::once(rule).chain(rows) {
        table += &line;
        table.push('\n');
    }
    table
}

fn direction(recall: &Recall) -> String {
    let Recall { r1, r5, r10, median_rank, mean_rank } = *recall;
    [r1, r5, r10, median_rank, mean_rank].map(cell).concat()
}

fn cell(value: f64) -> String {
    format!("{:>WIDTH$}", one_decimal(value))
}

/// A figure of a table, or a dash where there is none.
pub fn one_decimal(value: f64) -> String {
    if value.is_finite() { format!("{value:.1}") } else { "–".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned() {
        let recall = |r1| Recall { r1, r5: 100.0, r10: 100.0, median_rank: 1.0, mean_rank: 1234.5 };
        let metrics = RetrievalMetrics::new(recall(61.25), recall(7.0));
        let broken = RetrievalMetrics { rsum: f64::NAN, ..metrics };
        let table = layout(&[("Emoji-1K", &metrics), ("ünseen captions", &broken)], false);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 5, "{table}");
        let width = lines[1].chars().count();
        for line in &lines[1..] {
            assert_eq!(line.chars().count(), width, "{table}");
        }
        assert!(lines[3].starts_with("Emoji-1K "), "{table}");
        assert!(lines[3].ends_with("468.2"), "{table}");
        assert!(lines[4].ends_with("–"), "{table}");
        let words: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(words[..6], ["set", "R@1", "R@5", "R@10", "MedR", "MeanR"]);
        assert_eq!(words[11], "rSum");
        let figures: Vec<&str> = lines[3].split_whitespace().collect();
        assert_eq!(figures[1..4], ["61.2", "100.0", "100.0"]);
        assert_eq!(figures[4..7], ["1.0", "1234.5", "7.0"]);
    }

    #[test]
    fn bold_only_when_asked() {
        assert!(!layout(&[], false).contains('\x1b'));
        assert_eq!(layout(&[], true).matches("\x1b[1m").count(), 2);
        assert_eq!(layout(&[], false).lines().count(), 3);
    }
}
