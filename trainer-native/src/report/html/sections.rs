//! The parts of the page, each as markup, or empty where there is nothing to show.

use avse_core::metrics::{Recall, RetrievalMetrics};
use base64::prelude::{BASE64_STANDARD, Engine};

use super::{CaptionHit, Comparison, DemoReport, ImageQuery, PictureHit, Target, TextQuery};
use crate::Result;
use crate::report::curves::line_chart;
use crate::report::escape::escape;
use crate::report::table::one_decimal;
use crate::report::{BarChart, BarSeries, bar_chart};

/// Pictures in a row on a wide screen.
pub(super) const MOST_COLUMNS: usize = 6;

/// The first set, large.
pub(super) fn headline(sets: &[(String, RetrievalMetrics)]) -> String {
    let Some((name, metrics)) = sets.first() else { return String::new() };
    let name = escape(name);
    let rsum = one_decimal(metrics.rsum);
    let texts = direction("Sentence to picture", &metrics.text_to_image);
    let images = direction("Picture to sentence", &metrics.image_to_text);
    format!(
        "<section class=\"headline\">\n\
         <div class=\"card total\"><h2>{name}</h2><p class=\"rsum\">{rsum}</p>\
         <p class=\"note\">rSum of 600: the six recalls added</p></div>\n{texts}{images}</section>\n"
    )
}

fn direction(title: &str, recall: &Recall) -> String {
    let bars: String = [("R@1", recall.r1), ("R@5", recall.r5), ("R@10", recall.r10)]
        .map(|(name, value)| {
            let width = if value.is_finite() { value.clamp(0.0, 100.0) } else { 0.0 };
            format!(
                "<dt>{name}</dt><dd><span class=\"meter\"><span style=\"width:{width:.1}%\"></span>\
                 </span><span class=\"value\">{}%</span></dd>\n",
                one_decimal(value)
            )
        })
        .concat();
    let median = one_decimal(recall.median_rank);
    let mean = one_decimal(recall.mean_rank);
    format!(
        "<div class=\"card\"><h2>{title}</h2><dl class=\"recalls\">\n{bars}</dl>\
         <p class=\"note\">median rank {median}, mean rank {mean}</p></div>\n"
    )
}

/// Names and values.
pub(super) fn facts(facts: &[(String, String)]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let items: String = facts
        .iter()
        .map(|(name, value)| {
            format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value))
        })
        .collect();
    format!("<section><dl class=\"facts\">\n{items}</dl></section>\n")
}

/// Sentences and the pictures they found.
pub(super) fn text_queries(queries: &[TextQuery]) -> String {
    let note = "A tick marks the picture that the sentence was written for.";
    section("From sentence to pictures", note, queries.iter().map(text_query))
}

/// The same, for the worst.
pub(super) fn failures(queries: &[TextQuery]) -> String {
    let note = "The sentences whose own picture came last of all. What the model preferred comes \
                first, the picture it should have found stands at the end.";
    section("The worst misses", note, queries.iter().map(text_query))
}

/// Pictures and the captions they found.
pub(super) fn image_queries(queries: &[ImageQuery]) -> String {
    let note = "A tick marks the sentences that were written for the picture.";
    section("From picture to sentences", note, queries.iter().map(image_query))
}

pub(super) fn section(title: &str, note: &str, cards: impl Iterator<Item = String>) -> String {
    let cards: String = cards.collect();
    if cards.is_empty() {
        return cards;
    }
    format!(
        "<section>\n<h2>{title}</h2>\n<p class=\"note\">{note}</p>\n\
         <div class=\"queries\">\n{cards}</div>\n</section>\n"
    )
}

pub(super) fn text_query(query: &TextQuery) -> String {
    let sentence = escape(&query.sentence);
    let hits: String = query.hits.iter().enumerate().map(picture_hit).collect();
    let tiles = query.hits.len() + usize::from(query.target.is_some());
    let columns = tiles.clamp(1, MOST_COLUMNS);
    let target = query.target.as_ref().map(target).unwrap_or_default();
    format!(
        "<article class=\"card\"><h3 class=\"sentence\">{sentence}</h3>\n\
         <ol class=\"strip\" style=\"--columns: {columns}\">\n{hits}{target}</ol></article>\n"
    )
}

pub(super) fn picture_hit((index, hit): (usize, &PictureHit)) -> String {
    let (class, mark) = mark(hit.correct);
    let facts = format!("{} <span class=\"score\">{}</span>", index + 1, score(hit.score));
    tile(class, &hit.png, mark, &facts, &hit.caption)
}

fn target(target: &Target) -> String {
    let mark = "<span class=\"mark\">wanted</span>";
    tile("wanted", &target.png, mark, &format!("rank {}", target.rank), &target.caption)
}

pub(super) fn tile(class: &str, bytes: &[u8], mark: &str, facts: &str, caption: &str) -> String {
    let picture = picture(bytes, caption);
    let caption = escape(caption);
    format!(
        "<li class=\"{class}\"><div class=\"frame\">{picture}{mark}</div>\
         <p class=\"rank\">{facts}</p><p class=\"caption\" title=\"{caption}\">{caption}</p></li>\n"
    )
}

fn image_query(query: &ImageQuery) -> String {
    let picture = picture(&query.png, &query.title);
    let title = escape(&query.title);
    let hits: String = query.hits.iter().map(caption_hit).collect();
    format!(
        "<article class=\"card picture\"><div class=\"asked\">{picture}<h3>{title}</h3></div>\n\
         <ol class=\"captions\">\n{hits}</ol></article>\n"
    )
}

