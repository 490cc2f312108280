//! Tables: CSV and TSV with the columns `image`, `caption` and, if wanted, `split`; a row for every
//! caption.

use avse_core::input::encoding;

use super::problem::ProblemKind;
use super::rows::{Row, Rows};
use super::samples::{Named, Reading, Record};

/// Where the columns are that are needed.
struct Columns {
    image: usize,
    caption: usize,
    split: Option<usize>,
    /// How many there are.
    all: usize,
}

/// Reads a table.
pub(super) fn read(reading: &mut Reading<'_>, delimiter: u8) {
    let bytes = match std::fs::read(reading.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            return reading.problem(ProblemKind::MissingFile, None, error.to_string());
        }
    };
    let bytes = match encoding::unmarked(&bytes) {
        Ok(bytes) => bytes,
        Err(message) => return reading.problem(ProblemKind::NotUtf8, None, message),
    };
    let mut rows = Rows::new(bytes, delimiter);
    let Some(Row { line, fields }) = rows.next() else {
        return reading.problem(ProblemKind::BadRecord, None, "the file is empty");
    };
    let fields = fields.map_err(str::to_owned);
    let columns = match fields.and_then(|names| Columns::of(&names)) {
        Ok(columns) => columns,
        Err(message) => return reading.problem(ProblemKind::BadRecord, Some(line), message),
    };
    for Row { line, fields } in rows {
        match fields {
            Ok(fields) => record(reading, &columns, line, &fields),
            // Nobody knows how many rows such a one has swallowed.
            Err(what) => reading.problem(ProblemKind::BadRecord, Some(line), what),
        }
    }
}

impl Columns {
    fn of(header: &[Vec<u8>]) -> Result<Self, String> {
        let names: Vec<String> =
            header.iter().map(|name| String::from_utf8_lossy(name).trim().to_lowercase()).collect();
        let column = |wanted: &str| {
            let mut places = (0..names.len()).filter(|&at| names[at] == wanted);
            match (places.next(), places.next()) {
                (_, Some(_)) => Err(format!(
                    "several columns are called `{wanted}`: give the others another name"
                )),
                (first, None) => Ok(first),
            }
        };
        let missing = |wanted: &str| {
            let other = [';', ',', '\t', '|']
                .into_iter()
                .find(|&other| names.iter().any(|name| name.contains(other)));
            let hint = match other {
                Some(other) => format!(
                    "; is {other:?} between them? Then save the table anew: a .csv has commas, a .tsv tabs"
                ),
                None => String::new(),
            };
            format!(
                "no column `{wanted}`; the first line names {}{hint}",
                names.join(", ").escape_debug()
            )
        };
        let (image, caption, split) = (column("image")?, column("caption")?, column("split")?);
        Ok(Self {
            image: image.ok_or_else(|| missing("image"))?,
            caption: caption.ok_or_else(|| missing("caption"))?,
            split,
            all: names.len(),
        })
    }
}

/// Whether a field of a row of the wrong length may be part of a row over several lines, or hold other rows: a line
/// break, or a quote at an end.
fn may_hold_more(field: &[u8]) -> bool {
    field.contains(&b'\n')
        || field.contains(&b'\r')
        || field.starts_with(b"\"")
        || field.ends_with(b"\"")
}

fn record(reading: &mut Reading<'_>, columns: &Columns, line: usize, fields: &[Vec<u8>]) {
    let named = Named { line: Some(line), ..Named::default() };
    if fields.len() != columns.all {
        let message = format!("{} fields, but {} columns", fields.len(), columns.all);
        return match fields.iter().any(|field| may_hold_more(field)) {
            true => reading.problem(ProblemKind::BadRecord, Some(line), message),
            false => reading.broken(ProblemKind::BadRecord, named, message),
        };
    }
    let text = |column: usize| std::str::from_utf8(&fields[column]);
    let split = columns.split.map(text).transpose();
    let (Ok(image), Ok(caption), Ok(split)) = (text(columns.image), text(columns.caption), split)
    else {
        let message = "not UTF-8: save the file as UTF-8";
        return reading.broken(ProblemKind::NotUtf8, named, message);
    };
    let image = image.trim();
    if image.is_empty() {
        return reading.broken(ProblemKind::BadRecord, Named { split, ..named }, "no image");
    }
    reading.add(Record {
        id: image,
        path: reading.images.join(image),
        captions: vec![caption.to_owned()],
        split,
        line: Some(line),
        name: image.to_owned(),
    });
}
