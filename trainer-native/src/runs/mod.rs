//! Training runs side by side, from what they left in their folders.

mod differences;
mod record;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::files::write_atomically;
use crate::report::html::{Comparison, RunsPage, render_runs};
use crate::report::{Chart, Series, one_decimal};
use crate::terminal::note;
use crate::train::EpochRecord;
use crate::{Error, Result};

pub use differences::{all_parameters, differing_parameters};
pub use record::RunRecord;

/// What was read of some folders.
#[derive(Debug, Default)]
pub struct Runs {
    /// The runs, in the order they were asked for, each under a name of its own.
    pub runs: Vec<RunRecord>,
    /// What is wrong with the folders that could not be read.
    pub problems: Vec<String>,
}

impl Runs {
    /// Reads the runs in `folders`.
    pub fn read(folders: &[PathBuf]) -> Self {
        let mut read = Self::default();
        for folder in folders {
            match RunRecord::read(folder) {
                Ok(run) => read.runs.push(run),
                Err(error) => read.problems.push(error.to_string()),
            }
        }
        let mut count = HashMap::new();
        for run in &read.runs {
            *count.entry(run.name.clone()).or_insert(0) += 1;
        }
        for run in &mut read.runs {
            if count[&run.name] > 1 {
                run.name = run.folder.display().to_string();
            }
        }
        read
    }

    /// The report as one HTML document.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no run, or a chart cannot be drawn.
    pub fn page(&self) -> Result<String> {
        let Some(first) = self.runs.first() else {
            return Err(Error::Usage(format!("no run to report on: {}", self.problems.join("; "))));
        };
        let alone = self.runs.len() == 1;
        let best = first.best().filter(|_| alone).map(|(record, metrics)| {
            let split = first.validation_split();
            (format!("{split}, best epoch: {}", record.epoch + 1), *metrics)
        });
        let parameters = if alone {
            let rows = all_parameters(&first.config);
            Comparison {
                header: ["Parameter", "Value"].map(String::from).to_vec(),
                rows: rows.into_iter().map(|(key, value)| vec![key, value]).collect(),
            }
        } else {
            self.differences()
        };
        let title = match alone {
            true => format!("Run {}", first.name),
            false => format!("{} runs", self.runs.len()),
        };
        render_runs(&RunsPage {
            title,
            best,
            facts: if alone { first.facts() } else { Vec::new() },
            notes: self.notes(),
            best_epochs: self.best_epochs(),
            charts: self.charts(),
            parameters_title: if alone { "Parameters" } else { "Parameters that differ" }.into(),
            parameters,
            problems: self.problems.clone(),
            generated_by: format!("avse {}, avse report", env!("CARGO_PKG_VERSION")),
        })
    }

    /// What a reader must know to trust the figures.
    fn notes(&self) -> Vec<String> {
        let chosen: Vec<_> = self.runs.iter().filter(|run| run.selected_on_test()).collect();
        if chosen.is_empty() {
            return Vec::new();
        }
        let names: Vec<_> = chosen.iter().map(|run| run.name.as_str()).collect();
        vec![format!(
            "The best epoch was picked on the test split, as the official code does: {}. Its figures \
             are no independent measure.",
            names.join(", ")
        )]
    }

    fn best_epochs(&self) -> Comparison {
        const HEADER: [&str; 14] = [
            "Run",
            "Epochs",
            "State",
            "Best epoch",
            "Split",
            "rSum",
            "i2t R@1",
            "i2t R@5",
            "i2t R@10",
            "t2i R@1",
            "t2i R@5",
            "t2i R@10",
            "Time",
            "Device",
        ];
        let row = |run: &RunRecord| {
            let epochs = format!("{} of {}", run.log.len(), run.epochs());
            let mut row = vec![run.name.clone(), epochs, run.state().into()];
            match run.best() {
                Some((record, metrics)) => {
                    let (i2t, t2i) = (&metrics.image_to_text, &metrics.text_to_image);
                    row.extend([(record.epoch + 1).to_string(), run.validation_split()]);
                    row.extend(
                        [metrics.rsum, i2t.r1, i2t.r5, i2t.r10, t2i.r1, t2i.r5, t2i.r10]
                            .map(one_decimal),
                    );
                }
                None => row.extend(vec!["–".to_owned(); 9]),
            }
            row.extend([run.time(), run.device()]);
            row
        };
        Comparison {
            header: HEADER.map(String::from).to_vec(),
            rows: self.runs.iter().map(row).collect(),
        }
    }

    fn differences(&self) -> Comparison {
        let tables: Vec<_> = self.runs.iter().map(|run| &run.config).collect();
        let names = self.runs.iter().map(|run| run.name.clone());
        let rows = differing_parameters(&tables).into_iter();
        Comparison {
            header: std::iter::once("Parameter".to_owned()).chain(names).collect(),
            rows: rows.map(|(key, values)| [vec![key], values].concat()).collect(),
        }
    }

    /// Each figure over the epochs, a line for each run.
    fn charts(&self) -> Vec<Chart> {
        let chart = |title: &str, y_label: &str, value: fn(&EpochRecord) -> Option<f64>| Chart {
            title: title.into(),
            x_label: "epoch".into(),
            y_label: y_label.into(),
            series: self
                .runs
                .iter()
                .map(|run| Series {
                    name: run.name.clone(),
                    points: run
                        .log
                        .iter()
                        .filter_map(|record| Some((record.epoch as f64 + 1.0, value(record)?)))
                        .collect(),
                })
                .collect(),
        };
        vec![
            chart("rSum (of 600)", "rSum", |record| Some(record.validation.as_ref()?.rsum)),
            chart("Training loss", "loss", |record| Some(record.loss)),
            chart("Learning rate", "rate", |record| Some(record.learning_rate)),
            chart("Speed", "images/s", |record| Some(record.images_per_second)),
        ]
    }
}

/// Writes the report of one run into its folder.
///
/// # Errors
/// As [`RunRecord::read`] and [`Runs::page`]; [`Error::Io`] naming the file.
fn write_report(folder: &Path) -> Result<PathBuf> {
    let runs = Runs { runs: vec![RunRecord::read(folder)?], problems: Vec::new() };
    let path = folder.join("report.html");
    write_atomically(&path, runs.page()?.as_bytes())?;
    Ok(path)
}

/// Writes the report of a run that has ended, and says where it is or why there is none: hours of training must
/// not end in an error for want of a page.
pub fn report_on(folder: &Path) {
    match write_report(folder) {
        Ok(path) => note!("report: {}", path.display()),
        Err(error) => note!("warning: no report was written: {error}"),
    }
}

#[cfg(test)]
mod tests;
