//! Which towers a bundle holds.

use serde::{Deserialize, Serialize};

use super::StateDict;

/// What the official names of the image tower's tensors start with.
const IMAGE: &str = "img_enc.";
/// How manifests call the towers.
const NAMES: [&str; 2] = ["image", "text"];

/// The towers of a bundle; in a manifest a list of names, left out when both are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub enum Towers {
    /// Pictures and sentences can be encoded.
    #[default]
    Both,
    /// Sentences only: enough to search pictures whose embeddings are there.
    Text,
}

impl Towers {
    /// Whether the image tower is among them.
    pub fn has_image(self) -> bool {
        self == Self::Both
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Their tensors alone, of weights under official names.
    pub fn select(self, weights: StateDict) -> StateDict {
        weights.renamed(|name| {
            let wanted = self.has_image() || !name.starts_with(IMAGE);
            wanted.then(|| name.to_string())
        })
    }
}

impl TryFrom<Vec<String>> for Towers {
    type Error = String;

    fn try_from(mut names: Vec<String>) -> Result<Self, String> {
        names.sort();
        if names == NAMES {
            Ok(Self::Both)
        } else if names == NAMES[1..] {
            Ok(Self::Text)
        } else {
            Err(format!("`towers` is {names:?}; this program reads [\"text\"] or both"))
        }
    }
}

impl From<Towers> for Vec<String> {
    fn from(towers: Towers) -> Self {
        let names = if towers.has_image() { &NAMES[..] } else { &NAMES[1..] };
        names.iter().map(|name| name.to_string()).collect()
    }
}
