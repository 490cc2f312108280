//! Pixels: an RGB image in memory, and the bilinear resize and normalisation
//! that turn it into the network's input.

#[cfg(feature = "decode")]
mod decode;
#[cfg(feature = "heic")]
mod heif;
mod jpeg;
#[cfg(feature = "jxl")]
mod jxl;
#[cfg(feature = "decode")]
mod raw;
#[cfg(feature = "decode")]
mod reduce;
#[cfg(feature = "decode")]
mod signature;
#[cfg(feature = "decode")]
mod tags;
#[cfg(feature = "decode")]
mod tiff;

use serde::{Deserialize, Serialize};

#[cfg(feature = "decode")]
pub use decode::DecodeLimits;
pub use jpeg::jpeg_is_complete;

use crate::{Error, Result};

/// Mean of the red, green and blue values of ImageNet, on the scale 0 to 1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of the red, green and blue values of ImageNet.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// An 8-bit RGB image, shown on white where the source was transparent.
///
/// The transparency itself is kept aside, for augmentation that shows the
/// image on another background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    width: usize,
    height: usize,
    data: Vec<u8>,
    alpha: Option<Vec<u8>>,
}

impl RgbImage {
    /// Decodes a picture file held in memory: PNG, JPEG, WebP, GIF, BMP, TIFF, JPEG XL (feature `jxl`), HEIC and AVIF
    /// (feature `heic`), and the JPEG picture in a camera's raw file.
    ///
    /// Every colour type becomes 8-bit RGB, the EXIF orientation is applied,
    /// transparency is composited on white, and of an animation the first frame
    /// is taken. A picture of more than 100 million pixels comes at a half of its
    /// sides, or a quarter and so on.
    ///
    /// # Errors
    /// [`Error::Image`] for an empty, truncated, damaged or unsupported file, and
    /// for one that exceeds `limits`, before its pixels are allocated.
    #[cfg(feature = "decode")]
    pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Self> {
        decode::decode(bytes, limits)
    }

    /// An image from `height * width * 3` bytes, rows from the top, RGB.
    ///
    /// # Errors
    /// [`Error::Image`] when a side is zero or the length does not fit.
    pub fn from_raw(width: usize, height: usize, data: Vec<u8>) -> Result<Self> {
        check_size(width, height, 3, data.len())?;
        Ok(Self { width, height, data, alpha: None })
    }

    /// An image from what [`RgbImage::data`] and [`RgbImage::alpha`] gave.
    ///
    /// # Errors
    /// [`Error::Image`] when a side is zero or a length does not fit.
    pub fn from_parts(
        width: usize,
        height: usize,
        data: Vec<u8>,
        alpha: Option<Vec<u8>>,
    ) -> Result<Self> {
        check_size(width, height, 3, data.len())?;
        if let Some(alpha) = &alpha {
            check_size(width, height, 1, alpha.len())?;
        }
        Ok(Self { width, height, data, alpha })
    }

    /// An image from `height * width` bytes of gray.
    ///
    /// # Errors
    /// [`Error::Image`] when a side is zero or the length does not fit.
    pub fn from_gray(width: usize, height: usize, gray: &[u8]) -> Result<Self> {
        check_size(width, height, 1, gray.len())?;
        let data = gray.iter().flat_map(|&value| [value; 3]).collect();
        Ok(Self { width, height, data, alpha: None })
    }

    /// An image from `height * width * 4` bytes of RGBA (alpha not
    /// premultiplied), composited on white.
    ///
    /// # Errors
    /// [`Error::Image`] when a side is zero or the length does not fit.
    pub fn from_rgba(width: usize, height: usize, rgba: &[u8]) -> Result<Self> {
        check_size(width, height, 4, rgba.len())?;
        let mut data = Vec::with_capacity(width * height * 3);
        let mut alpha = Vec::with_capacity(width * height);
        for pixel in rgba.chunks_exact(4) {
            let opacity = u32::from(pixel[3]);
            data.extend(pixel[..3].iter().map(|&value| {
                let sum = u32::from(value) * opacity + 255 * (255 - opacity);
                ((sum + 127) / 255) as u8
            }));
            alpha.push(pixel[3]);
        }
        let alpha = alpha.iter().any(|&value| value < 255).then_some(alpha);
        Ok(Self { width, height, data, alpha })
    }

