//! The table of figures with further right answers.

use avse_core::metrics::{PositiveMetrics, PositiveRecall};

use super::table::one_decimal;

const COLUMNS: [&str; 4] = ["queries", "R@1", "R-Prec", "mAP@R"];
const FIRST_COLUMN: &str = "with positives";
const WIDTH: usize = 9;

/// One row a model, in percent, laid out like [`metrics_table`](super::metrics_table).
pub fn positives_table(rows: &[(&str, &PositiveMetrics)]) -> String {
    let names = rows.iter().map(|(name, _)| name.chars().count());
    let first = names.max().unwrap_or(0).max(FIRST_COLUMN.len());
    let block = WIDTH * COLUMNS.len();
    let columns: String = COLUMNS.iter().map(|column| format!("{column:>WIDTH$}")).collect();
    let heading =
        format!("{:first$}   {:^block$}   {:^block$}", "", "image-to-text", "text-to-image");
    let mut table =
        format!("{}\n{FIRST_COLUMN:first$}   {columns}   {columns}\n", heading.trim_end());
    table += &"─".repeat(first + 2 * block + 6);
    for (name, metrics) in rows {
        let (images, texts) = (cells(&metrics.image_to_text), cells(&metrics.text_to_image));
        table += &format!("\n{name:first$}   {images}   {texts}");
    }
    table.push('\n');
    table
}

fn cells(recall: &PositiveRecall) -> String {
    let figures = [recall.r1, recall.r_precision, recall.map_at_r].map(one_decimal);
    let queries = format!("{:>WIDTH$}", recall.queries);
    figures.iter().fold(queries, |row, figure| row + &format!("{figure:>WIDTH$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned() {
        let recall =
            PositiveRecall { queries: 1332, r1: 77.25, r_precision: 40.0, map_at_r: 30.06 };
        let metrics = PositiveMetrics { image_to_text: recall, text_to_image: recall };
        let table = positives_table(&[("all", &metrics), ("ünsere, a long name", &metrics)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 5, "{table}");
        for line in &lines[1..] {
            assert_eq!(line.chars().count(), lines[1].chars().count(), "{table}");
        }
        let figures: Vec<&str> = lines[3].split_whitespace().collect();
        assert_eq!(figures[..5], ["all", "1332", "77.2", "40.0", "30.1"]);
    }
}
