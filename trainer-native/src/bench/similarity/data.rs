//! What the engines and their peers are given: the same numbers, from one seed.

use std::path::Path;

use avse_core::similarity::{BlockShape, Blocks, normalise};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::{Error, Result, files};

/// How an image is cut.
pub(super) const IMAGE: BlockShape = BlockShape { blocks: 8, width: 256 };
/// How a caption is cut.
pub(super) const CAPTION: BlockShape = BlockShape { blocks: 4, width: 256 };
/// As in the Flickr30K test.
pub(super) const CAPTIONS_AN_IMAGE: usize = 5;

/// Images of one topic in planted data: these are the hard negatives.
const IMAGES_A_TOPIC: usize = 10;
/// Length of what a caption block has of its own, beside the unit block that it describes.
const CAPTION_NOISE: f32 = 4.0;
/// Embeddings that share a stream of random numbers.
const ROWS_A_STREAM: usize = 512;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Images of the score matrix; each has 5 captions.
    pub images: usize,
    /// Images that one query searches.
    pub gallery: usize,
}

impl Sizes {
    /// The Flickr30K test and 100,000 images.
    pub const PUBLISHED: Self = Self { images: 1000, gallery: 100_000 };
    /// So small that all work takes a moment; the figures mean nothing.
    pub const QUICK: Self = Self { images: 20, gallery: 300 };

    /// Captions of the score matrix.
    pub fn captions(self) -> usize {
        self.images * CAPTIONS_AN_IMAGE
    }
}

/// Unit blocks of every array.
pub(super) struct Data {
    /// Independent of each other: no caption is like its image.
    pub random: Pair,
    /// Captions like their images, images in topics.
    pub planted: Pair,
    /// Independent images to search.
    pub gallery: Vec<f32>,
    /// One independent caption.
    pub query: Vec<f32>,
}

/// Images and their captions, the captions of an image one after another.
pub(super) struct Pair {
    images: Vec<f32>,
    captions: Vec<f32>,
}

impl Pair {
    pub fn images(&self) -> Result<Blocks<'_>> {
        Ok(Blocks::new(&self.images, IMAGE)?)
    }

    pub fn captions(&self) -> Result<Blocks<'_>> {
        Ok(Blocks::new(&self.captions, CAPTION)?)
    }

    pub fn image_of_caption(&self) -> Vec<usize> {
        (0..self.captions.len() / CAPTION.size())
            .map(|caption| caption / CAPTIONS_AN_IMAGE)
            .collect()
    }
}

impl Data {
    pub fn new(sizes: Sizes) -> Result<Self> {
        let random = Pair {
            images: unit(independent(1, sizes.images, IMAGE), IMAGE)?,
            captions: unit(independent(2, sizes.captions(), CAPTION), CAPTION)?,
        };
        Ok(Self {
            random,
            planted: planted(3, sizes.images)?,
            gallery: unit(independent(4, sizes.gallery, IMAGE), IMAGE)?,
            query: unit(independent(5, 1, CAPTION), CAPTION)?,
        })
    }

    /// Writes every array and their shapes to a folder, for a peer.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let arrays = [
            ("random-images", &self.random.images, IMAGE),
            ("random-captions", &self.random.captions, CAPTION),
            ("planted-images", &self.planted.images, IMAGE),
            ("planted-captions", &self.planted.captions, CAPTION),
            ("gallery", &self.gallery, IMAGE),
            ("query", &self.query, CAPTION),
        ];
        let mut shapes = serde_json::Map::new();
        for (name, values, shape) in arrays {
            let path = folder.join(format!("{name}.f32"));
            files::write_atomically_with(&path, |file| {
                values.iter().try_for_each(|value| {
                    file.write_all(&value.to_le_bytes()).map_err(|e| Error::io(&path, e))
                })
            })?;
            let rows = values.len() / shape.size();
            shapes.insert(name.into(), vec![rows, shape.blocks, shape.width].into());
        }
        files::write_atomically(&folder.join("arrays.json"), &files::json(&shapes)?)
    }
}

