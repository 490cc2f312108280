//! The captions of an emoji, in five kinds of wording.
//!
//! A training drawing gets the first three kinds, worded differently for every
//! designer; a drawing that is evaluated gets all five, in one fixed wording.

use std::collections::HashSet;

use super::draw;
use super::splits::Drawing;
use super::words::Emoji;
use crate::{Error, Result};

/// The captions of a split in the order of its file.
pub(super) type Captions = Vec<String>;

/// How a caption is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `grinning face`
    Name,
    /// `a drawing of a grinning face, with cheerful, happy and smile`
    Tags,
    /// `smileys and emotion, face smiling: grinning face`
    Group,
    /// emojilib's keywords: `grinning face, face, smile, happy, joy`
    Keywords,
    /// shortcodes as words: `grinning`
    Shortcodes,
}

/// Every kind, in the order of the captions of an image.
pub const KINDS: [Kind; 5] =
    [Kind::Name, Kind::Tags, Kind::Group, Kind::Keywords, Kind::Shortcodes];
/// The kinds that training captions have.
pub const TRAINING_KINDS: [Kind; 3] = [Kind::Name, Kind::Tags, Kind::Group];

/// Tags quoted by an evaluated caption.
const TAGS: usize = 6;
/// Keywords quoted by an evaluated caption.
const KEYWORDS: usize = 12;

impl Kind {
    /// The word for this kind in `<split>_kinds.txt`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Tags => "tags",
            Self::Group => "group",
            Self::Keywords => "keywords",
            Self::Shortcodes => "shortcodes",
        }
    }
}

/// The captions of one training drawing, in the order of [`TRAINING_KINDS`].
///
/// Choice and order of the tags and the form of the sentence depend on `seed`, emoji, designer and which drawing it is only.
pub fn for_training(drawing: &Drawing, seed: u64) -> [String; 3] {
    let Drawing { emoji, designer, at } = drawing;
    let which = match at {
        0 => designer.to_string(),
        _ => format!("{designer} {at}"),
    };
    let pick = |what: &str| draw(seed, &[what, &which, &emoji.code]);
    let mut tags = telling_tags(emoji);
    tags.sort_by_key(|tag| pick(tag));
    tags.truncate(2 + (pick("count") % 5) as usize);
    let (name, group, subgroup) = (&emoji.name, &emoji.group, &emoji.subgroup);
    let sentence = match pick("sentence") % 4 {
        0 => format!("a picture of {}: {}", with_article(name), tags.join(", ")),
        1 => format!("{name} with {}", and_list(&tags)),
        2 => format!("{}, drawn as {}", and_list(&tags), with_article(name)),
        _ => format!("a drawing of {}, with {}", with_article(name), and_list(&tags)),
    };
    let grouped = match pick("group") % 3 {
        0 => format!("{name}, {subgroup}, {group}"),
        1 => format!("{subgroup}: {name}"),
        _ => format!("{group}, {subgroup}: {name}"),
    };
    [name.clone(), sentence, grouped]
}

/// The captions of the evaluated drawings, each image's in the order of [`KINDS`], no two of
/// them equal in their words.
///
/// # Errors
/// [`Error::Usage`] when the words do not suffice to tell an emoji's caption from another's.
pub fn for_evaluation(emoji: &[&Emoji]) -> Result<Vec<[String; 5]>> {
    let mut taken = HashSet::new();
    let mut captions = vec![<[String; 5]>::default(); emoji.len()];
    // Kind by kind, so that no shortcode takes the name of another emoji away.
    for (k, kind) in KINDS.into_iter().enumerate() {
        for (emoji, captions) in emoji.iter().zip(&mut captions) {
            let draft = Draft::new(kind, emoji);
            captions[k] = (0..=draft.more.len())
                .map(|extra| draft.with(extra))
                .find(|caption| !plain(caption).is_empty() && taken.insert(plain(caption)))
                .ok_or_else(|| {
                    Error::Usage(format!("emoji {}: no {} of its own", emoji.code, kind.label()))
                })?;
        }
    }
    Ok(captions)
}

/// The words of a caption alone: lower case, no punctuation.
pub fn plain(caption: &str) -> String {
    words(caption).collect::<Vec<_>>().join(" ")
}

/// The words of a caption: runs of letters and digits in lower case.
pub fn words(caption: &str) -> impl Iterator<Item = String> {
    caption.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase)
}

/// A caption, and what may be added where it is not unique.
struct Draft {
    base: String,
    more: Vec<String>,
}

impl Draft {
    fn new(kind: Kind, emoji: &Emoji) -> Self {
        let tags = telling_tags(emoji);
        let places = [emoji.subgroup.clone(), emoji.group.clone()];
        let (base, more) = match kind {
            Kind::Name => (emoji.name.clone(), places.to_vec()),
            Kind::Tags => {
                let (quoted, rest) = tags.split_at(tags.len().min(TAGS));
                let drawing = with_article(&emoji.name);
                (format!("a drawing of {drawing}, with {}", and_list(quoted)), rest.to_vec())
            }
            Kind::Group => (format!("{}, {}: {}", emoji.group, emoji.subgroup, emoji.name), tags),
            Kind::Keywords => {
                let (quoted, rest) = emoji.keywords.split_at(emoji.keywords.len().min(KEYWORDS));
                (quoted.join(", "), [rest, &places].concat())
            }
            Kind::Shortcodes => {
                // A code that only repeats the name says the least.
                let mut codes = [&emoji.shortcodes[..], &emoji.legacy_shortcodes].concat();
                codes.sort_by_key(|code| plain(code) == plain(&emoji.name));
                let first = codes.first().cloned().unwrap_or_default();
                let others = codes.into_iter().filter(|code| *code != first);
                let more = others.chain(places).chain(tags).collect();
                (first, more)
            }
        };
        Self { base, more }
    }

    fn with(&self, extra: usize) -> String {
        let added = self.more[..extra].iter().map(String::as_str);
        let parts: Vec<&str> =
            std::iter::once(self.base.as_str()).filter(|b| !b.is_empty()).chain(added).collect();
        parts.join(", ")
    }
}

/// The tags that say something the name does not; the subgroup where there are none.
fn telling_tags(emoji: &Emoji) -> Vec<String> {
    let name: HashSet<String> = words(&emoji.name).collect();
    let tags: Vec<String> =
        emoji.tags.iter().filter(|tag| !words(tag).all(|w| name.contains(&w))).cloned().collect();
    if tags.is_empty() { vec![emoji.subgroup.clone()] } else { tags }
}

/// `a, b and c`
fn and_list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `a grinning face`, `an eagle`; plurals and names with a colon stay as they are.
fn with_article(name: &str) -> String {
    const PREPOSITIONS: [&str; 6] = ["with", "of", "in", "on", "wearing", "holding"];
    let head = name.split(' ').take_while(|word| !PREPOSITIONS.contains(word)).last();
    let head = head.unwrap_or(name);
    let plural = head.ends_with('s') && !head.ends_with("ss") && !head.ends_with("us");
    if plural || name.contains(':') {
        name.to_owned()
    } else if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        format!("an {name}")
    } else {
        format!("a {name}")
    }
}