    /// An image from RGBA whose colours are multiplied with alpha already: what is missing to white is added.
    #[cfg(feature = "decode")]
    fn from_multiplied(width: usize, height: usize, rgba: &[u8]) -> Result<Self> {
        check_size(width, height, 4, rgba.len())?;
        let pixels = rgba.as_chunks::<4>().0;
        let shown = |&[r, g, b, opacity]: &[u8; 4]| {
            [r, g, b].map(|value| value.saturating_add(255 - opacity))
        };
        let data = pixels.iter().flat_map(shown).collect();
        let alpha: Vec<u8> = pixels.iter().map(|pixel| pixel[3]).collect();
        let alpha = alpha.iter().any(|&value| value < 255).then_some(alpha);
        Ok(Self { width, height, data, alpha })
    }

    /// Number of columns, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels on white: `height * width * 3` bytes, RGB, rows from the top.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The opacity of each pixel, `height * width` bytes, when any pixel is not
    /// fully opaque.
    pub fn alpha(&self) -> Option<&[u8]> {
        self.alpha.as_deref()
    }
}

fn check_size(width: usize, height: usize, channels: usize, length: usize) -> Result<()> {
    let wanted = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(channels));
    if width == 0 || height == 0 || wanted != Some(length) {
        return Err(Error::Image(format!(
            "{length} bytes do not make {width} x {height} pixels of {channels} channels"
        )));
    }
    Ok(())
}

/// From pixels to the input of an image tower: plain bilinear resize to a square
/// (the aspect ratio is not kept, as in the official code), scale to 0..1,
/// normalise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    /// Side R of the square the network sees, in pixels.
    pub resolution: usize,
    /// Mean subtracted from red, green and blue.
    pub mean: [f32; 3],
    /// Standard deviation by which red, green and blue are divided.
    pub std: [f32; 3],
}

impl Preprocess {
    /// Preprocessing to `resolution` pixels a side with the constants of ImageNet.
    pub fn new(resolution: usize) -> Self {
        Self { resolution, mean: IMAGENET_MEAN, std: IMAGENET_STD }
    }

    /// The network's input for one image: `3 * R * R` values, channel by channel.
    ///
    /// Source: the evaluation path of the official data set class (OpenCV's
    /// `INTER_LINEAR` on float pixels).
    pub fn evaluate(&self, image: &RgbImage) -> Vec<f32> {
        let columns = Taps::new(self.resolution, 0..image.width, 0..image.width);
        let rows = Taps::new(self.resolution, 0..image.height, 0..image.height);
        let mut planes = resample::<3>(&image.data, image.width, &columns, &rows);
        self.normalise(&mut planes);
        planes
    }

    /// Scales planes of values 0..255 to 0..1 and normalises them, in place.
    pub(crate) fn normalise(&self, planes: &mut [f32]) {
        let pixels = self.resolution * self.resolution;
        if pixels == 0 {
            return;
        }
        for (channel, plane) in planes.chunks_exact_mut(pixels).enumerate() {
            let scale = 1.0 / (255.0 * self.std[channel]);
            let offset = -self.mean[channel] / self.std[channel];
            plane.iter_mut().for_each(|value| *value = *value * scale + offset);
        }
    }
}

/// Bilinear interpolation along one axis, worked out once for all lines: output
/// `i` is `(1 - weight[i]) * input[low[i]] + weight[i] * input[high[i]]`.
pub(crate) struct Taps {
    low: Vec<usize>,
    high: Vec<usize>,
    weight: Vec<f32>,
}

