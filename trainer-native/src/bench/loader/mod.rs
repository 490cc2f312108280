//! The training loader on this machine: pictures from JPEG files to normalised crops, beside a peer
//! that does the same to the same files in the same run.

mod photos;
mod rows;

use std::path::{Path, PathBuf};
use std::time::Instant;

use avse_core::image::augmentation::ImageAugmentation;
use avse_core::image::pixels::{DecodeLimits, Preprocess, RgbImage};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use walkdir::WalkDir;

use super::Summary;
use super::similarity::{PeerCommand, Peers, Row};
use crate::data::{ImageEntry, Split, picture};
use crate::machine::Machine;
use crate::terminal::note;
use crate::{Error, Result};

pub use photos::write as write_photos;
pub use rows::table;

/// Photographs that are made up.
const PHOTOS: usize = 64;
/// Samples of a batch.
const BATCH: usize = 32;
/// Values that ours and the peer must agree on, a channel.
const CHECKED: usize = 64;
/// OpenCV rounds the resized bytes: half a level of 255 on the normalised scale, twice over.
const AGREEMENT: f64 = 0.02;

/// What to measure.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// A folder of JPEG files; without one, photographs are made up.
    pub images: Option<PathBuf>,
    /// Numbers of worker threads, each measured.
    pub workers: Vec<usize>,
    /// Side of the crops in pixels.
    pub side: usize,
    /// Images of a timed run.
    pub count: usize,
    /// Timed runs, after one that warms up.
    pub repetitions: usize,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct LoaderFindings {
    /// Where.
    pub machine: Machine,
    /// Seconds per 1,000 images, one row a number of workers.
    pub rows: Vec<Row>,
    /// Images a second and worker in each row.
    pub per_worker: Vec<f64>,
    /// Number of files and their mean length in bytes.
    pub files: (usize, u64),
    /// Versions of the peer.
    pub versions: Option<serde_json::Value>,
}

/// Measures, ours and the peer (with one worker) in turn.
///
/// # Errors
/// A folder without JPEG files, a file that cannot be decoded, a peer that fails or finds other
/// pixels.
pub fn run(options: &LoaderOptions, peers: Option<PeerCommand<'_>>) -> Result<LoaderFindings> {
    let made = tempfile::tempdir().map_err(|e| Error::io(std::env::temp_dir(), e))?;
    let folder = match &options.images {
        Some(folder) => folder.as_path(),
        None => {
            write_photos(made.path(), PHOTOS)?;
            made.path()
        }
    };
    let split = pictures(folder)?;
    let mut peers = peers.map(|command| Peers::start(command, folder)).transpose()?;
    if let Some(peers) = &mut peers {
        agree(&split, options.side, peers)?;
    }
    let machine = Machine::here();
    let (mut rows, mut per_worker) = (Vec::new(), Vec::new());
    for &workers in &options.workers {
        let row = measure(options, &split, workers, peers.as_mut().filter(|_| workers == 1))?;
        per_worker.push(1000.0 / row.ours_s / workers as f64);
        rows.push(row);
    }
    let lengths = split.images.iter().filter_map(|image| image.path.metadata().ok());
    let bytes: u64 = lengths.map(|found| found.len()).sum();
    let files = (split.images.len(), bytes / split.images.len().max(1) as u64);
    let versions = peers.map(|peers| peers.versions().clone());
    Ok(LoaderFindings { machine, rows, per_worker, files, versions })
}

/// The JPEG files of a folder, in the order of their names.
fn pictures(folder: &Path) -> Result<Split> {
    let is_jpeg = |path: &Path| {
        path.extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("jpg") || end.eq_ignore_ascii_case("jpeg"))
    };
    let mut images = Vec::new();
    for entry in WalkDir::new(folder).max_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|e| Error::Usage(format!("--images: {e}")))?;
        if entry.file_type().is_file() && is_jpeg(entry.path()) {
            let id = entry.file_name().to_string_lossy().into_owned();
            images.push(ImageEntry { id, path: entry.into_path() });
        }
    }
    if images.is_empty() {
        return Err(Error::Usage(format!("--images {}: no .jpg file", folder.display())));
    }
    let (captions, image_of_caption) = (Vec::new(), Vec::new());
    Ok(Split { name: "bench".into(), images, captions, image_of_caption, kinds: None })
}

fn read(split: &Split, image: usize) -> Result<RgbImage> {
    picture::decode(&split.images[image].path, &DecodeLimits::default())
}

