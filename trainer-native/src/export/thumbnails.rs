//! Small pictures for a page's results, all in one file.
//!
//! `thumbnails.bin` holds image files one after the other, in the order of the gallery's rows;
//! `thumbnails.json` says where each ends. A row without a picture has an empty one.

use std::fs::File;
use std::io::{BufWriter, Cursor, Write};
use std::path::Path;

use avse_core::gallery::ContentHash;
use avse_core::image::pixels::RgbImage;
use avse_core::weights::FileEntry;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, GrayImage};
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde::Serialize;

use super::options::WebOptions;
use super::rows::PictureRow;
use crate::files::write_atomically;
use crate::gallery::read_picture;
use crate::{Error, Result, progress};

const FORMAT: &str = "avse-thumbnails";
const VERSION: u32 = 1;
const PICTURES: &str = "thumbnails.bin";
const INDEX: &str = "thumbnails.json";
/// Pictures made before they are written.
const BATCH: usize = 256;
/// Of JPEG: no artefact is seen at this size.
const JPEG_QUALITY: u8 = 82;

/// `thumbnails.json`.
#[derive(Serialize)]
struct Index {
    format: &'static str,
    version: u32,
    /// The longer side of a picture in pixels, at most.
    side: u32,
    /// Where the thumbnail of each row ends in the file; it starts where the one before ends.
    ends: Vec<u64>,
    file: FileEntry,
}

/// Writes the thumbnails of a gallery's rows into its folder. Returns how many rows have none.
///
/// # Errors
/// [`Error::Io`] when they cannot be written. A picture that is gone, or another one by now, has none.
pub(super) fn write(
    folder: &Path,
    side: u32,
    rows: &[PictureRow],
    options: &WebOptions,
) -> Result<usize> {
    let bar = match options.quiet {
        true => ProgressBar::hidden(),
        false => progress::bar(rows.len() as u64, "thumbnails"),
    };
    let path = folder.join(PICTURES);
    let io = |e| Error::io(&path, e);
    let mut file = BufWriter::new(File::create(&path).map_err(io)?);
    let (mut end, mut ends, mut missing) = (0, Vec::with_capacity(rows.len()), 0);
    for batch in rows.chunks(BATCH) {
        let make = |row: &PictureRow| {
            let bytes = read_picture(row.file.as_deref()?).ok()?;
            let same = ContentHash::of(&bytes) == row.item.sha256;
            let image = RgbImage::decode(&bytes, &options.reading.limits);
            image.ok().filter(|_| same).and_then(|image| thumbnail(&image, side))
        };
        let made: Vec<Option<Vec<u8>>> = batch.par_iter().map(make).collect();
        for thumbnail in made {
            missing += usize::from(thumbnail.is_none());
            let thumbnail = thumbnail.unwrap_or_default();
            file.write_all(&thumbnail).map_err(io)?;
            end += thumbnail.len() as u64;
            ends.push(end);
        }
        bar.inc(batch.len() as u64);
    }
    file.into_inner().map_err(|e| io(e.into_error()))?;
    bar.finish_and_clear();
    let index = Index { format: FORMAT, version: VERSION, side, ends, file: FileEntry::of(&path)? };
    let path = folder.join(INDEX);
    let json = serde_json::to_vec(&index).map_err(|e| Error::format(&path, e.to_string()))?;
    write_atomically(&path, &json)?;
    Ok(missing)
}

