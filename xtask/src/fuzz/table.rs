//! The table of runs in fuzz/README.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::session::Session;

use crate::terminal::note;

const START: &str = "<!-- runs -->\n";
const END: &str = "<!-- end -->";
const HEADING: &str = "| target | executions | seconds | branches reached | inputs kept |\n|---|---:|---:|---:|---:|\n";

/// Adds the rows, each in the place of a shorter run of the same target; whether that worked.
pub fn write(page: &Path, rows: impl Iterator<Item = (String, Session)>) -> bool {
    let text = fs::read_to_string(page).unwrap_or_default();
    let written = with_rows(&text, rows).is_some_and(|text| fs::write(page, text).is_ok());
    if !written {
        note!("{}: the table of runs cannot be written", page.display());
    }
    written
}

fn with_rows(text: &str, rows: impl Iterator<Item = (String, Session)>) -> Option<String> {
    let (before, rest) = text.split_once(START)?;
    let (table, after) = rest.split_once(END)?;
    let mut all: BTreeMap<String, String> = table
        .lines()
        .skip(2)
        .filter_map(|row| {
            Some((row.strip_prefix("| ")?.split(' ').next()?.to_owned(), row.to_owned()))
        })
        .collect();
    for (name, session) in rows {
        let Session { executions, seconds, coverage, inputs } = session;
        let row = format!("| {name} | {executions} | {seconds} | {coverage} | {inputs} |");
        let earlier = all.get(&name).and_then(|row| row.split(" | ").nth(1)?.parse::<u64>().ok());
        if earlier.is_none_or(|earlier| earlier <= executions) {
            all.insert(name, row);
        }
    }
    let rows: String = all.into_values().map(|row| row + "\n").collect();
    Some(format!("{before}{START}{HEADING}{rows}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_take_the_place_of_shorter_runs() {
        let session = |executions| Session { executions, seconds: 2, coverage: 3, inputs: 4 };
        let page = format!("a\n{START}{END}\nb");
        let rows = [("csv".to_owned(), session(1)), ("run".to_owned(), session(7))];
        let page = with_rows(&page, rows.into_iter()).unwrap();
        let later = [("csv".to_owned(), session(5)), ("run".to_owned(), session(6))];
        let page = with_rows(&page, later.into_iter()).unwrap();
        let rows = "| csv | 5 | 2 | 3 | 4 |\n| run | 7 | 2 | 3 | 4 |\n";
        assert_eq!(page, format!("a\n{START}{HEADING}{rows}{END}\nb"));
    }
}
