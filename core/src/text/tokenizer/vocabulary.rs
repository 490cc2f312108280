//! A word-piece vocabulary learned from captions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::CaptionTokenizer;
use crate::{Error, Result};

const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Learns a vocabulary of at most `size` tokens and returns it as the text of a
/// `vocab.txt`.
///
/// In this order, until it is full: the special tokens; every character, alone
/// and as a continuation, so that any word of the captions can be spelled; whole
/// words, the most frequent first; beginnings and endings of two characters and
/// more, the most frequent first, from which unseen words are built. Ties go in
/// alphabetical order, so that equal captions give equal vocabularies. (The
/// trainer of the tokenizers crate does not: its ties follow a hash map.)
///
/// # Errors
/// [`Error::Text`] when `size` does not even hold the characters.
pub fn train_vocab<'a>(captions: impl Iterator<Item = &'a str>, size: usize) -> Result<String> {
    let splitter = CaptionTokenizer::from_vocab(&SPECIAL.join("\n"))?;
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    for caption in captions {
        for word in splitter.basic_tokens(caption) {
            *words.entry(word).or_default() += 1;
        }
    }
    let characters: BTreeSet<char> = words.keys().flat_map(|word| word.chars()).collect();

    let mut vocabulary = Vocabulary::default();
    SPECIAL.iter().for_each(|token| vocabulary.push((*token).to_owned()));
    characters.iter().for_each(|character| vocabulary.push(character.to_string()));
    characters.iter().for_each(|character| vocabulary.push(format!("##{character}")));
    let smallest = vocabulary.tokens.len();
    if size < smallest {
        return Err(Error::Text(format!(
            "a vocabulary of {size} tokens is too small: the special tokens and the \
             characters of the captions take {smallest}"
        )));
    }
    let mut affixes: BTreeMap<String, usize> = BTreeMap::new();
    for (word, count) in &words {
        let inner = word.char_indices().map(|(position, _)| position).skip(1);
        for position in inner {
            let (beginning, ending) = word.split_at(position);
            for (affix, mark) in [(beginning, ""), (ending, "##")] {
                if affix.chars().nth(1).is_some() {
                    *affixes.entry(format!("{mark}{affix}")).or_default() += count;
                }
            }
        }
    }
    for token in by_count(words).chain(by_count(affixes)) {
        if vocabulary.tokens.len() >= size {
            break;
        }
        vocabulary.push(token);
    }
    Ok(vocabulary.tokens.join("\n") + "\n")
}

fn by_count(counts: BTreeMap<String, usize>) -> impl Iterator<Item = String> {
    let mut tokens: Vec<_> = counts.into_iter().collect();
    tokens.sort_by_key(|(_, count)| Reverse(*count)); // Stable: ties stay alphabetical.
    tokens.into_iter().map(|(token, _)| token)
}

/// Tokens in order of their ids, each once.
#[derive(Default)]
struct Vocabulary {
    tokens: Vec<String>,
    known: BTreeSet<String>,
}

impl Vocabulary {
    fn push(&mut self, token: String) {
        if self.known.insert(token.clone()) {
            self.tokens.push(token);
        }
    }
}
