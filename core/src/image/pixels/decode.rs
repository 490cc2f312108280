//! From the bytes of an image file to pixels.

use std::io::Cursor;

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use serde::{Deserialize, Serialize};

use super::{RgbImage, jpeg_is_complete, turbo};
use crate::{Error, Result};

/// What a file may ask for before it is refused: a few kilobytes can declare
/// gigabytes of pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodeLimits {
    /// Most pixels (width times height) of an image.
    pub max_pixels: u64,
    /// Most bytes a decoder may allocate for one image.
    pub max_bytes: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_pixels: 100_000_000, max_bytes: 512 << 20 }
    }
}

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage> {
    if bytes.is_empty() {
        return Err(Error::Image("the file is empty".into()));
    }
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| Error::Image(error.to_string()))?;
    let format = reader.format().ok_or_else(|| {
        Error::Image("neither PNG, JPEG, WebP, GIF, BMP nor TIFF (unknown file signature)".into())
    })?;
    if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
        return Err(Error::Image("the JPEG file is truncated (no end marker)".into()));
    }
    if format == ImageFormat::Jpeg
        && let Some(image) = turbo::decode(bytes, limits)
    {
        return Ok(image);
    }
    let mut decoder_limits = Limits::default();
    decoder_limits.max_alloc = Some(limits.max_bytes);
    reader.limits(decoder_limits);

    let failed = |error: ::image::ImageError| Error::Image(format!("{format:?}: {error}"));
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels || decoder.total_bytes() > limits.max_bytes {
        return Err(Error::Image(format!(
            "{width} x {height} pixels in {} bytes exceed the limit of {} pixels and {} bytes",
            decoder.total_bytes(),
            limits.max_pixels,
            limits.max_bytes
        )));
    }
    // Damaged metadata is no reason to refuse good pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    if image.color().has_alpha() {
        RgbImage::from_rgba(width, height, &image.into_rgba8())
    } else {
        RgbImage::from_raw(width, height, image.into_rgb8().into_raw())
    }
}
