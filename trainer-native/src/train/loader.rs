//! Batches of training data, prepared ahead by worker threads.
//!
//! Every random draw of a sample is seeded by (run, epoch, position), so a batch does
//! not depend on which thread made it or when.

use std::sync::Arc;
use std::thread::JoinHandle;

use avse_core::image::ImageTower;
use avse_core::image::augmentation::ImageAugmentation;
use avse_core::image::pixels::{Preprocess, RgbImage};
use avse_core::image::sampling::{Grid, RadialBiasSampling, ViewPlan};
use avse_core::text::augmentation::CaptionAugmentation;
use avse_core::text::tokenizer::{CaptionTokenizer, TokenBatch};
use crossbeam_channel::{Receiver, bounded};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::picture_cache::{PictureCache, decode};
use super::{Start, TrainConfig};
use crate::data::Split;
use crate::{Error, Result};

/// Batches that each worker may have ready before it waits.
const READY_PER_WORKER: usize = 2;

/// What turns samples of a split into network inputs.
pub struct Preparation {
    /// The training split.
    pub split: Split,
    /// Captions to ids.
    pub tokenizer: CaptionTokenizer,
    /// Longest caption in tokens.
    pub max_tokens: usize,
    /// Images to pixels.
    pub preprocess: Preprocess,
    /// Image augmentation.
    pub image_augmentation: ImageAugmentation,
    /// Caption augmentation, if any.
    pub caption_augmentation: Option<CaptionAugmentation>,
    /// View sampling.
    pub sampling: RadialBiasSampling,
    /// Token grid of the network.
    pub grid: Grid,
    /// Captions a batch.
    pub batch_size: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Where decoded pictures are kept, if anywhere.
    pub cache: Option<PictureCache>,
}

/// One training batch on the host.
pub struct Batch {
    /// `[B, 3, R, R]`.
    pub pixels: Vec<f32>,
    /// Padded captions.
    pub tokens: TokenBatch,
    /// Which patches the views keep.
    pub plan: ViewPlan,
}

/// Which of the replicas a loader is for. Step k takes the batches `k * world` to `k * world +
/// world - 1` of the epoch's order, one for each rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The replica's number.
    pub rank: usize,
    /// Number of replicas.
    pub world: usize,
}

/// The batches of one epoch, in order.
pub struct EpochLoader {
    channels: Vec<Receiver<Result<Batch>>>,
    workers: Vec<JoinHandle<()>>,
    next: usize,
    batches: usize,
}

impl Preparation {
    /// What turns the training split into batches.
    pub fn new(config: &TrainConfig, start: &Start) -> Self {
        Self {
            grid: ImageTower::grid(&start.model_config),
            preprocess: Preprocess::new(start.model_config.image_size),
            tokenizer: start.tokenizer.clone(),
            max_tokens: start.model_config.text.max_position_embeddings,
            image_augmentation: config.image_augmentation.clone(),
            caption_augmentation: config.caption_augmentation.clone(),
            sampling: start.model_config.sampling.clone(),
            batch_size: config.batch_size,
            seed: config.seed,
            cache: config.cache.clone().map(PictureCache::new),
            split: start.train.clone(),
        }
    }

    /// Makes the cache ready, if there is one, and says what it will take.
    ///
    /// # Errors
    /// [`Error::Io`] when its folder cannot be made.
    pub fn prepare_cache(&self) -> Result<()> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let size = cache.prepare(&self.split)?;
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        eprintln!(
            "cache: {:.2} GB on disk for {} decoded pictures; {} of them ({:.2} GB) are there",
            gigabytes(size.bytes),
            size.pictures,
            size.present,
            gigabytes(size.present_bytes),
        );
        Ok(())
    }

    /// Batches of every replica in one epoch; what does not fill one for each is dropped.
    pub fn batches_per_epoch(&self, world: usize) -> usize {
        self.split.captions.len() / (self.batch_size * world.max(1))
    }

    /// The captions of an epoch in their shuffled order.
    fn order(&self, epoch: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.split.captions.len()).collect();
        let mut rng = self.rng(epoch, u64::MAX);
        for at in (1..order.len()).rev() {
            order.swap(at, rng.random_range(0..=at));
        }
        order
    }

    fn read_image(&self, index: usize) -> Result<RgbImage> {
        match &self.cache {
            Some(cache) => cache.read(&self.split.images[index].path),
            None => self.split.read_image(index),
        }
    }

    fn rng(&self, epoch: usize, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ (epoch as u64).rotate_left(32));
        rng.set_stream(stream);
        rng
    }

    /// Prepares the captions at `order[start..start + batch_size]`.
    fn batch(&self, epoch: usize, start: usize, order: &[usize]) -> Result<Batch> {
        let sample = 3 * self.preprocess.resolution * self.preprocess.resolution;
        let mut pixels = Vec::with_capacity(self.batch_size * sample);
        let mut captions = Vec::with_capacity(self.batch_size);
        for (at, &caption) in order.iter().enumerate().skip(start).take(self.batch_size) {
            let mut rng = self.rng(epoch, at as u64);
            let image = self.read_image(self.split.image_of_caption[caption])?;
            pixels.extend(self.image_augmentation.train(&self.preprocess, &image, &mut rng));
            let text = &self.split.captions[caption];
            captions.push(match &self.caption_augmentation {
                Some(augmentation) => augmentation.encode(&self.tokenizer, text, &mut rng),
                None => self.tokenizer.encode(text),
            });
        }
        let mut rng = self.rng(epoch, start as u64 | 1 << 63);
        let plan = self.sampling.random_plan(self.grid, self.batch_size, &mut rng);
        Ok(Batch { pixels, tokens: self.tokenizer.pad(captions, self.max_tokens), plan })
    }
}