/// Checks on one whole picture that the peer sees the pixels that we see.
fn agree(split: &Split, side: usize, peers: &mut Peers) -> Result<()> {
    let ours = Preprocess::new(side).evaluate(&read(split, 0)?);
    let plane = side * side;
    let ours: Vec<f64> = (0..3 * CHECKED)
        .map(|at| f64::from(ours[at / CHECKED * plane + at % CHECKED * plane / CHECKED]))
        .collect();
    let theirs = peers.run(&format!("check {side} {CHECKED}"))?.check;
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= AGREEMENT;
    match ours.len() == theirs.len() && ours.iter().zip(&theirs).all(close) {
        true => Ok(()),
        false => Err(Error::Usage("the peer makes other pixels of the first picture".into())),
    }
}

fn measure(
    options: &LoaderOptions,
    split: &Split,
    workers: usize,
    mut peers: Option<&mut Peers>,
) -> Result<Row> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let thousands = options.count as f64 / 1000.0;
    for run in 0..=options.repetitions {
        let seconds = load(options, split, workers, run as u64)? / thousands;
        let mut line =
            format!("{workers} worker(s), run {run} of {}: {seconds:.3} s", options.repetitions);
        let mut peer = None;
        if let Some(peers) = peers.as_deref_mut() {
            let request = format!("load {} {} {run}", options.side, options.count);
            let seconds = peers.run(&request)?.seconds / thousands;
            line += &format!("; OpenCV + NumPy {seconds:.3} s");
            peer = Some(seconds);
        }
        note!("{line} per 1,000 images");
        // The first warms up.
        if run > 0 {
            ours.push(seconds);
            theirs.extend(peer);
        }
    }
    let own = if options.images.is_some() { "own" } else { "640x480" };
    let many = if workers == 1 { String::new() } else { format!("-{workers}-workers") };
    Ok(rows::row(
        format!("loader-jpeg-{own}-{}{many}", options.side),
        &ours,
        (!theirs.is_empty()).then(|| Summary::of(theirs)),
    ))
}

/// Loads `count` images with so many threads and returns the seconds it took.
fn load(options: &LoaderOptions, split: &Split, workers: usize, seed: u64) -> Result<f64> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || work(options, split, worker..options.count, workers, seed))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Error::Usage("a worker ended early".into())))
        })
    })?;
    Ok(start.elapsed().as_secs_f64())
}

/// What a thread of the training loader does to pictures.
fn work(
    options: &LoaderOptions,
    split: &Split,
    range: std::ops::Range<usize>,
    step: usize,
    seed: u64,
) -> Result<()> {
    let augmentation = ImageAugmentation::default();
    let preprocess = Preprocess::new(options.side);
    let sample = 3 * options.side * options.side;
    // One batch for all, as the peer has it.
    let mut batch: Vec<f32> = Vec::with_capacity(BATCH * sample);
    for at in range.step_by(step) {
        if batch.len() == BATCH * sample {
            batch.clear();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(at as u64);
        let image = read(split, at % split.images.len())?;
        batch.extend(augmentation.train(&preprocess, &image, &mut rng));
    }
    std::hint::black_box(&batch);
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn options(images: Option<PathBuf>) -> LoaderOptions {
        LoaderOptions { images, workers: vec![1, 2], side: 32, count: 8, repetitions: 1 }
    }

    #[test]
    fn rows_are_per_thousand_images_and_the_peer_has_one_worker() {
        let found = run(&options(None), None).unwrap();
        assert_eq!((found.rows.len(), found.rows[0].peer_s), (2, None));
        assert_eq!(found.rows[0].work, "loader-jpeg-640x480-32");
        assert_eq!(found.rows[1].work, "loader-jpeg-640x480-32-2-workers");
        // Half of the threads' images each, of one.
        assert!((found.per_worker[1] * 2.0 * found.rows[1].ours_s - 1000.0).abs() < 1e-6);
        // A photograph of 640 x 480 at quality 90.
        assert!((60_000..250_000).contains(&found.files.1), "{} bytes", found.files.1);
    }

    #[test]
    fn a_peer_that_sees_other_pixels_ends_it() {
        let zeros = vec!["0.0"; 3 * CHECKED].join(", ");
        let script = format!(
            r#"echo '{{}}'; while read -r line; do
               echo '{{"seconds": 1, "check": [{zeros}]}}'; done"#
        );
        let command = ["sh", "-c", &script].map(str::to_owned);
        let error = run(&options(None), Some(&command)).unwrap_err().to_string();
        assert!(error.contains("other pixels"), "{error}");
    }

    #[test]
    fn folders_without_pictures_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = run(&options(Some(folder.path().into())), None).unwrap_err().to_string();
        assert!(error.contains("no .jpg file"), "{error}");
        std::fs::write(folder.path().join("a.jpg"), "no picture").unwrap();
        let error = run(&options(Some(folder.path().into())), None).unwrap_err().to_string();
        assert!(error.contains("a.jpg"), "{error}");
    }
}
