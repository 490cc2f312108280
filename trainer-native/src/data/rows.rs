//! The rows of a table, read as Python's `csv` module does in its strict mode: what that refuses is wrong here, too.
//!
//! In a TSV a line is a row, and quotes are characters like others but around a whole field, as spreadsheets put them.

const TAB: u8 = b'\t';

/// A row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line, from 0, that it starts in.
    pub line: usize,
    /// Its fields, or what is wrong with it.
    pub fields: Result<Vec<Vec<u8>>, &'static str>,
}

/// The rows of a table. Empty lines are passed over; lines end in `\n`, `\r\n` or `\r`.
pub(super) struct Rows<'a> {
    rest: &'a [u8],
    line: usize,
    delimiter: u8,
}

/// Where in a field the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// Behind a quote in a quoted field, which ends it or is the first half of a doubled one.
    Quote,
}

impl<'a> Rows<'a> {
    /// The rows of a table without a byte order mark.
    pub fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        Self { rest: bytes, line: 0, delimiter }
    }

    fn next_byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.line += usize::from(byte == b'\n' || byte == b'\r' && rest.first() != Some(&b'\n'));
        Some(byte)
    }

    /// A row in which quotes may hold delimiters and line breaks.
    fn quoted_row(&mut self) -> Result<Vec<Vec<u8>>, &'static str> {
        let (mut fields, mut field, mut state) = (Vec::new(), Vec::new(), State::Start);
        let mut wrong = None;
        loop {
            let byte = self.next_byte();
            state = match (state, byte) {
                (State::Quoted, None) => {
                    return Err(
                        "a quote is not closed in this row, which runs to the end of the file",
                    );
                }
                (State::Quoted, Some(b'"')) => State::Quote,
                (State::Quoted, Some(byte)) => {
                    field.push(byte);
                    State::Quoted
                }
                (_, None | Some(b'\r' | b'\n')) => {
                    fields.push(field);
                    return wrong.map_or(Ok(fields), Err);
                }
                (_, Some(byte)) if byte == self.delimiter => {
                    fields.push(std::mem::take(&mut field));
                    State::Start
                }
                (State::Start, Some(b'"')) => State::Quoted,
                (State::Quote, Some(b'"')) => {
                    field.push(b'"');
                    State::Quoted
                }
                (before, Some(byte)) => {
                    if before == State::Quote {
                        wrong = Some(
                            "text behind a closing quote: within quotes, a quote is to be doubled",
                        );
                    }
                    field.push(byte);
                    State::Plain
                }
            };
        }
    }

    /// A row that is a line.
    fn plain_row(&mut self) -> Vec<Vec<u8>> {
        let length = self.rest.iter().take_while(|byte| !matches!(byte, b'\r' | b'\n')).count();
        let (line, rest) = self.rest.split_at(length);
        self.rest = rest;
        line.split(|&byte| byte == self.delimiter).map(unquoted).collect()
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while let Some(b'\r' | b'\n') = self.rest.first() {
            self.next_byte();
        }
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let fields = match self.delimiter {
            TAB => Ok(self.plain_row()),
            _ => self.quoted_row(),
        };
        let fields =
            fields.and_then(|fields| match fields.iter().any(|field| field.contains(&0)) {
                true => Err("a zero byte: the file is damaged, or no UTF-8 text"),
                false => Ok(fields),
            });
        Some(Row { line, fields })
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
        if byte == b'"' && bytes.next_if(|&&next| next == b'"').is_none() {
            // `"a" and "b"` has its quotes around two words.
            return field.to_vec();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(table: &str, delimiter: u8) -> Vec<(usize, Result<Vec<String>, &'static str>)> {
        let text = |field: Vec<u8>| String::from_utf8(field).unwrap();
        let row =
            |row: Row| (row.line, row.fields.map(|fields| fields.into_iter().map(text).collect()));
        Rows::new(table.as_bytes(), delimiter).map(row).collect()
    }

    #[test]
    fn quotes_of_a_tab_separated_table_hide_no_rows() {
        let table = "a\t\"tall man\nb\tanother 6\" thing\nc\t\"say \"\"hi\"\"\"\nd\t\"quoted\" text\ne\t\"a\" and \"b\"\nf\t\"\n";
        let expected = [
            "\"tall man",
            "another 6\" thing",
            "say \"hi\"",
            "\"quoted\" text",
            "\"a\" and \"b\"",
            "\"",
        ];
        let captions: Vec<_> = rows(table, b'\t')
            .into_iter()
            .map(|(line, row)| (line, row.unwrap().swap_remove(1)))
            .collect();
        let expected: Vec<_> =
            expected.iter().enumerate().map(|(at, text)| (at, text.to_string())).collect();
        assert_eq!(captions, expected);
    }

    #[test]
    fn an_open_quote_is_noticed_wherever_the_file_ends() {
        for end in ["", "\n", "\r\n", "\n\n"] {
            let found = rows(&format!("a,one\nb,\"two\nc,three{end}"), b',');
            assert_eq!(found.len(), 2, "{end:?}");
            assert!(found[1].0 == 1 && found[1].1.clone().unwrap_err().contains("not closed"));
        }
        let found = rows("a,\"one\"\nb,\"\"\nc,\"x\"\"\"", b',');
        assert_eq!(found[2], (2, Ok(vec!["c".into(), "x\"".into()])));
        // Two open quotes close each other, and the second text would hide the rows between.
        let found = rows("a,\"one\nb,\"two\nc,three\n", b',');
        assert!(found[0].1.clone().unwrap_err().contains("behind a closing quote"));
    }

    #[test]
    fn rows_know_their_lines() {
        let many = ["y"; 40].join(",");
        let table =
            format!("a,b\r\n\r\n\"1\n2\",\"say \"\"hi\"\"\"\rx,\n{many}\nlast,\u{e9} 6\" a\"");
        let found = rows(&table, b',');
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [0, 2, 4, 5, 6]);
        let row = |at: usize| found[at].1.clone().unwrap();
        assert_eq!(row(1), ["1\n2", "say \"hi\""]);
        assert_eq!(row(2), ["x", ""]);
        assert_eq!(row(3).len(), 40);
        assert_eq!(row(4), ["last", "\u{e9} 6\" a\""]);
        assert_eq!(rows("", b','), []);
        assert!(rows("a,\0", b',')[0].1.clone().unwrap_err().contains("zero byte"));
    }
}
