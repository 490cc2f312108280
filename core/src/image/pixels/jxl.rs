//! JPEG XL files, with a decoder in Rust. The first frame of an animation is taken.

use jxl_oxide::{AllocTracker, EnumColourEncoding, JxlImage, RenderingIntent};

use super::reduce::Reduction;
use super::{DecodeLimits, RgbImage};
use crate::{Error, Result};

/// The picture in sRGB; the decoder turns it as it says.
///
/// # Errors
/// [`Error::Image`] for a damaged or truncated file, for inks (CMYK), and for one beyond `limits`.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage> {
    let failed = |error| Error::Image(format!("JPEG XL: {error}"));
    let tracker = AllocTracker::with_limit(usize::try_from(limits.max_bytes).unwrap_or(usize::MAX));
    let mut image = JxlImage::builder().alloc_tracker(tracker).read(bytes).map_err(failed)?;
    let (width, height) = (u64::from(image.width()), u64::from(image.height()));
    let format = image.pixel_format();
    // The decoder computes with floating point.
    limits.check(width, height, width * height * format.channels() as u64 * 5)?;
    if format.has_black() {
        return Err(Error::Image("JPEG XL of inks (CMYK) is not read; save it as RGB".into()));
    }
    if !image.is_loading_done() {
        return Err(Error::Image("the JPEG XL file is truncated".into()));
    }
    let intent = RenderingIntent::Relative;
    image.request_color_encoding(match format.is_grayscale() {
        true => EnumColourEncoding::gray_srgb(intent),
        false => EnumColourEncoding::srgb(intent),
    });
    let frame = image.render_frame(0).map_err(failed)?;
    let mut stream = frame.stream();
    let (width, height) = (stream.width() as usize, stream.height() as usize);
    let channels = stream.channels() as usize;
    let mut pixels = vec![0; width * height * channels];
    stream.write_to_buffer(&mut pixels);
    let reduction = Reduction::of(width, height);
    match channels {
        1 => reduction.gray(width, height, pixels),
        2 => {
            let pairs = pixels.as_chunks::<2>().0.iter();
            let rgba = pairs.flat_map(|&[gray, alpha]| [gray, gray, gray, alpha]).collect();
            reduction.rgba(width, height, rgba)
        }
        3 => reduction.rgb(width, height, pixels),
        4 => reduction.rgba(width, height, pixels),
        _ => Err(Error::Image(format!("JPEG XL of {channels} channels is not read"))),
    }
}
