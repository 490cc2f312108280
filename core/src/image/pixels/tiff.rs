//! TIFF files (and BigTIFF): the first picture of one.
//!
//! Read strip by strip or tile by tile, with the arithmetic of libtiff, which OpenCV reads them with.

mod colour;
mod fax;
mod fields;
mod unpack;

use super::reduce::{Reduction, Rows};
use super::{DecodeLimits, RgbImage};
use crate::{Error, Result};
use colour::Colours;
use fields::Fields;
use unpack::Band;

/// An error about a TIFF file.
fn tiff(what: impl std::fmt::Display) -> Error {
    Error::Image(format!("TIFF: {what}"))
}

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage> {
    let mut fields = Fields::read(bytes)?;
    let (width, height) = (fields.width, fields.height);
    let reduction = Reduction::of(width, height);
    // A row of strips or tiles, unpacked, and the picture.
    let band = fields.row_bytes().saturating_mul(fields.chunk.1).saturating_mul(fields.planes());
    let picture = reduction.pixels(width, height) * 7;
    // One row as samples, and as pixels.
    let row = width.saturating_mul(2 * fields.samples + 4);
    limits.check(
        width as u64,
        height as u64,
        picture.saturating_add(band.saturating_add(row) as u64),
    )?;
    unpack::settle(&mut fields)?;
    let colours = Colours::of(&fields)?;
    let mut rows = Rows::<4>::new(reduction, width, height);
    let mut samples = vec![0; width * fields.samples];
    let mut pixels = vec![0; width * 4];
    for first in (0..height).step_by(fields.chunk.1) {
        let band = Band::read(bytes, &fields, first / fields.chunk.1, limits)?;
        for y in 0..fields.chunk.1.min(height - first) {
            band.row(y, &fields, &mut samples);
            colours.convert(&samples, &mut pixels);
            rows.push(&pixels);
        }
    }
    let (width, height, data) = rows.finish();
    let image = if fields.associated {
        RgbImage::from_multiplied(width, height, &data)
    } else {
        RgbImage::from_rgba(width, height, &data)
    };
    Ok(image?.turned(fields.orientation))
}
