//! Decoded pictures on disk, so that later epochs need not decode them again.
//!
//! A file holds the decoded pixels and nothing else, so a run with the cache sees the samples of a run
//! without it, bit for bit. Files are named after path, length and age of the picture, and
//! written whole or not at all.

use std::fs::{self, File};
use std::io::{BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use avse_core::image::pixels::{DecodeLimits, RgbImage};
use image::ImageReader;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::data::{Split, picture};
use crate::files::write_atomically_with;
use crate::terminal::note;
use crate::{Error, Result, progress};

/// Changes whenever the same picture may be decoded to other pixels, or be kept in another form.
const MAGIC: [u8; 8] = *b"avsergb2";
/// Magic, width, height, and whether opacity follows the colours.
const HEADER: usize = 8 + 3 * 4;
/// Files that are being written are called so; older ones were left by a process that was killed.
const TEMPORARY: &str = ".tmp";
const ABANDONED: Duration = Duration::from_secs(3600);

/// A folder of decoded pictures.
#[derive(Debug)]
pub struct PictureCache {
    folder: PathBuf,
    limits: DecodeLimits,
    /// Off after a file could not be written: a full disk should not end a run.
    writing: AtomicBool,
}

/// What a cache holds and will hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheSize {
    /// Pictures.
    pub pictures: usize,
    /// Those that are there.
    pub present: usize,
    /// Bytes when all are there.
    pub bytes: u64,
    /// Bytes of those that are there.
    pub present_bytes: u64,
}

impl PictureCache {
    /// The cache in `folder`, which need not be there yet, of pictures decoded within `limits`.
    pub fn new(folder: PathBuf, limits: DecodeLimits) -> Self {
        Self { folder, limits, writing: AtomicBool::new(true) }
    }

    /// Makes the folder, removes what killed processes left half written, and says how large the
    /// cache of a split will be.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be made.
    pub fn prepare(&self, split: &Split) -> Result<CacheSize> {
        fs::create_dir_all(&self.folder).map_err(|e| Error::io(&self.folder, e))?;
        self.remove_abandoned();
        let bar = progress::bar(split.images.len() as u64, "cache");
        let size = split
            .images
            .par_iter()
            .map(|image| {
                bar.inc(1);
                self.size_of(&image.path)
            })
            .reduce(CacheSize::default, CacheSize::plus);
        bar.finish_and_clear();
        Ok(size)
    }

    /// The pixels of a picture, from the cache or, for the next time, into it.
    ///
    /// # Errors
    /// As [`picture::decode`].
    pub fn read(&self, path: &Path) -> Result<RgbImage> {
        let file = self.file(path).map_err(|e| Error::io(path, e))?;
        if let Some(image) = load(&file) {
            return Ok(image);
        }
        let image = picture::decode(path, &self.limits)?;
        if self.writing.load(Ordering::Relaxed)
            && let Err(error) = store(&file, &image)
            && self.writing.swap(false, Ordering::Relaxed)
        {
            note!("warning: the cache takes no more pictures: {error}");
        }
        Ok(image)
    }

    /// The file of a picture.
    fn file(&self, path: &Path) -> std::io::Result<PathBuf> {
        let stat = picture::stat(path)?;
        let age = stat.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let mut hash = Sha256::new_with_prefix(MAGIC);
        hash.update(std::path::absolute(path)?.as_os_str().as_encoded_bytes());
        hash.update([0]);
        // What one run may read another may not.
        hash.update(self.limits.max_pixels.to_le_bytes());
        hash.update(stat.bytes.to_le_bytes());
        hash.update(age.unwrap_or_default().as_nanos().to_le_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let name: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(self.folder.join(&name[..2]).join(format!("{name}.rgb")))
    }

    fn size_of(&self, path: &Path) -> CacheSize {
        let there = self.file(path).ok().and_then(|file| Some(fs::metadata(file).ok()?.len()));
        let bytes = there.or_else(|| expected(path)).unwrap_or(0);
        let present = usize::from(there.is_some());
        CacheSize { pictures: 1, present, bytes, present_bytes: there.unwrap_or(0) }
    }

    fn remove_abandoned(&self) {
        let old = |time: SystemTime| time.elapsed().is_ok_and(|age| age > ABANDONED);
        for folder in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                let temporary = file.file_name().to_string_lossy().starts_with(TEMPORARY);
                let modified = file.metadata().and_then(|found| found.modified());
                if temporary && modified.is_ok_and(old) {
                    let _ = fs::remove_file(file.path());
                }
            }
        }
    }
}

impl CacheSize {
    fn plus(self, other: Self) -> Self {
        Self {
            pictures: self.pictures + other.pictures,
            present: self.present + other.present,
            bytes: self.bytes + other.bytes,
            present_bytes: self.present_bytes + other.present_bytes,
        }
    }
}

/// The length of a picture's file in the cache, by its header alone; opacity is not known there.
fn expected(path: &Path) -> Option<u64> {
    let dimensions = match File::open(path) {
        Ok(file) => {
            let reader = ImageReader::new(BufReader::new(file)).with_guessed_format().ok()?;
            reader.into_dimensions().ok()?
        }
        Err(_) => {
            let bytes = Cursor::new(picture::read(path).ok()?);
            ImageReader::new(bytes).with_guessed_format().ok()?.into_dimensions().ok()?
        }
    };
    Some(HEADER as u64 + u64::from(dimensions.0) * u64::from(dimensions.1) * 3)
}

