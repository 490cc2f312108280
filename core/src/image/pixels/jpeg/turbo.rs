//! Who decodes a JPEG file.
//!
//! `libjpeg-turbo-rs` decodes ordinary files, which is what training sets consist of, as a whole. It is given a copy in
//! which every stretch of coded data ends in a code that does not exist: it fails where it would invent pixels. What it
//! refuses, or would not decode as libjpeg does, [`super::scans`] puts together from its parts.

use ::image::metadata::Orientation;
use libjpeg_turbo_rs::{DecodeLimits as Bounds, Decoder, PixelFormat, ScalingFactor};

use super::super::reduce::Reduction;
use super::super::{DecodeLimits, RgbImage, tags};
use super::header::{Colours, Header, Process};
use super::planes;
use super::scans;
use super::stretches::{self, Stretches};
use crate::{Error, Result};

/// The picture, turned as it says.
///
/// # Errors
/// [`Error::Image`] for a damaged or truncated file, and for one beyond `limits`.
pub(in super::super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage> {
    let header = Header::read(bytes)?;
    let image = upright(bytes, &header, limits)?;
    Ok(match header.exif {
        Some(range) => image.turned(tags::orientation(&bytes[range])),
        None => image,
    })
}

/// The size of a JPEG picture that is read here; `None` for what is none, and for lossless ones, which cameras keep
/// their raw data in.
pub(in super::super) fn size(bytes: &[u8]) -> Option<(usize, usize)> {
    let header = Header::read(bytes).ok()?;
    header.is_eight_bits().then_some((header.width, header.height))
}

/// The picture in a camera's raw file, turned as its own data says, or else as the raw file's `own` does.
///
/// # Errors
/// [`Error::Image`] for a damaged or truncated picture, and for one beyond `limits`.
pub(in super::super) fn decode_preview(
    bytes: &[u8],
    own: Option<Orientation>,
    limits: &DecodeLimits,
) -> Result<RgbImage> {
    let header = Header::read(bytes)?;
    let said = header.exif.clone().map(|range| tags::orientation(&bytes[range]));
    let said = said.filter(|orientation| *orientation != Orientation::NoTransforms);
    let orientation = said.or(own).unwrap_or(Orientation::NoTransforms);
    Ok(upright(bytes, &header, limits)?.turned(orientation))
}

/// A picture inside of a TIFF file, which says itself whether its colours are YCbCr.
///
/// # Errors
/// [`Error::Image`] for a damaged or truncated part.
pub(in super::super) fn decode_part(
    bytes: &[u8],
    is_ycbcr: bool,
    limits: &DecodeLimits,
) -> Result<RgbImage> {
    let mut header = Header::read(bytes)?;
    let (width, height) = (header.width as u64, header.height as u64);
    limits.check(width, height, header.memory(width * height))?;
    if !header.is_eight_bits() || header.process == Process::Arithmetic {
        return Err(Error::Image("JPEG of this kind is not read in a TIFF file".into()));
    }
    if header.components.len() == 3 {
        header.colours = if is_ycbcr { Colours::YCbCr } else { Colours::Rgb };
    }
    scans::decode(bytes, &header)
}

/// The picture as it is stored.
pub(in super::super) fn upright(
    bytes: &[u8],
    header: &Header,
    limits: &DecodeLimits,
) -> Result<RgbImage> {
    let (width, height) = (header.width, header.height);
    let pixels = width as u64 * height as u64;
    let reduction = Reduction::of(width, height);
    let ordinary = is_ordinary(header);
    // Only of 8 bits can the decoder make a smaller picture at once.
    let scales = ordinary && header.is_eight_bits();
    let scaled = if scales { reduction.pixels(width, height) } else { pixels };
    limits.check(width as u64, height as u64, header.memory(scaled))?;
    if !ordinary {
        return Ok(scans::decode(bytes, header)?.reduced(reduction));
    }
    let failed = |error: libjpeg_turbo_rs::JpegError| {
        Error::Image(format!("the JPEG file is damaged or truncated ({error})"))
    };
    let bounds = Bounds { max_pixels: limits.max_pixels, ..Bounds::default() };
    let guarded = match header.process {
        Process::Sequential => stretches::guarded(bytes, header)?,
        _ => complete(bytes, header)?,
    };
    let mut decoder = Decoder::new_with_limits(&guarded, bounds).map_err(failed)?;
    decoder.set_output_format(match header.colours {
        Colours::Gray => PixelFormat::Grayscale,
        Colours::Cmyk | Colours::Ycck => PixelFormat::Cmyk,
        _ => PixelFormat::Rgb,
    });
    decoder.set_block_smoothing(true);
    if scales && reduction.factor > 1 {
        decoder.set_scale(ScalingFactor::new(1, reduction.factor as u32));
    }
    let image = decoder.decode_image().map_err(failed)?;
    let image = match header.colours {
        Colours::Gray => RgbImage::from_gray(image.width, image.height, &image.data),
        Colours::Cmyk | Colours::Ycck => {
            RgbImage::from_raw(image.width, image.height, planes::from_cmyk(&image.data))
        }
        _ => RgbImage::from_raw(image.width, image.height, image.data),
    }?;
    Ok(if scales { image } else { image.reduced(reduction) })
}

/// Whether the decoder reads such a file as libjpeg does: one scan, and colour sampled as brightness or in halves.
fn is_ordinary(header: &Header) -> bool {
    let components = &header.components;
    if !header.is_eight_bits() || header.process == Process::Arithmetic {
        return true; // It alone reads these.
    }
    let one_scan =
        header.process == Process::Sequential && header.scan_components == components.len();
    let shapes: Vec<_> = components.iter().map(|part| (part.across, part.down)).collect();
    let usual = match header.colours {
        Colours::Gray => true,
        Colours::YCbCr => matches!(shapes[0], (1 | 2, 1 | 2)) && shapes[1..] == [(1, 1), (1, 1)],
        _ => false,
    };
    one_scan && usual
}

/// A copy of a file whose data cannot be checked by its codes: it has to have an end marker, which is all that tells.
fn complete<'a>(bytes: &'a [u8], header: &Header) -> Result<std::borrow::Cow<'a, [u8]>> {
    let stretches = Stretches::find(bytes, header.scan);
    let ended = super::jpeg_is_complete(bytes) && stretches.end < bytes.len();
    ended.then_some(bytes.into()).ok_or_else(stretches::truncated)
}
