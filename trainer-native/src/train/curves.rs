//! The course of a training run.

use std::path::Path;

use super::EpochRecord;
use crate::files::read_text;
use crate::report::{Chart, Series, line_charts};
use crate::{Error, Result};

/// Reads a log: one record a line, empty lines skipped. A last line that breaks off is that of a run in
/// progress or killed, and skipped, too.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Format`] naming the line
/// that is no record.
pub fn read_log(path: &Path) -> Result<Vec<EpochRecord>> {
    let mut text = read_text(path)?;
    let ended = text.rfind('\n').map_or(0, |end| end + 1);
    if serde_json::from_str::<EpochRecord>(&text[ended..]).is_err() {
        text.truncate(ended);
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line)
                .map_err(|e| Error::format(path, format!("line {}: {e}", index + 1)))
        })
        .collect()
}

/// Two charts over the epochs, counted from 1: the loss and the validation rSum.
pub fn training_charts(log: &[EpochRecord]) -> Vec<Chart> {
    let chart = |title: &str, y_label: &str, value: fn(&EpochRecord) -> Option<f64>| Chart {
        title: title.into(),
        x_label: "epoch".into(),
        y_label: y_label.into(),
        series: vec![Series {
            name: y_label.into(),
            points: log
                .iter()
                .filter_map(|record| Some((record.epoch as f64 + 1.0, value(record)?)))
                .collect(),
        }],
    };
    vec![
        chart("Training loss", "loss", |record| Some(record.loss)),
        chart("Validation rSum (of 600)", "rSum", |record| {
            record.validation.as_ref().map(|metrics| metrics.rsum)
        }),
    ]
}

/// The charts of [`training_charts`] side by side, for a run's `curves.svg`.
///
/// # Errors
/// As [`crate::report::line_chart`].
pub fn curves_svg(log: &[EpochRecord]) -> Result<String> {
    line_charts(&training_charts(log))
}

#[cfg(test)]
mod tests {
    use avse_core::metrics::RetrievalMetrics;

    use super::*;

    fn record(epoch: usize) -> EpochRecord {
        EpochRecord {
            epoch,
            steps: 10,
            loss: 30.0 / (epoch + 1) as f64,
            learning_rate: 2e-4,
            images_per_second: 88.5,
            data_wait: 0.01,
            seconds: 12.0,
            elapsed: 15.0,
            truncated_captions: 0,
            validation: None,
            best_rsum: None,
            validation_split: None,
            skipped_pictures: 0,
            skipped_validation: 0,
        }
    }

    #[test]
    fn a_log_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let line = |epoch| serde_json::to_string(&record(epoch)).unwrap();
        std::fs::write(&path, format!("{}\n\n{}\n", line(0), line(1))).unwrap();
        assert_eq!(read_log(&path).unwrap(), [record(0), record(1)]);
        std::fs::write(&path, format!("{}\n{{\"epoch\": 1}}\n", line(0))).unwrap();
        let error = read_log(&path).unwrap_err().to_string();
        assert!(error.contains("log.jsonl: line 2"), "{error}");
        assert!(read_log(&folder.path().join("none.jsonl")).is_err());
    }

    #[test]
    fn only_evaluated_epochs_have_an_rsum() {
        let validation = RetrievalMetrics { rsum: 321.0, ..RetrievalMetrics::default() };
        let evaluated = EpochRecord { validation: Some(validation), ..record(1) };
        let [loss, rsum] = &training_charts(&[record(0), evaluated])[..] else {
            panic!("two charts");
        };
        assert_eq!(loss.series[0].points, [(1.0, 30.0), (2.0, 15.0)]);
        assert_eq!(rsum.series[0].points, [(2.0, 321.0)]);
    }

    #[test]
    fn curves_have_two_panels() {
        for epochs in [0, 1, 30] {
            let log: Vec<EpochRecord> = (0..epochs).map(record).collect();
            let svg = curves_svg(&log).unwrap();
            assert!(svg.contains("Training loss") && svg.contains("Validation rSum"));
            assert!(roxmltree::Document::parse(&svg).is_ok());
        }
    }
}