/// Independent numbers; the same for any number of threads.
fn independent(seed: u64, rows: usize, shape: BlockShape) -> Vec<f32> {
    let mut values = vec![0.0; rows * shape.size()];
    let part = ROWS_A_STREAM * shape.size();
    values.par_chunks_mut(part).enumerate().for_each(|(stream, values)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64);
        values.fill_with(|| rng.random_range(-1.0f32..1.0));
    });
    values
}

fn unit(mut embeddings: Vec<f32>, shape: BlockShape) -> Result<Vec<f32>> {
    let part = ROWS_A_STREAM * shape.size();
    embeddings.par_chunks_mut(part).try_for_each(|part| normalise(part, shape))?;
    Ok(embeddings)
}

/// Images that lean towards one of several topics; each block of a caption describes one
/// block of its image.
fn planted(seed: u64, rows: usize) -> Result<Pair> {
    let topics = rows.div_ceil(IMAGES_A_TOPIC);
    let topics = unit(independent(seed, topics, IMAGE), IMAGE)?;
    let mut images = unit(independent(seed + 100, rows, IMAGE), IMAGE)?;
    for (row, image) in images.chunks_exact_mut(IMAGE.size()).enumerate() {
        let topic = &topics[row / IMAGES_A_TOPIC * IMAGE.size()..][..IMAGE.size()];
        image.iter_mut().zip(topic).for_each(|(value, topic)| *value += topic);
    }
    let images = unit(images, IMAGE)?;

    let mut rng = ChaCha8Rng::seed_from_u64(seed + 200);
    let count = rows * CAPTIONS_AN_IMAGE;
    let mut captions = unit(independent(seed + 300, count, CAPTION), CAPTION)?;
    for (row, block) in captions.chunks_exact_mut(CAPTION.width).enumerate() {
        let image = row / CAPTION.blocks / CAPTIONS_AN_IMAGE;
        let described = image * IMAGE.blocks + rng.random_range(0..IMAGE.blocks);
        let described = &images[described * IMAGE.width..][..IMAGE.width];
        let described = block.iter_mut().zip(described);
        described.for_each(|(value, image)| *value = *value * CAPTION_NOISE + image);
    }
    Ok(Pair { images, captions: unit(captions, CAPTION)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use avse_core::similarity::cpu::ranks_exact;

    #[test]
    fn planted_captions_find_their_images_and_random_ones_do_not() {
        let data = Data::new(Sizes { images: 200, gallery: 1 }).unwrap();
        let first = |pair: &Pair| {
            let (images, captions) = (pair.images().unwrap(), pair.captions().unwrap());
            let ranks = ranks_exact(images, captions, &pair.image_of_caption()).unwrap();
            ranks.evaluate().text_to_image.r1
        };
        let (planted, random) = (first(&data.planted), first(&data.random));
        assert!(planted > 40.0 && planted < 100.0, "{planted}");
        assert!(random < 3.0, "{random}");
    }

    #[test]
    fn arrays_are_written_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::new(Sizes { images: 2, gallery: 3 }).unwrap();
        data.write(folder.path()).unwrap();
        let shapes = std::fs::read_to_string(folder.path().join("arrays.json")).unwrap();
        let shapes: serde_json::Value = serde_json::from_str(&shapes).unwrap();
        assert_eq!(shapes["gallery"], serde_json::json!([3, 8, 256]));
        assert_eq!(shapes["planted-captions"], serde_json::json!([10, 4, 256]));
        let bytes = std::fs::read(folder.path().join("gallery.f32")).unwrap();
        assert_eq!(bytes.len(), 3 * 2048 * 4);
        assert_eq!(bytes[4..8], data.gallery[1].to_le_bytes());
    }
}
