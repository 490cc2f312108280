//! The words of every emoji: names, groups, tags, keywords and shortcodes.

use std::collections::HashMap;

use serde::Deserialize;

use super::npm::{Packages, read_json};
use crate::{Error, Result};

/// The shortcode sets in the order in which they are quoted; a caption quotes
/// those of the first four, the last is kept for captions that need more words.
const SHORTCODE_SETS: [&str; 5] =
    ["github", "iamcal", "joypixels", "emojibase", "emojibase-legacy"];

/// The skin-tone modifiers, whose emoji are left out.
const SKIN_TONES: std::ops::RangeInclusive<u32> = 0x1f3fb..=0x1f3ff;

/// What one emoji is called.
#[derive(Debug, Clone, Default)]
pub struct Emoji {
    /// Code points in lower-case hexadecimal joined by `-`, without the
    /// variation selector FE0F: `1f469-200d-1f680`.
    pub code: String,
    /// The characters themselves.
    pub glyph: String,
    /// Unicode's short name, lower case: `grinning face`.
    pub name: String,
    /// `smileys and emotion`.
    pub group: String,
    /// `face smiling`.
    pub subgroup: String,
    /// emojibase's tags that are words.
    pub tags: Vec<String>,
    /// emojilib's keywords that are words; the first is the name.
    pub keywords: Vec<String>,
    /// Shortcodes as words, without repeats, in the order of the sets.
    pub shortcodes: Vec<String>,
    /// As [`Emoji::shortcodes`], from the older set.
    pub legacy_shortcodes: Vec<String>,
}

#[derive(Deserialize)]
struct UnicodeEntry {
    name: String,
}

#[derive(Deserialize)]
struct EmojibaseEntry {
    label: String,
    hexcode: String,
    #[serde(default)]
    tags: Vec<String>,
    group: Option<u32>,
    subgroup: Option<u32>,
}

#[derive(Deserialize)]
struct Groups {
    groups: HashMap<String, String>,
    subgroups: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Shortcodes {
    One(String),
    Many(Vec<String>),
}

impl Shortcodes {
    fn all(&self) -> &[String] {
        match self {
            Self::One(code) => std::slice::from_ref(code),
            Self::Many(codes) => codes,
        }
    }
}

/// Reads the words of every emoji without a skin tone, in code order.
///
/// # Errors
/// [`Error::Format`] naming the package file and the emoji that is missing there.
pub fn read(packages: &Packages) -> Result<Vec<Emoji>> {
    let names: HashMap<String, UnicodeEntry> =
        read_json(&packages.file("unicode-emoji-json", "data-by-emoji.json"))?;
    let keyword_file = packages.file("emojilib", "dist/emoji-en-US.json");
    let keywords = by_code(read_json::<HashMap<String, Vec<String>>>(&keyword_file)?);
    let base_file = packages.file("emojibase-data", "en/data.json");
    let base: HashMap<String, EmojibaseEntry> = read_json::<Vec<EmojibaseEntry>>(&base_file)?
        .into_iter()
        .map(|entry| (normal_code(&entry.hexcode), entry))
        .collect();
    let groups: Groups = read_json(&packages.file("emojibase-data", "meta/groups.json"))?;
    let shortcodes = SHORTCODE_SETS
        .iter()
        .map(|set| {
            let file = packages.file("emojibase-data", &format!("en/shortcodes/{set}.json"));
            let codes: HashMap<String, Shortcodes> = read_json(&file)?;
            Ok(codes.into_iter().map(|(code, words)| (normal_code(&code), words)).collect())
        })
        .collect::<Result<Vec<HashMap<String, Shortcodes>>>>()?;

    let mut emoji = Vec::new();
    for (glyph, entry) in names {
        if glyph.chars().any(|c| SKIN_TONES.contains(&(c as u32))) {
            continue;
        }
        let code = code_of(&glyph);
        let missing = |file: &_| Error::format(file, format!("no entry for {glyph} ({code})"));
        let base = base.get(&code).ok_or_else(|| missing(&base_file))?;
        let keywords = keywords.get(&code).ok_or_else(|| missing(&keyword_file))?;
        let group = base.group.and_then(|g| groups.groups.get(&g.to_string()));
        let subgroup = base.subgroup.and_then(|g| groups.subgroups.get(&g.to_string()));
        let (Some(group), Some(subgroup)) = (group, subgroup) else {
            return Err(missing(&base_file));
        };
        let quoted = |sets: &[HashMap<String, Shortcodes>]| {
            let codes = sets.iter().filter_map(|set| set.get(&code)).flat_map(Shortcodes::all);
            plain_words(
                &codes
                    .filter(|c| !is_code_point(c))
                    .map(|c| c.replace('-', " "))
                    .collect::<Vec<_>>(),
            )
        };
        let (current, legacy) = shortcodes.split_at(SHORTCODE_SETS.len() - 1);
        emoji.push(Emoji {
            name: name_of(&entry.name, &base.label),
            group: group_words(group),
            subgroup: subgroup.replace('-', " "),
            tags: plain_words(&base.tags),
            keywords: plain_words(keywords),
            shortcodes: quoted(current),
            legacy_shortcodes: quoted(legacy),
            code,
            glyph,
        });
    }
    emoji.sort_by(|a, b| a.code.cmp(&b.code));
    Ok(emoji)
}

/// The code of an emoji given as characters.
pub fn code_of(glyph: &str) -> String {
    let codes: Vec<String> =
        glyph.chars().filter(|&c| c != '\u{fe0f}').map(|c| format!("{:04x}", c as u32)).collect();
    codes.join("-")
}

/// Brings hexadecimal codes of any spelling to the form of [`Emoji::code`].
pub fn normal_code(hex: &str) -> String {
    let hex = hex.to_lowercase();
    let parts: Vec<&str> = hex.split('-').filter(|&part| part != "fe0f").collect();
    parts.join("-")
}

fn by_code<T>(entries: HashMap<String, T>) -> HashMap<String, T> {
    entries.into_iter().map(|(glyph, value)| (code_of(&glyph), value)).collect()
}

/// Whether a shortcode only spells a code point, as `u6709`.
fn is_code_point(shortcode: &str) -> bool {
    let hex = shortcode.strip_prefix('u').unwrap_or_default();
    hex.len() >= 4 && hex.chars().all(|c| c.is_ascii_hexdigit())
}

/// unicode-emoji-json drops the punctuation that tells `family: man, boy` from
/// a list of words, so emojibase's spelling wins where it has any.
fn name_of(plain: &str, label: &str) -> String {
    let name = if label.contains([':', ',']) { label } else { plain };
    name.to_lowercase()
}

/// `smileys-emotion` reads `smileys and emotion`, `activities` stays.
fn group_words(key: &str) -> String {
    key.replacen('-', " and ", 1).replace('-', " ")
}

/// Codes as words: underscores become spaces; whatever is not words (`:D`, `-1`) and
/// repeats are dropped.
fn plain_words<'a>(codes: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for code in codes {
        let text = code.replace('_', " ").to_lowercase();
        let is_words = text.starts_with(char::is_alphanumeric)
            && text.chars().all(|c| c.is_alphanumeric() || " -'’.&,".contains(c));
        if is_words && !words.contains(&text) {
            words.push(text);
        }
    }
    words
}
