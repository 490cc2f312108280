//! Tables: CSV and TSV with the columns `image`, `caption` and, if wanted, `split`; a row for every
//! caption.

use csv::{ByteRecord, ReaderBuilder};

use super::problem::ProblemKind;
use super::samples::{Reading, Record};

/// Reads a table.
pub(super) fn read(reading: &mut Reading<'_>, delimiter: u8) {
    let reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_path(reading.file);
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => {
            return reading.problem(ProblemKind::MissingFile, None, error.to_string());
        }
    };
    let header = match reader.byte_headers() {
        Ok(header) => header.clone(),
        Err(error) => return reading.problem(ProblemKind::BadRecord, None, error.to_string()),
    };
    let names: Vec<String> = header
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim_matches(['\u{feff}', ' ']).to_lowercase())
        .collect();
    let column = |name: &str| names.iter().position(|column| column == name);
    let (image, caption, split) = (column("image"), column("caption"), column("split"));
    let (Some(image), Some(caption)) = (image, caption) else {
        let missing = if image.is_none() { "image" } else { "caption" };
        let message = format!("no column `{missing}`; the first line names {}", names.join(", "));
        return reading.problem(ProblemKind::BadRecord, Some(0), message);
    };
    let mut row = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                return reading.problem(ProblemKind::BadRecord, None, error.to_string());
            }
        }
        let line = row.position().map(|at| at.line().saturating_sub(1) as usize);
        if row.len() != names.len() {
            let message = format!("{} fields, but {} columns", row.len(), names.len());
            reading.problem(ProblemKind::BadRecord, line, message);
            continue;
        }
        let text = |column: usize| row.get(column).map(std::str::from_utf8).transpose();
        let (Ok(image), Ok(caption), Ok(split)) =
            (text(image), text(caption), split.map_or(Ok(None), text))
        else {
            reading.problem(ProblemKind::NotUtf8, line, "not UTF-8");
            continue;
        };
        let Some(image) = image.map(str::trim).filter(|image| !image.is_empty()) else {
            reading.problem(ProblemKind::BadRecord, line, "no image");
            continue;
        };
        reading.add(Record {
            id: image,
            path: reading.images.join(image),
            captions: caption.map(str::to_owned).into_iter().collect(),
            split,
            line,
            name: image.to_owned(),
        });
    }
}
