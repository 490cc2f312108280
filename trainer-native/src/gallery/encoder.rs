//! Pictures and sentences to unit blocks, many at a time.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use avse_core::Avse;
use avse_core::gallery::{ContentHash, GalleryKind};
use avse_core::image::pixels::{DecodeLimits, RgbImage};
use avse_core::similarity::Blocks;
use indicatif::ProgressBar;
use rayon::prelude::*;

use crate::Result;
use crate::data::picture;
use crate::evaluate::host_blocks;

/// Pictures encoded together.
const PICTURES: usize = 32;
/// Sentences encoded together.
const SENTENCES: usize = 128;
/// Sentences sorted by length together, so that batches need little padding.
const SORTED: usize = 32 * SENTENCES;
/// Longest file that is read.
const MAX_FILE: u64 = 512 << 20;

/// What was found out about a picture.
pub(crate) enum Seen {
    /// It can be encoded, or has been.
    Content(ContentHash),
    /// It is left out.
    Unreadable(Unreadable),
}

/// Is told which picture cannot be read, by its place, and why; an error ends the work.
pub(crate) type Broken<'a> = dyn FnMut(usize, &str) -> Result<()> + 'a;

/// Takes the embeddings of some contents, in their order.
pub(crate) type Sink<'a> = dyn FnMut(Blocks<'_>, &[ContentHash]) -> Result<()> + 'a;

/// A model at work.
pub(crate) struct Encoder<'a> {
    avse: &'a Avse,
    bar: &'a ProgressBar,
    limits: DecodeLimits,
    /// Contents that need not be encoded; `None` to encode every one, also twice.
    known: Option<&'a (dyn Fn(&ContentHash) -> bool + Sync)>,
}

/// A picture that was looked at.
enum Prepared {
    Input(ContentHash, Vec<f32>),
    Known(ContentHash),
    Unreadable(Unreadable),
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(avse: &'a Avse, bar: &'a ProgressBar, limits: &DecodeLimits) -> Self {
        Self { avse, bar, limits: limits.clone(), known: None }
    }

    /// The same, which passes over what is known and what it has seen before.
    pub(super) fn knowing(self, known: &'a (dyn Fn(&ContentHash) -> bool + Sync)) -> Self {
        Self { known: Some(known), ..self }
    }

    /// Encodes pictures and says for each what came of it.
    ///
    /// # Errors
    /// Those of `sink` and `broken`, and what the device says.
    pub(crate) fn pictures(
        &self,
        paths: &[PathBuf],
        sink: &mut Sink<'_>,
        broken: &mut Broken<'_>,
    ) -> Result<Vec<Seen>> {
        self.avse.expect_image_tower()?;
        let shape = GalleryKind::Images.shape(&self.avse.config);
        let mut seen = Vec::with_capacity(paths.len());
        let mut encoded = HashSet::new();
        std::thread::scope(|scope| {
            // One batch is read and decoded while the one before it is encoded.
            let (send, receive) = sync_channel(1);
            scope.spawn(move || {
                for paths in paths.chunks(PICTURES) {
                    let batch: Vec<_> = paths.par_iter().map(|path| self.prepare(path)).collect();
                    if send.send(batch).is_err() {
                        return;
                    }
                }
            });
            for batch in receive {
                let count = batch.len() as u64;
                let (mut contents, mut inputs) = (Vec::new(), Vec::new());
                for prepared in batch {
                    seen.push(match prepared {
                        Prepared::Unreadable(why) => {
                            broken(seen.len(), &why.reason)?;
                            Seen::Unreadable(why)
                        }
                        Prepared::Known(content) => Seen::Content(content),
                        Prepared::Input(content, input) => {
                            if self.known.is_none() || encoded.insert(content) {
                                contents.push(content);
                                inputs.extend(input);
                            }
                            Seen::Content(content)
                        }
                    });
                }
                if !contents.is_empty() {
                    let embeddings = self.avse.encode_pixels(inputs, contents.len());
                    let values = host_blocks(embeddings, self.avse)?;
                    sink(Blocks::new(&values, shape)?, &contents)?;
                }
                self.bar.inc(count);
            }
            Ok(seen)
        })
    }

    fn prepare(&self, path: &Path) -> Prepared {
        let bytes = match read_picture(path) {
            Ok(bytes) => bytes,
            Err(reason) => return Prepared::Unreadable(reason),
        };
        let content = ContentHash::of(&bytes);
        if self.known.is_some_and(|known| known(&content)) {
            return Prepared::Known(content);
        }
        match RgbImage::decode(&bytes, &self.limits) {
            Ok(image) => Prepared::Input(content, self.avse.preprocess.evaluate(&image)),
            Err(error) => Prepared::Unreadable(Unreadable::broken(error.to_string())),
        }
    }

    /// Encodes sentences; returns how many were longer than the network has positions for.
    pub(crate) fn sentences(&self, texts: &[&str], sink: &mut Sink<'_>) -> Result<usize> {
        let shape = GalleryKind::Captions.shape(&self.avse.config);
        let mut truncated = 0;
        for texts in texts.chunks(SORTED) {
            let tokens: Vec<Vec<u32>> =
                texts.par_iter().map(|text| self.avse.tokenizer.encode(text)).collect();
            let mut order: Vec<usize> = (0..texts.len()).collect();
            order.sort_by_key(|at| tokens[*at].len());
            let mut values = vec![0f32; texts.len() * shape.size()];
            for batch in order.chunks(SENTENCES) {
                let ids = batch.iter().map(|at| tokens[*at].clone()).collect();
                let padded = self.avse.tokenizer.pad(ids, self.avse.max_tokens());
                truncated += padded.truncated;
                let blocks = host_blocks(self.avse.encode_tokens(&padded), self.avse)?;
                for (at, block) in batch.iter().zip(blocks.chunks(shape.size())) {
                    values[at * shape.size()..][..shape.size()].copy_from_slice(block);
                }
                self.bar.inc(batch.len() as u64);
            }
            let contents: Vec<_> =
                texts.iter().map(|text| ContentHash::of(text.as_bytes())).collect();
            sink(Blocks::new(&values, shape)?, &contents)?;
        }
        Ok(truncated)
    }
}

/// Why there is nothing to encode.
pub(crate) struct Unreadable {
    /// In words.
    pub(crate) reason: String,
    /// Whether the file could not be read: nothing is known of it then, not even that it is gone, since it was there
    /// a moment ago and its disk may be away.
    pub(crate) unseen: bool,
}

impl Unreadable {
    fn broken(reason: String) -> Self {
        Self { reason, unseen: false }
    }
}

impl From<std::io::Error> for Unreadable {
    fn from(error: std::io::Error) -> Self {
        Self { reason: error.to_string(), unseen: true }
    }
}

/// A picture's file, unless it is far too long for one.
pub(crate) fn read_picture(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let length = picture::stat(path)?.bytes;
    if length > MAX_FILE {
        return Err(Unreadable::broken(format!("{length} bytes are more than {MAX_FILE}")));
    }
    Ok(picture::read(path)?)
}
