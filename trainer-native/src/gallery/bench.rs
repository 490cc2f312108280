//! How a gallery of random embeddings is built and searched: time, and memory that is not
//! backed by files.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use avse_core::gallery::{
    ContentHash, Gallery, GalleryKind, GallerySpec, GalleryWriter, Item, ModelTag, Row,
    StoredPrecision,
};
use avse_core::similarity::{BlockShape, Blocks, normalise};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use crate::{Error, Result};

/// Embeddings made and pushed at a time.
const CHUNK: usize = 8192;
/// How often memory is looked at.
const INTERVAL: Duration = Duration::from_millis(5);
/// Blocks of a caption, as in all published models.
const CAPTION_BLOCKS: usize = 4;

/// What to measure.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// Number of images.
    pub items: usize,
    /// How an embedding is cut.
    pub shape: BlockShape,
    /// How precisely it is kept.
    pub precision: StoredPrecision,
    /// Searches, one sentence each.
    pub queries: usize,
    /// Hits of each.
    pub limit: usize,
    /// Where the gallery is written, in a folder of its own that is removed afterwards.
    pub folder: PathBuf,
}

/// What was measured; memory is the peak of `RssAnon`, Linux only.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Number of images.
    pub items: usize,
    /// How an embedding is cut.
    pub shape: BlockShape,
    /// How precisely it is kept.
    pub precision: StoredPrecision,
    /// Size of the gallery's files.
    pub file_bytes: u64,
    /// Seconds to make the embeddings: no part of a real gallery's time.
    pub generate_s: f64,
    /// Seconds to take them: quantise, write, hash.
    pub push_s: f64,
    /// Seconds to write the gallery, on the disk and in place.
    pub commit_s: f64,
    /// Seconds of the first opening, which hashes all files.
    pub first_open_s: f64,
    /// Seconds of the second.
    pub open_s: f64,
    /// Seconds of the first search.
    pub first_search_s: f64,
    /// Seconds of the fastest search.
    pub search_s: f64,
    /// Searches that found the image they were made from first.
    pub found: usize,
    /// Searches.
    pub queries: usize,
    /// Most anonymous memory while building.
    pub build_anonymous_bytes: Option<u64>,
    /// Most anonymous memory while opening and searching.
    pub search_anonymous_bytes: Option<u64>,
}

/// Builds, opens and searches a gallery of random unit blocks.
///
/// # Errors
/// [`Error::Io`] when there is no room; [`Error::Usage`] when nothing is to be measured.
pub fn bench(options: &BenchOptions) -> Result<BenchReport> {
    if options.items == 0 || options.queries == 0 {
        return Err(Error::Usage("at least one item and one query are needed".into()));
    }
    let root = tempfile::Builder::new().prefix("avse-bench-").tempdir_in(&options.folder);
    let root = root.map_err(|e| Error::io(&options.folder, e))?;
    let folder = root.path().join("gallery");
    let memory = Peak::watch();
    let (generate_s, push_s, commit_s) = build(options, &folder)?;
    let build_anonymous_bytes = memory.stop();

    let memory = Peak::watch();
    let (_, first_open_s) = timed(|| Gallery::open(&folder))?;
    let (gallery, open_s) = timed(|| Gallery::open(&folder))?;
    let (mut times, mut found) = (Vec::new(), 0);
    for query in 0..options.queries {
        let wanted = query * options.items / options.queries;
        let values = query_for(options, wanted)?;
        let blocks = BlockShape { blocks: values.len() / options.shape.width, ..options.shape };
        let blocks = Blocks::new(&values, blocks)?;
        let (hits, seconds) =
            timed(|| gallery.search(GalleryKind::Captions, blocks, options.limit))?;
        found += usize::from(hits[0].first().is_some_and(|hit| hit.index == wanted));
        times.push(seconds);
    }
    Ok(BenchReport {
        items: options.items,
        shape: options.shape,
        precision: options.precision,
        file_bytes: gallery.files().values().map(|file| file.bytes).sum(),
        generate_s,
        push_s,
        commit_s,
        first_open_s,
        open_s,
        first_search_s: times[0],
        search_s: times.iter().copied().fold(f64::INFINITY, f64::min),
        found,
        queries: options.queries,
        build_anonymous_bytes,
        search_anonymous_bytes: memory.stop(),
    })
}

fn timed<T>(work: impl FnOnce() -> avse_core::Result<T>) -> Result<(T, f64)> {
    let began = Instant::now();
    let done = work()?;
    Ok((done, began.elapsed().as_secs_f64()))
}

