//! From the bytes of an image file to pixels.

use std::io::Cursor;

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use serde::{Deserialize, Serialize};

use super::reduce::Reduction;
use super::{RgbImage, jpeg, raw, signature, tags, tiff};
use crate::image::formats::PictureFormat;
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
        Self { max_pixels: 300_000_000, max_bytes: 1 << 30 }
    }
}

impl DecodeLimits {
    /// Refuses a picture that is too large, before memory is taken for it. `bytes` is what its decoder will take.
    pub(super) fn check(&self, width: u64, height: u64, bytes: u64) -> Result<()> {
        if width.saturating_mul(height) > self.max_pixels {
            return Err(Error::Image(format!(
                "{width} x {height} pixels exceed the limit of {} pixels; raise it with --max-pixels",
                self.max_pixels
            )));
        }
        if bytes > self.max_bytes {
            return Err(Error::Image(format!(
                "{width} x {height} pixels of this file need {} MB of memory, more than the {} MB that one picture may \
                 take; save the picture smaller, or raise --max-pixels, which allows more",
                bytes.div_ceil(1 << 20),
                self.max_bytes.div_ceil(1 << 20)
            )));
        }
        Ok(())
    }
}

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage> {
    if bytes.is_empty() {
        return Err(Error::Image("the file is empty".into()));
    }
    let format = signature::of(bytes).ok_or_else(|| {
        Error::Image("not a picture that is known (unknown file signature)".into())
    })?;
    match format {
        PictureFormat::Jpeg => jpeg::decode(bytes, limits),
        PictureFormat::Tiff => tiff::decode(bytes, limits),
        PictureFormat::Raw => raw::decode(bytes, limits),
        #[cfg(feature = "jxl")]
        PictureFormat::JpegXl => super::jxl::decode(bytes, limits),
        #[cfg(feature = "heic")]
        PictureFormat::Heic | PictureFormat::Avif => super::heif::decode(bytes, limits),
        PictureFormat::Png => general(bytes, ImageFormat::Png, limits),
        PictureFormat::WebP => general(bytes, ImageFormat::WebP, limits),
        PictureFormat::Gif => general(bytes, ImageFormat::Gif, limits),
        PictureFormat::Bmp => general(bytes, ImageFormat::Bmp, limits),
        _ => Err(Error::Image(format!(
            "the picture's format is not read ({}); {}",
            format.name(),
            format.advice()
        ))),
    }
}

/// Decodes what the `image` crate reads as OpenCV does.
fn general(bytes: &[u8], format: ImageFormat, limits: &DecodeLimits) -> Result<RgbImage> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder_limits = Limits::default();
    decoder_limits.max_alloc = Some(limits.max_bytes);
    reader.limits(decoder_limits);

    let failed = |error: ::image::ImageError| Error::Image(format!("{format:?}: {error}"));
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    limits.check(width.into(), height.into(), decoder.total_bytes())?;
    let orientation = match format {
        // Where it stands behind the pixels, the decoder has not come to it yet.
        ImageFormat::Png => png_exif(bytes).map_or(Orientation::NoTransforms, tags::orientation),
        _ => match decoder.exif_metadata() {
            Ok(Some(data)) => tags::orientation(&data),
            // Damaged metadata is no reason to refuse good pixels.
            _ => Orientation::NoTransforms,
        },
    };
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    if format == ImageFormat::Bmp
        && let Some(lost) = bits_lost(bytes)
        && let Some(pixels) = image.as_mut_rgb8()
    {
        pixels.pixels_mut().for_each(|pixel| (0..3).for_each(|c| pixel.0[c] &= 0xFF << lost[c]));
    }
    Ok(eight_bits(image)?.turned(orientation))
}

/// Of a BMP file of 16 bits, how many of the 8 bits of red, green and blue are not in it: OpenCV leaves them zero.
fn bits_lost(bytes: &[u8]) -> Option<[u8; 3]> {
    let number = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..at + 4)?.as_array()?));
    let (header, bits, method) = (number(14)?, number(28)? & 0xFFFF, number(30)?);
    if header < 40 || bits != 16 {
        return None;
    }
    // Behind the header stand the masks of the colours, the second of which is green's.
    match (method, number(58)) {
        (0, _) | (3, Some(0x3E0)) => Some([3, 3, 3]),
        (3, Some(0x7E0)) => Some([3, 2, 3]),
        _ => None, // OpenCV reads no others.
    }
}

/// The picture in 8 bits, on white, and smaller if it is very large.
pub(super) fn eight_bits(image: DynamicImage) -> Result<RgbImage> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let reduction = Reduction::of(width, height);
    // OpenCV takes the upper half of 16 bits.
    let upper = |values: &[u16]| values.iter().map(|value| (value >> 8) as u8).collect::<Vec<_>>();
    match image {
        DynamicImage::ImageLuma8(image) => reduction.gray(width, height, image.into_raw()),
        DynamicImage::ImageRgb8(image) => reduction.rgb(width, height, image.into_raw()),
        DynamicImage::ImageRgba8(image) => reduction.rgba(width, height, image.into_raw()),
        DynamicImage::ImageLuma16(image) => reduction.gray(width, height, upper(&image)),
        DynamicImage::ImageRgb16(image) => reduction.rgb(width, height, upper(&image)),
        DynamicImage::ImageRgba16(image) => reduction.rgba(width, height, upper(&image)),
        DynamicImage::ImageLumaA16(image) => {
            let pixels = image.as_chunks::<2>().0.iter();
            let values =
                pixels.flat_map(|&[gray, alpha]| [gray, gray, gray, alpha].map(|v| (v >> 8) as u8));
            reduction.rgba(width, height, values.collect())
        }
        image if image.color().has_alpha() => {
            reduction.rgba(width, height, image.into_rgba8().into_raw())
        }
        image => reduction.rgb(width, height, image.into_rgb8().into_raw()),
    }
}

/// The EXIF chunk of a PNG file, wherever it stands.
fn png_exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut position = 8;
    loop {
        let length = u32::from_be_bytes(bytes.get(position..position + 4)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        let content = position + 8..(position + 8).checked_add(length)?;
        match bytes.get(position + 4..position + 8)? {
            b"eXIf" => return bytes.get(content),
            b"IEND" => return None,
            _ => position = content.end.checked_add(4)?,
        }
    }
}
