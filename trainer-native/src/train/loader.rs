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

use super::picture_cache::PictureCache;
use super::{Start, TrainConfig};
use crate::data::{Split, picture};
use crate::reading::Skipped;
use crate::terminal::note;
use crate::{Error, Result};

/// The list of the training pictures that are left out, in the run's folder.
const SKIPPED: &str = "skipped.jsonl";
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
    /// What is told of pictures that cannot be read.
    pub skipped: Skipped,
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
        let reading = config.reading();
        let cache = |folder| PictureCache::new(folder, reading.limits.clone());
        let total = start.train.images.len() + start.broken[0].len();
        let list = config.logger_name.join(SKIPPED);
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
            cache: config.cache.clone().map(cache),
            skipped: Skipped::new(&reading, (total, "training pictures"), list),
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
        note!(
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

    /// Whether there is a picture with this id that cannot be read.
    pub fn is_unreadable(&self, id: &str) -> bool {
        let limits = &self.skipped.policy().limits;
        let found = self.split.images.iter().find(|image| image.id == id);
        found.is_some_and(|image| picture::decode(&image.path, limits).is_err())
    }

    fn read_image(&self, index: usize) -> Result<RgbImage> {
        match &self.cache {
            Some(cache) => cache.read(&self.split.images[index].path),
            None => picture::decode(&self.split.images[index].path, &self.skipped.policy().limits),
        }
    }

    /// The caption at a place of an epoch's order, with its picture. Where that cannot be read and may be left out,
    /// the first caption whose picture can, from half an epoch further on: the same in every run, on any number of
    /// threads, and as far from its own place as the epoch allows.
    fn sample(&self, order: &[usize], at: usize) -> Result<(usize, RgbImage)> {
        let half = order.len() / 2;
        let further = (0..order.len()).map(|next| (at + half + next) % order.len());
        for place in std::iter::once(at).chain(further) {
            let caption = order[place];
            let image = self.split.image_of_caption[caption];
            match self.read_image(image) {
                Ok(picture) => return Ok((caption, picture)),
                Err(error) => self.skipped.add(&self.split.images[image].id, &error.to_string())?,
            }
        }
        Err(Error::Usage("no training picture can be read".into()))
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
        for at in start..start + self.batch_size {
            let mut rng = self.rng(epoch, at as u64);
            let (caption, image) = self.sample(order, at)?;
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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use avse_core::image::pixels::DecodeLimits;

    use super::*;
    use crate::data::ImageEntry;
    use crate::reading::{OnError, ReadPolicy};

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
        let policy = ReadPolicy::new(OnError::Skip);
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
            cache: cache.map(|folder| PictureCache::new(folder, DecodeLimits::default())),
            skipped: Skipped::new(&policy, (3, "training pictures"), folder.join("skipped.jsonl")),
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

    /// Two pictures and one that is none: whichever it is, every batch is whole and the same again.
    #[test]
    fn a_broken_picture_has_the_same_substitute_every_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        image::RgbImage::from_pixel(9, 7, image::Rgb([200, 3, 4]))
            .save(path.join("a.jpg"))
            .unwrap();
        image::RgbImage::from_pixel(8, 8, image::Rgb([3, 200, 4]))
            .save(path.join("b.png"))
            .unwrap();
        std::fs::write(path.join("c.png"), "no picture").unwrap();
        let broken = preparation(path, None);
        let found = batches(&broken, 1);
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|(pixels, tokens)| {
            pixels.len() == 4 * 3 * 16 * 16 && tokens.lengths.len() == 4
        }));
        assert_eq!(broken.skipped.count(), 1, "one picture, however often it is asked for");
        assert!(batches(&preparation(path, None), 3) == found, "threads matter");
        // From the second batch on, as a run that goes on.
        let again = preparation(path, None);
        let mut loader = EpochLoader::start(&again, 1, Shard { rank: 0, world: 1 }, 1, 2);
        let batch = loader.next_batch().unwrap().unwrap();
        assert!((batch.pixels, batch.tokens) == found[3], "the way there matters");
        // The other samples are what they are beside a sound picture.
        image::RgbImage::from_pixel(8, 8, image::Rgb([3, 4, 200]))
            .save(path.join("c.png"))
            .unwrap();
        let sound = batches(&preparation(path, None), 1);
        let order = broken.order(0);
        for (at, caption) in order.into_iter().enumerate() {
            let sample = |all: &[(Vec<f32>, TokenBatch)]| {
                all[at / 4].0[at % 4 * 3 * 256..][..3 * 256].to_vec()
            };
            let is_broken = broken.split.image_of_caption[caption] == 2;
            assert_eq!(sample(&found) != sample(&sound), is_broken, "{at}");
        }
    }
}
