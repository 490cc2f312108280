//! Basic tokens: a caption as words and punctuation marks, as BERT's tokenizer in Python splits it.
//!
//! The tokenizers crate has the same steps with the categories of an old Unicode, and takes some ideographs for none.

use tokenizers::NormalizedString;

use super::categories::{NONSPACING, OTHER, PUNCTUATION, is_in};

/// What a tokenizer does to the text before it looks for word pieces.
pub(super) struct Basic {
    /// Removes control signs; white space of any kind becomes a space.
    pub clean: bool,
    /// Every ideograph is a word.
    pub split_ideographs: bool,
    pub lowercase: bool,
    pub strip_accents: bool,
}

impl Basic {
    /// The words and punctuation marks of a caption.
    pub fn tokens(&self, caption: &str) -> Vec<String> {
        let mut text = String::with_capacity(caption.len());
        for character in caption.chars() {
            if self.clean && is_removed(character) {
                continue;
            }
            if self.split_ideographs && is_ideograph(character) {
                text.extend([' ', character, ' ']);
            } else {
                text.push(character);
            }
        }
        let mut text = NormalizedString::from(text);
        text.nfc();
        let mut tokens = Vec::new();
        for word in text.get().split_whitespace() {
            // By whole words, which a final sigma needs, and case before accents.
            let mut word = if self.lowercase { word.to_lowercase() } else { word.to_owned() };
            if self.strip_accents && !word.is_ascii() {
                let mut apart = NormalizedString::from(word);
                apart.nfd();
                word = apart.get().chars().filter(|sign| !is_in(&NONSPACING, *sign)).collect();
            }
            split_punctuation(&word, &mut tokens);
        }
        tokens
    }
}

/// Every punctuation mark by itself, and what is between them.
fn split_punctuation(word: &str, tokens: &mut Vec<String>) {
    let mut rest = word;
    while let Some(at) = rest.find(is_punctuation) {
        let (before, found) = rest.split_at(at);
        let length = found.chars().next().map_or(0, char::len_utf8);
        let (mark, after) = found.split_at(length);
        if !before.is_empty() {
            tokens.push(before.to_owned());
        }
        tokens.push(mark.to_owned());
        rest = after;
    }
    if !rest.is_empty() {
        tokens.push(rest.to_owned());
    }
}

fn is_removed(character: char) -> bool {
    let space = matches!(character, '\t' | '\n' | '\r');
    character == '\u{fffd}' || (!space && is_in(&OTHER, character))
}

fn is_punctuation(character: char) -> bool {
    character.is_ascii_punctuation() || is_in(&PUNCTUATION, character)
}

fn is_ideograph(character: char) -> bool {
    matches!(u32::from(character),
        0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x2a6df | 0x2a700..=0x2ceaf | 0x2f800..=0x2fa1f)
}
