//! Which emoji are trained on, tested, new and validated: the committed lists,
//! and how they were drawn.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rayon::prelude::*;

use super::icons::{Designer, IconSet, TEST_DESIGNER, TRAINING_DESIGNERS};
use super::words::Emoji;
use super::{draw, drawn_by_all};
use crate::files::{read_text, write_atomically};
use crate::{Error, Result};

/// The training designer whose drawings of the validation emoji are held out.
pub const VALIDATION_DESIGNER: Designer = "twemoji";

/// Emoji of Emoji-1K.
const TEST_EMOJI: usize = 1000;
/// Emoji of Emoji-New.
const NEW_EMOJI: usize = 200;
/// Emoji of the validation split.
const VALIDATION_EMOJI: usize = 100;

/// Two drawings whose pictures of this side differ by less than
/// [`LOOKALIKE_DIFFERENCE`] (mean of all bytes, of 255) are taken for one.
const LOOKALIKE_SIDE: u32 = 32;
const LOOKALIKE_DIFFERENCE: f64 = 1.0;

/// The codes of the emoji outside plain training, each list in code order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lists {
    /// Emoji-1K: drawn by the test designer here, by the others in training.
    pub test: Vec<String>,
    /// Emoji-New: drawn by the test designer here, by nobody in training.
    pub new: Vec<String>,
    /// Validation: drawn by `VALIDATION_DESIGNER` here, by the other training designers in training.
    pub validation: Vec<String>,
}

impl Lists {
    const FILES: [&str; 3] = ["emoji-1k.txt", "emoji-new.txt", "emoji-val.txt"];

    /// Reads the lists of the folder: one code a line.
    ///
    /// # Errors
    /// [`Error::Format`] naming file and line of a code that stands twice.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut seen = HashSet::new();
        let mut lists = Self::FILES.iter().map(|name| {
            let file = folder.join(name);
            let text = read_text(&file)?;
            let codes: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
            for (i, code) in codes.iter().enumerate() {
                if !seen.insert(code.clone()) {
                    let message = format!("line {}: {code:?} stands in the lists twice", i + 1);
                    return Err(Error::format(file, message));
                }
            }
            Ok(codes)
        });
        let mut next = || lists.next().unwrap_or_else(|| Ok(Vec::new()));
        Ok(Self { test: next()?, new: next()?, validation: next()? })
    }

    /// Writes the lists into the folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (name, codes) in Self::FILES.iter().zip([&self.test, &self.new, &self.validation]) {
            write_atomically(&folder.join(name), (codes.join("\n") + "\n").as_bytes())?;
        }
        Ok(())
    }

    /// Draws the lists: a shuffle by `seed` of the emoji that all complete designers drew, of every
    /// group of lookalikes the first only.
    ///
    /// # Errors
    /// [`Error::Format`] for drawings that cannot be rendered.
    pub fn choose(emoji: &[Emoji], sets: &HashMap<Designer, IconSet>, seed: u64) -> Result<Self> {
        let by_all: Vec<&Emoji> = emoji.iter().filter(|e| drawn_by_all(e, sets)).collect();
        let distinct = without_lookalikes(&by_all, sets)?;
        let mut codes: Vec<String> = distinct.iter().map(|e| e.code.clone()).collect();
        codes.sort_by_key(|code| draw(seed, &["split", code]));
        let mut codes = codes.into_iter();
        let mut take = |count| {
            let mut list: Vec<String> = codes.by_ref().take(count).collect();
            list.sort();
            list
        };
        Ok(Self {
            new: take(NEW_EMOJI),
            validation: take(VALIDATION_EMOJI),
            test: take(TEST_EMOJI),
        })
    }
}

fn without_lookalikes<'a>(
    emoji: &[&'a Emoji],
    sets: &HashMap<Designer, IconSet>,
) -> Result<Vec<&'a Emoji>> {
    let mut keep = vec![true; emoji.len()];
    for designer in [TEST_DESIGNER, VALIDATION_DESIGNER] {
        let set = &sets[designer];
        let pictures = emoji
            .par_iter()
            .map(|e| Ok(set.render(&e.code, 0, LOOKALIKE_SIDE)?.take()))
            .collect::<Result<Vec<_>>>()?;
        let again: Vec<bool> = (0..emoji.len())
            .into_par_iter()
            .map(|i| pictures[..i].iter().any(|other| difference(&pictures[i], other)))
            .collect();
        keep.iter_mut().zip(again).for_each(|(keep, again)| *keep &= !again);
    }
    Ok(emoji.iter().zip(keep).filter_map(|(e, keep)| keep.then_some(*e)).collect())
}

/// Whether two pictures differ too little to be told apart.
fn difference(a: &[u8], b: &[u8]) -> bool {
    let limit = (LOOKALIKE_DIFFERENCE * a.len() as f64) as u64;
    let mut sum = 0;
    // In pieces: most pairs are far apart after the first few.
    for (a, b) in a.chunks(512).zip(b.chunks(512)) {
        sum += a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum::<u64>();
        if sum >= limit {
            return false;
        }
    }
    true
}

/// One drawing of the set.
#[derive(Debug, Clone, Copy)]
pub struct Drawing<'a> {
    /// What is drawn.
    pub emoji: &'a Emoji,
    /// By whom.
    pub designer: Designer,
    /// Which of the designer's drawings of it, from 0.
    pub at: usize,
}

/// The drawings of one split.
#[derive(Debug)]
pub struct SplitDrawings<'a> {
    /// `train`, `dev`, `test` or `new`.
    pub name: &'static str,
    /// In the order of the ids.
    pub drawings: Vec<Drawing<'a>>,
}

/// Deals the drawings out to the splits.
///
/// # Errors
/// [`Error::Usage`] when a list names an emoji that is not drawn.
pub fn deal<'a>(
    emoji: &'a [Emoji],
    sets: &HashMap<Designer, IconSet>,
    lists: &Lists,
) -> Result<Vec<SplitDrawings<'a>>> {
    let by_code: HashMap<&str, &Emoji> = emoji.iter().map(|e| (e.code.as_str(), e)).collect();
    let listed = |codes: &[String], designer: Designer| {
        let drawn = |code: &String| {
            let emoji = *by_code.get(code.as_str()).filter(|_| sets[designer].has(code))?;
            Some(Drawing { emoji, designer, at: 0 })
        };
        codes
            .iter()
            .map(|code| {
                drawn(code).ok_or_else(|| {
                    Error::Usage(format!("listed emoji {code:?} has no drawing by {designer}"))
                })
            })
            .collect::<Result<Vec<_>>>()
    };
    let new: HashSet<&String> = lists.new.iter().collect();
    let validation: HashSet<&String> = lists.validation.iter().collect();
    let mut train = Vec::new();
    for designer in TRAINING_DESIGNERS {
        train.extend(
            emoji
                .iter()
                .filter(|e| sets[designer].has(&e.code) && !new.contains(&e.code))
                .filter(|e| designer != VALIDATION_DESIGNER || !validation.contains(&e.code))
                .flat_map(|emoji| {
                    (0..sets[designer].count(&emoji.code)).map(move |at| Drawing {
                        emoji,
                        designer,
                        at,
                    })
                }),
        );
    }
    Ok(vec![
        SplitDrawings { name: "train", drawings: train },
        SplitDrawings { name: "dev", drawings: listed(&lists.validation, VALIDATION_DESIGNER)? },
        SplitDrawings { name: "test", drawings: listed(&lists.test, TEST_DESIGNER)? },
        SplitDrawings { name: "new", drawings: listed(&lists.new, TEST_DESIGNER)? },
    ])
}
