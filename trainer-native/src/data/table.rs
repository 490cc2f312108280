//! Tables: CSV and TSV with the columns `image`, `caption` and, if wanted, `split`; a row for every
//! caption. In a CSV quotes may hold commas and line breaks. In a TSV a line is a row, and quotes are
//! characters like others but around a whole field, as spreadsheets put them.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::problem::ProblemKind;
use super::samples::{Reading, Record};

const TAB: u8 = b'\t';

/// Reads a table.
pub(super) fn read(reading: &mut Reading<'_>, delimiter: u8) {
    let bytes = match std::fs::read(reading.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            return reading.problem(ProblemKind::MissingFile, None, error.to_string());
        }
    };
    let mut rows = Rows::new(&bytes, delimiter);
    let Some((_, header)) = rows.next() else {
        return reading.problem(ProblemKind::BadRecord, None, "the file is empty");
    };
    let names: Vec<String> =
        header.iter().map(|name| String::from_utf8_lossy(name).trim().to_lowercase()).collect();
    let column = |name: &str| names.iter().position(|column| column == name);
    let (image, caption, split) = (column("image"), column("caption"), column("split"));
    let (Some(image), Some(caption)) = (image, caption) else {
        let missing = if image.is_none() { "image" } else { "caption" };
        let message = format!("no column `{missing}`; the first line names {}", names.join(", "));
        return reading.problem(ProblemKind::BadRecord, Some(0), message);
    };
    for (line, fields) in rows.by_ref() {
        if fields.len() != names.len() {
            let message = format!("{} fields, but {} columns", fields.len(), names.len());
            reading.problem(ProblemKind::BadRecord, Some(line), message);
            continue;
        }
        let text = |column: usize| std::str::from_utf8(&fields[column]);
        let (Ok(image), Ok(caption), Ok(split)) =
            (text(image), text(caption), split.map(text).transpose())
        else {
            reading.problem(ProblemKind::NotUtf8, Some(line), "not UTF-8");
            continue;
        };
        let image = image.trim();
        if image.is_empty() {
            reading.problem(ProblemKind::BadRecord, Some(line), "no image");
            continue;
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
    if let Some(line) = rows.unclosed {
        reading.problem(ProblemKind::BadRecord, Some(line), "a quote is not closed in this row");
    }
}

/// The rows of a table, each with the line, from 0, that it starts in. Empty lines are passed over.
struct Rows<'a> {
    reader: Reader,
    /// Whether a quote is a character like others.
    lone_quotes: bool,
    rest: &'a [u8],
    line: usize,
    text: Vec<u8>,
    ends: Vec<usize>,
    /// Whether the last line has its end.
    ends_in_break: bool,
    /// Where the row starts that runs to the end of the file because a quote is open.
    unclosed: Option<usize>,
}

impl<'a> Rows<'a> {
    fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter).quoting(delimiter != TAB).build(),
            lone_quotes: delimiter == TAB,
            rest: bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
            line: 0,
            text: vec![0; 1024],
            ends: vec![0; 16],
            ends_in_break: bytes.ends_with(b"\n"),
            unclosed: None,
        }
    }

    /// Goes on by so many bytes.
    fn advance(&mut self, count: usize) {
        let (passed, rest) = self.rest.split_at(count);
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
        self.rest = rest;
    }
}

impl Iterator for Rows<'_> {
    type Item = (usize, Vec<Vec<u8>>);

    fn next(&mut self) -> Option<Self::Item> {
        let breaks = self.rest.iter().take_while(|&&byte| byte == b'\n' || byte == b'\r').count();
        self.advance(breaks);
        let line = self.line;
        let (mut length, mut fields, mut ran_out) = (0, 0, false);
        loop {
            let (result, read, written, ended) = self.reader.read_record(
                self.rest,
                &mut self.text[length..],
                &mut self.ends[fields..],
            );
            self.advance(read);
            length += written;
            fields += ended;
            match result {
                // Nothing is left; asked again, the reader hands out what it has.
                ReadRecordResult::InputEmpty => ran_out = true,
                ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::End => return None,
                ReadRecordResult::Record => break,
            }
        }
        if ran_out && self.ends_in_break && !self.lone_quotes {
            // The last break belongs to the row, so it is inside of a quoted field.
            self.unclosed = Some(line);
            return None;
        }
        let mut start = 0;
        let ends = self.ends[..fields].iter();
        let fields = ends.map(|&end| &self.text[std::mem::replace(&mut start, end)..end]);
        let field = |text: &[u8]| if self.lone_quotes { unquoted(text) } else { text.to_vec() };
        Some((line, fields.map(field).collect()))
    }
}

/// A field without the quotes around it, if there are some; inside of these a quote stands doubled.
fn unquoted(field: &[u8]) -> Vec<u8> {
    let inner = field.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let Some(inner) = inner else { return field.to_vec() };
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().peekable();
    while let Some(&byte) = bytes.next() {
        text.push(byte);
        if byte == b'"' {
            bytes.next_if(|&&next| next == b'"');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_of_a_tab_separated_table_hide_no_rows() {
        let table = b"image\tcaption\na\t\"tall man\nb\tanother 6\" thing\nc\t\"say \"\"hi\"\"\"\nd\t\"quoted\" text\n";
        let mut rows = Rows::new(table, b'\t');
        let captions: Vec<_> = rows
            .by_ref()
            .skip(1)
            .map(|(line, row)| (line, String::from_utf8(row[1].clone()).unwrap()))
            .collect();
        let expected = ["\"tall man", "another 6\" thing", "say \"hi\"", "\"quoted\" text"];
        let expected: Vec<_> =
            expected.iter().enumerate().map(|(at, text)| (at + 1, text.to_string())).collect();
        assert_eq!((captions, rows.unclosed), (expected, None));
    }

    #[test]
    fn an_open_quote_is_noticed() {
        let mut rows = Rows::new(b"image,caption\na,\"one\nb,two\n", b',');
        assert_eq!(rows.by_ref().count(), 1);
        assert_eq!(rows.unclosed, Some(1));
        let mut rows = Rows::new(b"image,caption\na,\"one\"\nb,two\n", b',');
        assert_eq!((rows.by_ref().count(), rows.unclosed), (3, None));
    }

    #[test]
    fn rows_know_their_lines() {
        let long = "x".repeat(5000);
        let many = ["y"; 40].join(",");
        let table =
            format!("a,b\r\n\r\n\"1\n2\",\"say \"\"hi\"\"\"\r\n{long},\n{many}\nlast,\u{e9}");
        let rows: Vec<_> = Rows::new(table.as_bytes(), b',')
            .map(|(line, row)| {
                let row: Vec<_> =
                    row.into_iter().map(|field| String::from_utf8(field).unwrap()).collect();
                (line, row)
            })
            .collect();
        let lines: Vec<usize> = rows.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [0, 2, 4, 5, 6]);
        assert_eq!(rows[1].1, ["1\n2", "say \"hi\""]);
        assert_eq!(rows[2].1, [long.as_str(), ""]);
        assert_eq!(rows[3].1.len(), 40);
        assert_eq!(rows[4].1, ["last", "\u{e9}"]);
        assert_eq!(Rows::new(b"", b',').count(), 0);
    }
}