impl EpochLoader {
    /// Starts `workers` threads on a shard's batches of `epoch`, from number `from` on.
    pub fn start(
        preparation: &Arc<Preparation>,
        epoch: usize,
        shard: Shard,
        from: usize,
        workers: usize,
    ) -> Self {
        let order = Arc::new(preparation.order(epoch));
        let batches = preparation.batches_per_epoch(shard.world).saturating_sub(from);
        let mut channels = Vec::new();
        let mut handles = Vec::new();
        for worker in 0..workers.max(1) {
            let (sender, receiver) = bounded(READY_PER_WORKER);
            let (preparation, order) = (preparation.clone(), order.clone());
            handles.push(std::thread::spawn(move || {
                for batch in (worker..batches).step_by(workers.max(1)) {
                    let number = (from + batch) * shard.world + shard.rank;
                    let start = number * preparation.batch_size;
                    let prepared = preparation.batch(epoch, start, &order);
                    let failed = prepared.is_err();
                    // The receiver is gone when the epoch was left early.
                    if sender.send(prepared).is_err() || failed {
                        return;
                    }
                }
            }));
            channels.push(receiver);
        }
        Self { channels, workers: handles, next: 0, batches }
    }

    /// The next batch, or `None` at the end of the epoch.
    pub fn next_batch(&mut self) -> Option<Result<Batch>> {
        if self.next == self.batches {
            return None;
        }
        let channel = &self.channels[self.next % self.channels.len()];
        self.next += 1;
        let batch = channel.recv();
        Some(batch.unwrap_or_else(|_| Err(Error::Usage("a loader thread ended early".into()))))
    }
}

impl Drop for EpochLoader {
    fn drop(&mut self) {
        self.channels.clear();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

impl Split {
    /// Decodes image `index`.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] naming the file.
    pub fn read_image(&self, index: usize) -> Result<RgbImage> {
        decode(&self.images[index].path)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::data::ImageEntry;

    fn preparation(folder: &Path, cache: Option<PathBuf>) -> Arc<Preparation> {
        let images: Vec<ImageEntry> = ["a.jpg", "b.png", "c.png"]
            .into_iter()
            .map(|name| ImageEntry { id: name.into(), path: folder.join(name) })
            .collect();
        let split = Split {
            name: "train".into(),
            captions: (0..8).map(|number| format!("picture {number}")).collect(),
            image_of_caption: vec![0, 0, 0, 1, 2, 2, 2, 2],
            images,
            kinds: None,
        };
        let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\npicture";
        Arc::new(Preparation {
            split,
            tokenizer: CaptionTokenizer::from_vocab(vocabulary).unwrap(),
            max_tokens: 8,
            preprocess: Preprocess::new(16),
            // Transparency plays a part too.
            image_augmentation: ImageAugmentation { background: 0.5, ..Default::default() },
            caption_augmentation: Some(CaptionAugmentation::default()),
            sampling: RadialBiasSampling::default(),
            grid: Grid { side: 4, class_token: true },
            batch_size: 4,
            seed: 3,
            cache: cache.map(PictureCache::new),
        })
    }

    /// Every batch of two epochs.
    fn batches(preparation: &Arc<Preparation>, workers: usize) -> Vec<(Vec<f32>, TokenBatch)> {
        let mut all = Vec::new();
        for epoch in 0..2 {
            let shard = Shard { rank: 0, world: 1 };
            let mut loader = EpochLoader::start(preparation, epoch, shard, 0, workers);
            while let Some(batch) = loader.next_batch() {
                let batch = batch.unwrap();
                all.push((batch.pixels, batch.tokens));
            }
        }
        all
    }

    #[test]
    fn the_cache_gives_the_same_batches_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let (path, shade) = (folder.path(), |x: u32, y: u32| (x * 37 + y * 11) as u8);
        image::RgbImage::from_fn(31, 22, |x, y| image::Rgb([shade(x, y), x as u8, y as u8]))
            .save(path.join("a.jpg"))
            .unwrap();
        image::RgbImage::from_fn(17, 40, |x, y| image::Rgb([x as u8, shade(x, y), 9]))
            .save(path.join("b.png"))
            .unwrap();
        image::RgbaImage::from_fn(20, 20, |x, y| image::Rgba([x as u8, 80, 9, shade(x, y)]))
            .save(path.join("c.png"))
            .unwrap();
        let plain = batches(&preparation(path, None), 1);
        assert_eq!(plain.len(), 4);
        let cached = preparation(path, Some(path.join("cache")));
        // Filled by several threads, then read, then with one file cut short.
        assert!(batches(&cached, 3) == plain);
        assert!(batches(&cached, 2) == plain);
        let files = walkdir::WalkDir::new(path.join("cache")).into_iter().flatten();
        let files: Vec<_> = files.filter(|entry| entry.file_type().is_file()).collect();
        assert_eq!(files.len(), 3);
        std::fs::File::options().write(true).open(files[0].path()).unwrap().set_len(50).unwrap();
        assert!(batches(&cached, 1) == plain);
    }
}
