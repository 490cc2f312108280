//! What is exported, from where and how.

use std::path::PathBuf;

use avse_core::gallery::StoredPrecision;
use avse_core::weights::{Precision, Towers};
use burn::tensor::Device;

use crate::data::DatasetSpec;
use crate::reading::ReadPolicy;

/// The folders of an export; a gallery's name is that of its folder.
pub(super) const MODEL: &str = "model";
pub(super) const PICTURES: &str = "pictures";
pub(super) const CAPTIONS: &str = "captions";

/// Where the pictures come from.
#[derive(Clone, Debug)]
pub enum PictureSource {
    /// Emoji-1K, made if it is not there.
    Emoji,
    /// All pictures below a folder.
    Folder(PathBuf),
    /// A split of a dataset, its test split if none is named.
    Dataset {
        /// Which, and where.
        spec: DatasetSpec,
        /// The split.
        split: Option<String>,
    },
    /// A gallery. Its embeddings are kept if a picture of it cannot be reached, or none need be
    /// encoded by the page.
    Gallery(PathBuf),
}

/// Where the captions come from.
#[derive(Clone, Debug)]
pub enum CaptionSource {
    /// From nowhere: there will be no such gallery.
    None,
    /// From the dataset of the pictures.
    Dataset,
    /// From a text file, one a line.
    File(PathBuf),
    /// From a gallery of captions; they are encoded anew.
    Gallery(PathBuf),
}

/// What to export.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// The folder that is written or replaced.
    pub out: PathBuf,
    /// The bundle; without one, that of the gallery, or the demo's.
    pub model: Option<PathBuf>,
    /// How precisely its weights are written.
    pub precision: Precision,
    /// The towers that are written.
    pub towers: Towers,
    /// What is to be found.
    pub pictures: PictureSource,
    /// What is to be found by pictures.
    pub captions: CaptionSource,
    /// How precisely embeddings are stored.
    pub gallery_precision: StoredPrecision,
    /// Longer side of a thumbnail in pixels; 0 for none.
    pub thumbnails: u32,
    /// What the model knows, in words.
    pub domain: Option<String>,
    /// A file of credits; without one, those of the emoji set where that is exported.
    pub credits: Option<PathBuf>,
    /// Where the models run.
    pub device: Device,
    /// Show no progress.
    pub quiet: bool,
    /// How pictures are read.
    pub reading: ReadPolicy,
}
