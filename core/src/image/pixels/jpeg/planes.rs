//! From the blocks of a JPEG file's components to pixels, in libjpeg's arithmetic.

use libjpeg_turbo_rs::simd::{self, SimdRoutines};

use super::super::RgbImage;
use super::header::{Colours, Header};
use crate::{Error, Result};

/// The samples of one component.
pub(super) struct Plane {
    /// Columns with those that fill up the last blocks.
    stride: usize,
    /// Columns and rows that belong to the picture.
    size: (usize, usize),
    samples: Vec<u8>,
    routines: SimdRoutines,
}

impl Plane {
    /// A plane of `blocks` (across, down), in which `size` (columns, rows) belong to the picture.
    pub(super) fn new(blocks: (usize, usize), size: (usize, usize)) -> Self {
        let samples = vec![128; blocks.0 * blocks.1 * 64];
        Self { stride: blocks.0 * 8, size, samples, routines: simd::detect() }
    }

    /// Sets the block in column `x` and row `y` from its coefficients (row by row) and their quantisers.
    #[inline]
    pub(super) fn set_block(
        &mut self,
        x: usize,
        y: usize,
        coefficients: &[i16; 64],
        quantisers: &[u16; 64],
    ) {
        let mut block = [0; 64];
        (self.routines.idct_islow)(coefficients, quantisers, &mut block);
        let at = y * 8 * self.stride + x * 8;
        for (line, from) in self.samples[at..].chunks_mut(self.stride).zip(block.chunks_exact(8)) {
            line[..8].copy_from_slice(from);
        }
    }

    fn row(&self, y: usize) -> &[u8] {
        &self.samples[y * self.stride..][..self.size.0]
    }

    /// Row `y` of the whole picture, of which this plane has every `across`-th column and `down`-th row: by a
    /// triangle filter where libjpeg uses one, else each value repeated.
    fn enlarge(&self, y: usize, (across, down): (usize, usize), out: &mut [u8]) {
        let source = y / down;
        let near = self.row(source);
        // The row on the other side of the wanted one.
        let beside = match y % down {
            0 => source.saturating_sub(1),
            _ => (source + 1).min(self.size.1 - 1),
        };
        match (across, down) {
            (1, 1) => out[..near.len()].copy_from_slice(near),
            (2, 1) if self.size.0 > 2 => {
                (self.routines.fancy_upsample_h2v1)(near, self.size.0, out);
            }
            (1, 2) => {
                let bias = 1 + (y % 2) as u16;
                for ((out, &near), &far) in out.iter_mut().zip(near).zip(self.row(beside)) {
                    *out = ((3 * u16::from(near) + u16::from(far) + bias) >> 2) as u8;
                }
            }
            (2, 2) if self.size.0 > 2 => enlarge_both(near, self.row(beside), out),
            _ => {
                for (out, &value) in out.chunks_mut(across).zip(near) {
                    out.fill(value);
                }
            }
        }
    }
}

/// The triangle filter in both directions: three quarters of the near sample, one quarter of the far one.
fn enlarge_both(near: &[u8], far: &[u8], out: &mut [u8]) {
    let sums: Vec<u16> =
        near.iter().zip(far).map(|(&near, &far)| 3 * u16::from(near) + u16::from(far)).collect();
    let last = sums.len() - 1;
    out[0] = ((sums[0] * 4 + 8) >> 4) as u8;
    out[2 * last + 1] = ((sums[last] * 4 + 7) >> 4) as u8;
    let inner = out[1..2 * last + 1].as_chunks_mut::<2>().0;
    for (pair, sums) in inner.iter_mut().zip(sums.windows(2)) {
        pair[0] = ((sums[0] * 3 + sums[1] + 7) >> 4) as u8;
        pair[1] = ((sums[1] * 3 + sums[0] + 8) >> 4) as u8;
    }
}

/// The picture of its planes.
///
/// # Errors
/// [`Error::Image`] where a component is sampled at a fraction of another, which libjpeg refuses as well.
pub(super) fn join(planes: Vec<Plane>, header: &Header) -> Result<RgbImage> {
    let (most_across, most_down) = header.largest();
    let mut factors = Vec::with_capacity(planes.len());
    for part in &header.components {
        if most_across % part.across != 0 || most_down % part.down != 0 {
            return Err(Error::Image(
                "a JPEG file whose colours are sampled at such fractions is not read; save it anew"
                    .into(),
            ));
        }
        factors.push((most_across / part.across, most_down / part.down));
    }
    let (width, height) = (header.width, header.height);
    let channels = planes.len();
    // Enlarging writes up to three columns past the last one.
    let mut rows = vec![vec![0; width + 2 * 8 * 4]; channels];
    let pixel = if channels == 1 { 1 } else { 3 };
    let mut pixels = vec![0; width * height * pixel];
    let mut inks = vec![0; if channels == 4 { width * 4 } else { 0 }];
    let convert = simd::detect().ycbcr_to_rgb_row;
    for (y, out) in pixels.chunks_exact_mut(width * pixel).enumerate() {
        for ((plane, factor), row) in planes.iter().zip(&factors).zip(&mut rows) {
            plane.enlarge(y, *factor, row);
        }
        match header.colours {
            Colours::Gray => out.copy_from_slice(&rows[0][..width]),
            Colours::YCbCr => convert(&rows[0], &rows[1], &rows[2], out, width),
            Colours::Rgb => interleave(&rows, out),
            Colours::Cmyk | Colours::Ycck => {
                if header.colours == Colours::Ycck {
                    // The first three become cyan, magenta and yellow by the inverse of the usual colours.
                    convert(&rows[0], &rows[1], &rows[2], out, width);
                    for (x, rgb) in out.chunks_exact(3).enumerate() {
                        rows.iter_mut().zip(rgb).for_each(|(row, value)| row[x] = 255 - value);
                    }
                }
                interleave(&rows, &mut inks);
                out.copy_from_slice(&from_cmyk(&inks));
            }
        }
    }
    match header.colours {
        Colours::Gray => RgbImage::from_gray(width, height, &pixels),
        _ => RgbImage::from_raw(width, height, pixels),
    }
}

fn interleave(rows: &[Vec<u8>], out: &mut [u8]) {
    for (x, pixel) in out.chunks_exact_mut(rows.len()).enumerate() {
        pixel.iter_mut().zip(rows).for_each(|(value, row)| *value = row[x]);
    }
}

/// RGB of inks as JPEG files have them, inverted: 255 is none. Source: OpenCV's `icvCvt_CMYK2BGR_8u_C4C3R`.
pub(super) fn from_cmyk(inks: &[u8]) -> Vec<u8> {
    let channel = |ink: u8, black: u8| {
        let (ink, black) = (i32::from(ink), i32::from(black));
        (black - (((255 - ink) * black) >> 8)) as u8
    };
    let pixels = inks.as_chunks::<4>().0;
    pixels.iter().flat_map(|&[c, m, y, k]| [channel(c, k), channel(m, k), channel(y, k)]).collect()
}
