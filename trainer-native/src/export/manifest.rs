//! `avse.json`: what a page finds in an export.

use std::path::Path;

use avse_core::gallery::GalleryKind;
use avse_core::weights::Manifest;
use serde::{Deserialize, Serialize};

use super::options::{MODEL, WebOptions};
use super::rows::Collection;
use crate::Result;
use crate::data::emoji::{self, data_folder};
use crate::demo::UNSEEN_KINDS;
use crate::files::{json, read_json, write_atomically};
use crate::gallery::ChosenBundle;

/// The file's name.
pub(super) const MANIFEST: &str = "avse.json";
/// What it calls such a folder.
pub(super) const FORMAT: &str = "avse-web";
const VERSION: u32 = 1;
/// What the demo's model knows.
const DEMO_DOMAIN: &str = "drawings of emoji";

/// Whose work is shown, and on what terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// What it is.
    pub what: String,
    /// Who made it.
    pub by: String,
    /// What may be done with it.
    pub licence: String,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The content of `avse.json`.
#[derive(Debug, Serialize)]
pub(super) struct WebManifest<'a> {
    format: &'static str,
    version: u32,
    created_by: &'static str,
    /// The bundle's folder.
    model: String,
    galleries: Vec<GalleryEntry>,
    /// What the model knows, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    /// The captions' kinds that training never showed.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unseen_kinds: &'a [&'a str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    credits: &'a [Credit],
}

#[derive(Debug, Serialize)]
struct GalleryEntry {
    name: String,
    path: String,
    kind: GalleryKind,
    items: usize,
}

impl WebManifest<'_> {
    /// Lists a gallery, which stands in the folder of its name.
    pub(super) fn add(&mut self, name: &str, kind: GalleryKind, items: usize) {
        let (name, path) = (name.to_string(), format!("{name}/"));
        self.galleries.push(GalleryEntry { name, path, kind, items });
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        write_atomically(&folder.join(MANIFEST), &json(self)?)
    }
}

/// What is said of an export as a whole.
pub(super) struct About {
    domain: Option<String>,
    credits: Vec<Credit>,
    unseen_kinds: &'static [&'static str],
}

impl About {
    /// What the options say; of the demo's model and the emoji set, what is known of those.
    ///
    /// # Errors
    /// [`crate::Error::Io`] or [`crate::Error::Format`] naming a file of credits.
    pub(super) fn of(
        options: &WebOptions,
        collection: &Collection,
        source: &ChosenBundle,
    ) -> Result<Self> {
        let demo = data_folder().and_then(|data| Ok(Manifest::read(data.join("emoji-model"))?));
        let by_demo = demo.is_ok_and(|demo| demo.fingerprint() == source.fingerprint);
        let emoji = collection.dataset.as_ref().filter(|dataset| dataset.name == "emoji");
        let credits = match (&options.credits, emoji) {
            (Some(file), _) => read_credits(file)?,
            (None, Some(emoji)) => emoji_credits(&emoji.folder)?,
            (None, None) => Vec::new(),
        };
        Ok(Self {
            domain: options.domain.clone().or(by_demo.then(|| DEMO_DOMAIN.to_string())),
            credits,
            unseen_kinds: if by_demo && emoji.is_some() { &UNSEEN_KINDS } else { &[] },
        })
    }

    /// An `avse.json` that lists no galleries yet.
    pub(super) fn manifest(&self) -> WebManifest<'_> {
        WebManifest {
            format: FORMAT,
            version: VERSION,
            created_by: concat!("avse ", env!("CARGO_PKG_VERSION")),
            model: format!("{MODEL}/"),
            galleries: Vec::new(),
            domain: self.domain.as_deref(),
            unseen_kinds: self.unseen_kinds,
            credits: &self.credits,
        }
    }
}

/// The credits of a file: a list of objects `{"what", "by", "licence", "url"}`.
///
/// # Errors
/// [`crate::Error::Io`] or [`crate::Error::Format`] naming the file.
fn read_credits(path: &Path) -> Result<Vec<Credit>> {
    read_json(path)
}

/// The credits of the emoji set in a folder: its drawings, on whose model and pages they are, and
/// its words. None where there is no such set.
///
/// # Errors
/// [`crate::Error::Format`] naming a file that is none of credits.
fn emoji_credits(dataset: &Path) -> Result<Vec<Credit>> {
    let Some(drawings) = emoji::credits_of(dataset)? else { return Ok(Vec::new()) };
    let drawings = drawings.into_iter().map(|credit| Credit {
        what: credit.name,
        by: credit.author.name,
        licence: credit.license.title,
        url: Some(credit.author.url),
    });
    let words = emoji::WORDS.into_iter().map(|(what, by, url)| Credit {
        what: what.into(),
        by: by.into(),
        licence: "MIT".into(),
        url: Some(url.into()),
    });
    Ok(drawings.chain(words).collect())
}
