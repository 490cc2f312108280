//! Ordinary JPEG files, which is what training sets consist of.
//!
//! The pixels are those of libjpeg-turbo to the bit, which the official code reads its pictures
//! with (through OpenCV). What is out of the ordinary (CMYK, 12 bits, damage) is left to the
//! general decoder.

use ::image::DynamicImage;
use ::image::metadata::Orientation;
use libjpeg_turbo_rs::{DecodeLimits as Bounds, Decoder, PixelFormat};

use super::{DecodeLimits, RgbImage};

/// The picture; `None` for the general decoder to try, or to say what is wrong.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Option<RgbImage> {
    let bounds = Bounds {
        max_pixels: limits.max_pixels,
        max_memory: Some(limits.max_bytes),
        ..Bounds::default()
    };
    let mut decoder = Decoder::new_with_limits(bytes, bounds).ok()?;
    let header = decoder.header();
    let (width, height) = (usize::from(header.width), usize::from(header.height));
    let (format, channels) = match header.components.len() {
        1 => (PixelFormat::Grayscale, 1),
        3 => (PixelFormat::Rgb, 3),
        _ => return None,
    };
    let size = width as u64 * height as u64;
    let too_large = size > limits.max_pixels || size * channels > limits.max_bytes;
    if header.precision != 8 || header.is_lossless || too_large {
        return None;
    }
    let orientation = decoder.exif_orientation().and_then(Orientation::from_exif);
    decoder.set_output_format(format);
    let pixels = decoder.decode_image().ok()?.data;
    let image = match channels {
        1 => RgbImage::from_gray(width, height, &pixels),
        _ => RgbImage::from_raw(width, height, pixels),
    };
    match orientation {
        None | Some(Orientation::NoTransforms) => image.ok(),
        Some(orientation) => turn(image.ok()?, orientation),
    }
}

fn turn(image: RgbImage, orientation: Orientation) -> Option<RgbImage> {
    let (width, height) = (u32::try_from(image.width).ok()?, u32::try_from(image.height).ok()?);
    let mut image: DynamicImage =
        ::image::RgbImage::from_raw(width, height, image.data).map(DynamicImage::from)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    RgbImage::from_raw(width, height, image.into_rgb8().into_raw()).ok()
}
