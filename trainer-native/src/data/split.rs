//! What all forms of a dataset come down to.

use std::path::PathBuf;

/// A picture of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// Its id.
    pub id: String,
    /// Its file, which need not exist.
    pub path: PathBuf,
}

/// The pictures and captions of a split; every picture stands there once.
#[derive(Debug, Clone)]
pub struct Split {
    /// `train`, `test`, ...
    pub name: String,
    /// In the order of their first captions.
    pub images: Vec<ImageEntry>,
    /// Trimmed, never empty. In the official layout in the order of the file, elsewhere image by image.
    pub captions: Vec<String>,
    /// For every caption the index of its image.
    pub image_of_caption: Vec<usize>,
    /// For every caption the kind of its wording, where `<split>_kinds.txt` says it.
    pub kinds: Option<Vec<String>>,
}
