//! Results of many cases, counted by group.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;

use crate::case::{Case, Outcome};

/// How many cases of a group and an outcome are named on the terminal.
const EXAMPLES: usize = 5;

#[derive(Default)]
struct Group {
    identical: usize,
    refused: Vec<String>,
    different: Vec<String>,
    unexpected: Vec<String>,
}

/// The results of a kind.
pub struct Summary(BTreeMap<String, Group>);

impl Summary {
    /// Reads and compares every case, on all cores. A panic is a difference.
    pub fn of(cases: &[Case], check: fn(&Case) -> Outcome) -> Self {
        let outcome = |case: &Case| {
            catch_unwind(AssertUnwindSafe(|| check(case)))
                .unwrap_or_else(|_| Outcome::Different("panics".into()))
        };
        let outcomes: Vec<Outcome> = cases.par_iter().map(outcome).collect();
        let mut groups = BTreeMap::<String, Group>::new();
        for (case, outcome) in cases.iter().zip(outcomes) {
            let group = groups.entry(case.group.clone()).or_default();
            let line = |message: String| format!("{}: {message}", case.name);
            match outcome {
                Outcome::Identical => group.identical += 1,
                Outcome::Refused(message) => group.refused.push(line(message)),
                Outcome::Different(message) => group.different.push(line(message)),
                Outcome::Unexpected(message) => group.unexpected.push(line(message)),
            }
        }
        Self(groups)
    }

    /// How many cases are read otherwise than by the reference.
    pub fn different(&self) -> usize {
        self.0.values().map(|group| group.different.len()).sum()
    }

    /// How many cases are read that the reference refuses.
    pub fn unexpected(&self) -> usize {
        self.0.values().map(|group| group.unexpected.len()).sum()
    }

    /// A table in Markdown, a row a group.
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| files | identical | refused by us | different | read by us alone |\n|---|---:|---:|---:|---:|\n",
        );
        for (name, group) in &self.0 {
            let Group { identical, refused, different, unexpected } = group;
            let (refused, different) = (refused.len(), different.len());
            let unexpected = unexpected.len();
            let _ =
                writeln!(text, "| {name} | {identical} | {refused} | {different} | {unexpected} |");
        }
        text
    }

    /// The table, and the first cases of each sort that are not identical.
    pub fn examples(&self) -> String {
        let mut text = self.table();
        for (name, group) in &self.0 {
            let sorts = [
                ("different", &group.different),
                ("refused by us", &group.refused),
                ("read by us alone", &group.unexpected),
            ];
            for (sort, lines) in sorts.into_iter().filter(|(_, lines)| !lines.is_empty()) {
                let _ = writeln!(text, "{name}, {sort}: {} cases", lines.len());
                for line in lines.iter().take(EXAMPLES) {
                    let short: String = line.chars().take(300).collect();
                    let _ = writeln!(text, "  {short}");
                }
            }
        }
        text
    }
}
