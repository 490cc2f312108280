//! Asking a gallery with a sentence or a picture.

use std::path::{Path, PathBuf};
use std::time::Instant;

use avse_core::gallery::{Found, Gallery, GalleryKind};
use avse_core::image::pixels::{DecodeLimits, RgbImage};
use avse_core::input::shown_path;
use avse_core::similarity::Blocks;
use burn::tensor::Device;
use serde::Serialize;

use super::bundle::ChosenBundle;
use super::encoder::read_picture;
use crate::evaluate::host_blocks;
use crate::files::shell_word;
use crate::{Error, Result};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// A sentence.
    Text(String),
    /// A picture's file.
    Image(PathBuf),
}

/// What to ask, and where.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// The gallery's folder.
    pub folder: PathBuf,
    /// The bundle; without one, that of the gallery.
    pub model: Option<PathBuf>,
    /// The question.
    pub asked: Asked,
    /// Hits at most.
    pub limit: usize,
    /// What a picture's file may ask for.
    pub decode: DecodeLimits,
    /// Where the model runs.
    pub device: Device,
}

/// What was found.
#[derive(Debug)]
pub struct Answer {
    /// The gallery that was asked.
    pub gallery: Gallery,
    /// Best first.
    pub hits: Vec<Found>,
    /// Whether the question was cut to the network's positions.
    pub truncated: bool,
    /// How long it took.
    pub seconds: Seconds,
}

/// Wall times.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seconds {
    /// Opening and verifying the gallery.
    pub open: f64,
    /// Loading the model.
    pub load: f64,
    /// Encoding the question.
    pub encode: f64,
    /// The search itself.
    pub search: f64,
}

/// Answers a question.
///
/// # Errors
/// Whatever is wrong with gallery, bundle or picture; a bundle that did not build the
/// gallery.
pub fn search(options: &SearchOptions) -> Result<Answer> {
    let mut clock = Clock::start();
    let gallery = open(&options.folder)?;
    let open = clock.lap();
    let tag = &gallery.spec().model;
    let bundle = ChosenBundle::choose(options.model.as_deref(), Some(tag))?;
    gallery.expect_model(&bundle.fingerprint)?;
    let avse = bundle.load(&options.device)?;
    let load = clock.lap();
    let (kind, embedding, truncated) = match &options.asked {
        Asked::Text(text) => {
            let tokens = avse.tokenizer.encode_batch(&[text], avse.max_tokens());
            (GalleryKind::Captions, avse.encode_tokens(&tokens), tokens.truncated > 0)
        }
        Asked::Image(path) => {
            avse.expect_image_tower().map_err(|e| Error::format(&bundle.folder, e.to_string()))?;
            let bytes = read_picture(path).map_err(|e| Error::format(path, e.reason))?;
            let image = RgbImage::decode(&bytes, &options.decode)
                .map_err(|e| Error::format(path, e.to_string()))?;
            (GalleryKind::Images, avse.encode_images(&[image]), false)
        }
    };
    let shape = kind.shape(&avse.config);
    let values = host_blocks(embedding, &avse)?;
    let encode = clock.lap();
    let hits = gallery.search(kind, Blocks::new(&values, shape)?, options.limit)?;
    let seconds = Seconds { open, load, encode, search: clock.lap() };
    let hits = hits.into_iter().next().unwrap_or_default();
    Ok(Answer { gallery, hits, truncated, seconds })
}

/// Opens a gallery that is to be asked.
///
/// # Errors
/// As [`Gallery::open`]; [`Error::Usage`] that says how to make one, where there is none.
pub fn open(folder: &Path) -> Result<Gallery> {
    if !folder.join("manifest.json").exists() {
        let place = shell_word(folder);
        return Err(Error::Usage(format!(
            "{}: there is no gallery (no manifest.json): make one first, of a folder of pictures for example: `avse index build ~/Pictures \
             --gallery {place}`",
            shown_path(folder)
        )));
    }
    Ok(Gallery::open(folder)?)
}

struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the last call.
    fn lap(&mut self) -> f64 {
        let seconds = self.0.elapsed().as_secs_f64();
        self.0 = Instant::now();
        seconds
    }
}