fn store(file: &Path, image: &RgbImage) -> Result<()> {
    let folder = crate::files::folder_of(file);
    fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    write_atomically_with(file, |out| {
        let numbers = [image.width(), image.height(), usize::from(image.alpha().is_some())];
        let mut header = MAGIC.to_vec();
        for number in numbers {
            let number = u32::try_from(number).map_err(|e| Error::format(file, e.to_string()))?;
            header.extend(number.to_le_bytes());
        }
        for part in [&header[..], image.data(), image.alpha().unwrap_or_default()] {
            out.write_all(part).map_err(|e| Error::io(file, e))?;
        }
        Ok(())
    })
}

/// What a file of the cache holds; `None` when it is not there or not whole.
fn load(path: &Path) -> Option<RgbImage> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut header = [0; HEADER];
    file.read_exact(&mut header).ok()?;
    let number = |at: usize| {
        let bytes = header[8 + at * 4..][..4].try_into().unwrap_or_default();
        u32::from_le_bytes(bytes) as usize
    };
    let (width, height, opacity) = (number(0), number(1), number(2));
    let pixels = width.checked_mul(height)?;
    let (colours, alpha) = (pixels.checked_mul(3)?, if opacity == 0 { 0 } else { pixels });
    if header[..8] != MAGIC || length != (HEADER + colours + alpha) as u64 {
        return None;
    }
    let mut take = |count: usize| -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(count);
        let read = file.by_ref().take(count as u64).read_to_end(&mut bytes);
        read.and_then(|read| match read == count {
            true => Ok(bytes),
            false => Err(ErrorKind::UnexpectedEof.into()),
        })
        .ok()
    };
    let data = take(colours)?;
    let alpha = if opacity == 0 { None } else { Some(take(alpha)?) };
    RgbImage::from_parts(width, height, data, alpha).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageEntry;

    fn split(paths: &[PathBuf]) -> Split {
        let entry =
            |path: &PathBuf| ImageEntry { id: path.display().to_string(), path: path.clone() };
        Split {
            name: "train".into(),
            images: paths.iter().map(entry).collect(),
            captions: vec!["a".into(); paths.len()],
            image_of_caption: (0..paths.len()).collect(),
            kinds: None,
        }
    }

    #[test]
    fn what_is_cached_is_what_is_decoded() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, clear) = (folder.path().join("a.jpg"), folder.path().join("b.png"));
        image::RgbImage::from_fn(9, 5, |x, y| image::Rgb([x as u8 * 20, y as u8 * 40, 7]))
            .save(&plain)
            .unwrap();
        image::RgbaImage::from_fn(4, 3, |x, y| image::Rgba([x as u8, y as u8, 9, 100]))
            .save(&clear)
            .unwrap();
        let cache = PictureCache::new(folder.path().join("cache"), DecodeLimits::default());
        let split = split(&[plain.clone(), clear.clone()]);
        let before = cache.prepare(&split).unwrap();
        assert_eq!((before.pictures, before.present, before.present_bytes), (2, 0, 0));
        for path in [&plain, &clear] {
            let decoded = picture::decode(path, &DecodeLimits::default()).unwrap();
            assert_eq!(cache.read(path).unwrap(), decoded);
            assert_eq!(load(&cache.file(path).unwrap()).unwrap(), decoded);
            assert_eq!(cache.read(path).unwrap(), decoded);
        }
        let after = cache.prepare(&split).unwrap();
        assert_eq!(after.present, 2);
        // Opacity is known only afterwards.
        assert_eq!((after.bytes, after.present_bytes), (before.bytes + 12, before.bytes + 12));
    }

    #[test]
    fn changed_pictures_and_damaged_files_are_decoded_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let save = |side: u32| image::RgbImage::new(side, 2).save(&path).unwrap();
        let cache = PictureCache::new(folder.path().join("cache"), DecodeLimits::default());
        save(3);
        assert_eq!(cache.read(&path).unwrap().width(), 3);
        let file = cache.file(&path).unwrap();
        let whole = fs::read(&file).unwrap();
        for damaged in [&whole[..whole.len() - 1], &whole[..5], b"", &[&whole[..], b"x"].concat()] {
            fs::write(&file, damaged).unwrap();
            assert_eq!(cache.read(&path).unwrap().width(), 3);
            assert_eq!(fs::read(&file).unwrap(), whole);
        }
        save(300);
        assert_eq!(cache.read(&path).unwrap().width(), 300);
        // What a killed process left is removed, but not what may still be written.
        let left = file.with_file_name(".tmpkilled");
        let fresh = file.with_file_name(".tmpfresh");
        fs::write(&left, "x").unwrap();
        fs::write(&fresh, "x").unwrap();
        let old = SystemTime::now() - 2 * ABANDONED;
        File::options().write(true).open(&left).unwrap().set_modified(old).unwrap();
        cache.prepare(&split(&[path])).unwrap();
        assert!(!left.exists() && fresh.exists());
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_done_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        image::RgbImage::new(3, 2).save(&path).unwrap();
        // A file where the folder should be.
        let cache = PictureCache::new(path.clone(), DecodeLimits::default());
        assert_eq!(cache.read(&path).unwrap().width(), 3);
        assert!(!cache.writing.load(Ordering::Relaxed));
        assert!(cache.prepare(&split(&[path])).is_err());
    }
}