fn build(options: &BenchOptions, folder: &std::path::Path) -> Result<(f64, f64, f64)> {
    let spec = GallerySpec {
        kind: GalleryKind::Images,
        shape: options.shape,
        precision: options.precision,
        model: ModelTag { fingerprint: "random".into(), path: None },
    };
    let mut writer = GalleryWriter::open(folder, spec, false)?;
    let (mut generate_s, mut push_s) = (0.0, 0.0);
    for first in (0..options.items).step_by(CHUNK) {
        let began = Instant::now();
        let count = CHUNK.min(options.items - first);
        let mut values = vec![0f32; count * options.shape.size()];
        values
            .par_chunks_mut(options.shape.size())
            .enumerate()
            .try_for_each(|(row, values)| embedding(first + row, options.shape, values))?;
        let contents: Vec<ContentHash> = (first..first + count).map(content).collect();
        generate_s += began.elapsed().as_secs_f64();
        let began = Instant::now();
        writer.push(Blocks::new(&values, options.shape)?, &contents)?;
        push_s += began.elapsed().as_secs_f64();
    }
    let began = Instant::now();
    writer.commit(
        Vec::new(),
        (0..options.items).map(|row| {
            let key = format!("folder-{:04}/picture-{row:09}.jpg", row / 1000);
            let path = Some(key.clone());
            let (bytes, modified) = (Some(123_456), Some(1_700_000_000_000_000_000));
            let sha256 = content(row);
            Ok((Row::Added(row), Item { key, path, bytes, modified, sha256, ..Item::default() }))
        }),
    )?;
    Ok((generate_s, push_s, began.elapsed().as_secs_f64()))
}

fn content(row: usize) -> ContentHash {
    ContentHash::of(&row.to_le_bytes())
}

/// Random unit blocks, always the same for the same row.
fn embedding(row: usize, shape: BlockShape, values: &mut [f32]) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(row as u64);
    values.iter_mut().for_each(|value| *value = random.random_range(-1.0..1.0));
    Ok(normalise(values, shape)?)
}

/// A sentence that is nearer to an image than to all others: some of its blocks with noise.
fn query_for(options: &BenchOptions, row: usize) -> Result<Vec<f32>> {
    let shape = options.shape;
    let mut image = vec![0f32; shape.size()];
    embedding(row, shape, &mut image)?;
    let mut query = image[..CAPTION_BLOCKS.min(shape.blocks) * shape.width].to_vec();
    let mut random = ChaCha8Rng::seed_from_u64(u64::MAX - row as u64);
    let noise = 1.0 / (shape.width as f32).sqrt();
    query.iter_mut().for_each(|value| *value += random.random_range(-noise..noise));
    let blocks = query.len() / shape.width;
    normalise(&mut query, BlockShape { blocks, ..shape })?;
    Ok(query)
}

/// Watches anonymous memory from a thread of its own.
struct Peak {
    most: std::sync::Arc<(AtomicU64, AtomicBool)>,
    thread: std::thread::JoinHandle<()>,
}

impl Peak {
    fn watch() -> Self {
        let most = std::sync::Arc::new((AtomicU64::new(0), AtomicBool::new(false)));
        let shared = most.clone();
        let thread = std::thread::spawn(move || {
            while !shared.1.load(Ordering::Relaxed) {
                shared.0.fetch_max(anonymous_bytes().unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(INTERVAL);
            }
        });
        Self { most, thread }
    }

    /// The most that was seen; `None` where the system does not say.
    fn stop(self) -> Option<u64> {
        self.most.1.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        Some(self.most.0.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}

/// `RssAnon` of this process.
fn anonymous_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BlockShape { blocks, width } = self.shape;
        let memory = |bytes: Option<u64>| match bytes {
            Some(bytes) => format!("{:.0} MiB anonymous", bytes as f64 / f64::from(1 << 20)),
            None => "anonymous memory unknown".into(),
        };
        let size = self.file_bytes as f64 / 1e9;
        writeln!(
            f,
            "{} images of {blocks} x {width}, {}, {size:.2} GB",
            self.items, self.precision
        )?;
        writeln!(
            f,
            "build   push {:.1} s, commit {:.1} s (random numbers {:.1} s), {}",
            self.push_s,
            self.commit_s,
            self.generate_s,
            memory(self.build_anonymous_bytes)
        )?;
        writeln!(f, "open    first {:.3} s, then {:.3} s", self.first_open_s, self.open_s)?;
        writeln!(
            f,
            "search  first {:.1} ms, fastest {:.1} ms, {}",
            self.first_search_s * 1e3,
            self.search_s * 1e3,
            memory(self.search_anonymous_bytes)
        )?;
        writeln!(f, "found   {} of {} first", self.found, self.queries)
    }
}