pub(super) fn caption_hit(hit: &CaptionHit) -> String {
    let (class, mark) = mark(hit.correct);
    format!(
        "<li class=\"{class}\"><span>{} {mark}</span><span class=\"score\">{}</span></li>\n",
        escape(&hit.caption),
        score(hit.score)
    )
}

/// Class and mark of a hit: right ones carry a sign and a word, not a colour alone.
fn mark(correct: bool) -> (&'static str, &'static str) {
    if correct { ("right", "<span class=\"mark\">✓ right</span>") } else { ("", "") }
}

pub(super) fn score(score: f32) -> String {
    if score.is_finite() { format!("{score:.3}") } else { "–".into() }
}

pub(super) fn picture(bytes: &[u8], words: &str) -> String {
    let mime = image::guess_format(bytes).map_or("image/png", |format| format.to_mime_type());
    let data = BASE64_STANDARD.encode(bytes);
    format!("<img src=\"data:{mime};base64,{data}\" alt=\"{}\"/>", escape(words))
}

/// Tables and charts.
pub(super) fn details(report: &DemoReport) -> Result<String> {
    let mut charts = String::new();
    if report.headline.len() > 1 {
        for chart in recall_charts(&report.headline) {
            charts += &figure(&chart.title, &bar_chart(&chart)?);
        }
    }
    for chart in &report.charts {
        charts += &figure(&chart.title, &line_chart(chart)?);
    }
    let mut parts = String::new();
    if report.headline.len() > 1 {
        parts += &format!("<h2>All test sets</h2>\n{}", sets_table(&report.headline));
    }
    if let Some(comparison) = &report.comparison {
        parts += &format!("<h2>Comparison</h2>\n{}", comparison_table(comparison));
    }
    if !charts.is_empty() {
        parts += &format!("<h2>Charts</h2>\n<div class=\"charts\">\n{charts}</div>\n");
    }
    Ok(if parts.is_empty() { parts } else { format!("<section>\n{parts}</section>\n") })
}

pub(super) fn figure(title: &str, svg: &str) -> String {
    format!("<figure role=\"img\" aria-label=\"{}\">{svg}</figure>\n", escape(title))
}

/// The recalls of every set, a chart for each direction.
fn recall_charts(sets: &[(String, RetrievalMetrics)]) -> [BarChart; 2] {
    let chart = |title: &str, direction: fn(&RetrievalMetrics) -> Recall| {
        let series = |(name, metrics): &(String, RetrievalMetrics)| {
            let Recall { r1, r5, r10, .. } = direction(metrics);
            BarSeries { name: name.clone(), values: vec![r1, r5, r10] }
        };
        BarChart {
            title: title.into(),
            y_label: "%".into(),
            groups: ["R@1", "R@5", "R@10"].map(String::from).to_vec(),
            series: sets.iter().map(series).collect(),
        }
    };
    [
        chart("Sentence to picture", |metrics| metrics.text_to_image),
        chart("Picture to sentence", |metrics| metrics.image_to_text),
    ]
}

fn sets_table(sets: &[(String, RetrievalMetrics)]) -> String {
    const COLUMNS: &str = "<th>R@1</th><th>R@5</th><th>R@10</th><th>MedR</th><th>MeanR</th>";
    let cells = |recall: &Recall| {
        let Recall { r1, r5, r10, median_rank, mean_rank } = *recall;
        [r1, r5, r10, median_rank, mean_rank]
            .map(|value| format!("<td>{}</td>", one_decimal(value)))
            .concat()
    };
    let rows: String = sets
        .iter()
        .map(|(name, metrics)| {
            format!(
                "<tr><th scope=\"row\">{}</th>{}{}<td><strong>{}</strong></td></tr>\n",
                escape(name),
                cells(&metrics.text_to_image),
                cells(&metrics.image_to_text),
                one_decimal(metrics.rsum)
            )
        })
        .collect();
    format!(
        "<div class=\"table\" tabindex=\"0\"><table class=\"figures\">\n<thead>\
         <tr><td></td><th colspan=\"5\">sentence to picture</th>\
         <th colspan=\"5\">picture to sentence</th><td></td></tr>\n\
         <tr><th>set</th>{COLUMNS}{COLUMNS}<th>rSum</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}

pub(super) fn comparison_table(comparison: &Comparison) -> String {
    let longest = comparison.rows.iter().map(Vec::len).max().unwrap_or(0);
    let columns = longest.max(comparison.header.len());
    let cell = |cells: &[String], index: usize| escape(cells.get(index).map_or("", String::as_str));
    // A column of figures is aligned at its right.
    let is_figure = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || "-–".contains(c));
    let class = |index: usize| {
        let figures = comparison.rows.iter().all(|cells| is_figure(&cell(cells, index)));
        if figures { " class=\"figure\"" } else { "" }
    };
    let classes: Vec<&str> = (0..columns).map(class).collect();
    let row = |cells: &[String], tag: &str| {
        let cells = classes.iter().enumerate().map(|(index, class)| {
            let text = cell(cells, index);
            format!("<{tag}{class}>{text}</{tag}>")
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows: String = comparison.rows.iter().map(|cells| row(cells, "td")).collect();
    format!(
        "<div class=\"table\" tabindex=\"0\"><table>\n<thead>{}</thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n",
        row(&comparison.header, "th")
    )
}

/// Whom the pictures and words are owed to.
pub(super) fn credits(credits: &[String]) -> String {
    let lines: String =
        credits.iter().map(|credit| format!("<li>{}</li>\n", escape(credit))).collect();
    if lines.is_empty() {
        return lines;
    }
    format!("<section class=\"credits\">\n<h2>Credits</h2>\n<ul>\n{lines}</ul>\n</section>\n")
}