/// A picture with its longer side at most `side`: lossless WebP, or JPEG where that is smaller and
/// nothing is transparent.
fn thumbnail(picture: &RgbImage, side: u32) -> Option<Vec<u8>> {
    let size = (u32::try_from(picture.width()).ok()?, u32::try_from(picture.height()).ok()?);
    let scale = (f64::from(side) / f64::from(size.0.max(size.1))).min(1.0);
    let scaled = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let small = (scaled(size.0), scaled(size.1));
    let pixels = image::RgbImage::from_raw(size.0, size.1, picture.data().to_vec())?;
    let pixels = match small == size {
        true => pixels,
        false => resize(&pixels, small.0, small.1, FilterType::Lanczos3),
    };
    let Some(alpha) = picture.alpha() else {
        let webp = webp(pixels.as_raw(), small, ExtendedColorType::Rgb8)?;
        let mut jpeg = Cursor::new(Vec::new());
        JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY).encode_image(&pixels).ok()?;
        let jpeg = jpeg.into_inner();
        return Some(if jpeg.len() < webp.len() { jpeg } else { webp });
    };
    let alpha = GrayImage::from_raw(size.0, size.1, alpha.to_vec())?;
    let alpha = match small == size {
        true => alpha,
        false => resize(&alpha, small.0, small.1, FilterType::Lanczos3),
    };
    let mut rgba = Vec::with_capacity(alpha.len() * 4);
    for (pixel, opacity) in pixels.pixels().zip(alpha.as_raw()) {
        rgba.extend(pixel.0.map(|value| off_white(value, *opacity)));
        rgba.push(*opacity);
    }
    webp(&rgba, small, ExtendedColorType::Rgba8)
}

/// The colour that, with this opacity, looks like `shown` on white: pictures are decoded, and here
/// made smaller, on white.
fn off_white(shown: u8, opacity: u8) -> u8 {
    if opacity == 0 {
        return 0;
    }
    let (shown, opacity) = (i32::from(shown), i32::from(opacity));
    let colour = ((shown - (255 - opacity)) * 255 + opacity / 2) / opacity;
    colour.clamp(0, 255) as u8
}

fn webp(pixels: &[u8], (width, height): (u32, u32), colour: ExtendedColorType) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    WebPEncoder::new_lossless(&mut file).encode(pixels, width, height, colour).ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use avse_core::image::pixels::DecodeLimits;

    use super::*;

    fn decode(bytes: &[u8]) -> RgbImage {
        RgbImage::decode(bytes, &DecodeLimits::default()).unwrap()
    }

    #[test]
    fn small_pictures_stay_as_they_are() {
        let rgba: Vec<u8> = (0..12 * 7).flat_map(|at: u8| [at * 3, 255 - at, 90, at * 3]).collect();
        let picture = RgbImage::from_rgba(12, 7, &rgba).unwrap();
        let small = decode(&thumbnail(&picture, 12).unwrap());
        assert_eq!((small.width(), small.height(), small.alpha()), (12, 7, picture.alpha()));
        for (found, was) in small.data().iter().zip(picture.data()) {
            assert!(found.abs_diff(*was) <= 1, "{found} {was}");
        }
    }

    #[test]
    fn the_longer_side_is_cut_and_the_smaller_file_kept() {
        // Flat colours: lossless is smaller. Noise: JPEG is.
        let flat = RgbImage::from_raw(300, 100, [200, 10, 60].repeat(30_000)).unwrap();
        let small = thumbnail(&flat, 96).unwrap();
        assert_eq!(&small[8..12], b"WEBP");
        let small = decode(&small);
        assert_eq!(
            (small.width(), small.height(), &small.data()[..3]),
            (96, 32, &[200, 10, 60][..])
        );

        let noise = |at: u32| (at.wrapping_mul(2_654_435_761) >> 20) as u8;
        let noisy = RgbImage::from_raw(100, 200, (0..60_000).map(noise).collect()).unwrap();
        let small = thumbnail(&noisy, 96).unwrap();
        assert_eq!(small[..2], [0xff, 0xd8]);
        assert_eq!((decode(&small).width(), decode(&small).height()), (48, 96));
        let line = RgbImage::from_raw(1000, 1, vec![7; 3000]).unwrap();
        assert_eq!(decode(&thumbnail(&line, 10).unwrap()).height(), 1);
    }
}
