//! What a built set contains, in numbers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::captions::{Captions, words};
use super::drawn_by_all;
use super::icons::{Designer, IconSet};
use super::splits::SplitDrawings;
use super::words::Emoji;

/// The numbers of a set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Emoji that have names, without skin tones.
    pub emoji: usize,
    /// Emoji that all four complete designers drew, of which the lists were made.
    pub drawn_by_all: usize,
    /// The splits in the order train, dev, test, new.
    pub splits: Vec<SplitReport>,
}

/// The numbers of a split.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SplitReport {
    /// `train`, `dev`, `test` or `new`.
    pub name: String,
    /// Pictures.
    pub images: usize,
    /// Pictures per designer.
    pub designers: BTreeMap<String, usize>,
    /// Captions.
    pub captions: usize,
    /// Different words in the captions.
    pub vocabulary: usize,
    /// Share of the captions' words, counted as often as they occur, that no training caption has.
    pub unseen_words: f64,
}

impl Report {
    pub(super) fn new(
        emoji: &[Emoji],
        sets: &HashMap<Designer, IconSet>,
        splits: &[SplitDrawings],
        captions: &[Captions],
    ) -> Self {
        let trained: HashSet<String> =
            captions.iter().take(1).flatten().flat_map(|caption| words(caption)).collect();
        let splits = splits.iter().zip(captions).map(|(split, captions)| {
            let all: Vec<String> = captions.iter().flat_map(|caption| words(caption)).collect();
            let unseen = all.iter().filter(|word| !trained.contains(*word)).count();
            let mut designers = BTreeMap::new();
            for drawing in &split.drawings {
                *designers.entry(drawing.designer.to_owned()).or_default() += 1;
            }
            SplitReport {
                name: split.name.to_owned(),
                images: split.drawings.len(),
                designers,
                captions: captions.len(),
                unseen_words: unseen as f64 / all.len().max(1) as f64,
                vocabulary: all.into_iter().collect::<HashSet<_>>().len(),
            }
        });
        Self {
            emoji: emoji.len(),
            drawn_by_all: emoji.iter().filter(|e| drawn_by_all(e, sets)).count(),
            splits: splits.collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} emoji, {} of them drawn by all four complete designers",
            self.emoji, self.drawn_by_all
        )?;
        writeln!(f, "split   images  captions  words  unseen words  designers")?;
        for split in &self.splits {
            let designers: Vec<String> =
                split.designers.iter().map(|(name, count)| format!("{name} {count}")).collect();
            writeln!(
                f,
                "{:<6}  {:>6}  {:>8}  {:>5}  {:>11.1}%  {}",
                split.name,
                split.images,
                split.captions,
                split.vocabulary,
                100.0 * split.unseen_words,
                designers.join(", ")
            )?;
        }
        Ok(())
    }
}