impl Taps {
    /// `count` outputs spread evenly over the `window` of pixels (half-pixel
    /// centres), reading only pixels inside `bounds`, which is not empty.
    pub(crate) fn new(
        count: usize,
        window: std::ops::Range<usize>,
        bounds: std::ops::Range<usize>,
    ) -> Self {
        let step = window.len() as f64 / count as f64;
        Self::affine(count, window.start as f64, step, bounds)
    }

    /// The same for a window that need not lie on whole pixels: it starts at
    /// `start` and each output covers `step` pixels.
    pub(crate) fn affine(
        count: usize,
        start: f64,
        step: f64,
        bounds: std::ops::Range<usize>,
    ) -> Self {
        let last = bounds.end - 1;
        let mut taps = Self {
            low: Vec::with_capacity(count),
            high: Vec::with_capacity(count),
            weight: Vec::with_capacity(count),
        };
        for index in 0..count {
            let position = start + (index as f64 + 0.5) * step - 0.5;
            let position = position.clamp(bounds.start as f64, last as f64);
            let low = position as usize;
            taps.low.push(low);
            taps.high.push((low + 1).min(last));
            taps.weight.push((position - low as f64) as f32);
        }
        taps
    }

    /// The same outputs in opposite order: a mirrored image.
    pub(crate) fn reverse(&mut self) {
        self.low.reverse();
        self.high.reverse();
        self.weight.reverse();
    }

    fn len(&self) -> usize {
        self.low.len()
    }
}

/// Bilinear resampling of interleaved bytes (`C` channels, `width` pixels a row)
/// into `C` float planes of `rows.len() * columns.len()` values.
///
/// Separable: each input row that is needed is interpolated along x once and
/// kept until the next two output rows no longer use it.
pub(crate) fn resample<const C: usize>(
    data: &[u8],
    width: usize,
    columns: &Taps,
    rows: &Taps,
) -> Vec<f32> {
    let (wide, tall) = (columns.len(), rows.len());
    let count = C * wide * tall;
    if count == 0 {
        return Vec::new();
    }
    let mut planes = Vec::with_capacity(count);
    // Every value is written below; zeros first would take their time.
    let space = &mut planes.spare_capacity_mut()[..count];
    let mut upper = (usize::MAX, vec![[0.0f32; C]; wide]);
    let mut lower = upper.clone();
    for y in 0..tall {
        let (low, high, weight) = (rows.low[y], rows.high[y], rows.weight[y]);
        if upper.0 != low && lower.0 == low {
            std::mem::swap(&mut upper, &mut lower);
        }
        for (held, wanted) in [(&mut upper, low), (&mut lower, high)] {
            if held.0 != wanted {
                held.0 = wanted;
                interpolate_row(&data[wanted * width * C..][..width * C], columns, &mut held.1);
            }
        }
        for (channel, plane) in space.chunks_exact_mut(wide * tall).enumerate() {
            let line = &mut plane[y * wide..][..wide];
            for ((out, top), bottom) in line.iter_mut().zip(&upper.1).zip(&lower.1) {
                out.write(top[channel] + weight * (bottom[channel] - top[channel]));
            }
        }
    }
    // SAFETY: `count` values fit, and the loops have written each: `C` planes of `tall` lines of
    // `wide` values, with `upper` and `lower` as long as a line.
    unsafe { planes.set_len(count) };
    planes
}

fn interpolate_row<const C: usize>(row: &[u8], columns: &Taps, out: &mut [[f32; C]]) {
    let taps = columns.low.iter().zip(&columns.high).zip(&columns.weight);
    for (out, ((&low, &high), &weight)) in out.iter_mut().zip(taps) {
        let (left, right) = (&row[low * C..][..C], &row[high * C..][..C]);
        for channel in 0..C {
            let first = f32::from(left[channel]);
            out[channel] = first + weight * (f32::from(right[channel]) - first);
        }
    }
}

#[cfg(all(test, feature = "decode"))]
mod formats_tests;
#[cfg(test)]
mod tests;
