//! JPEG files: their segments, and who decodes them.
//!
//! The pixels are those of libjpeg-turbo to the bit, which the official code reads its pictures with (through
//! OpenCV). A damaged file, of which libjpeg-turbo shows something, is refused here: nothing is embedded that the
//! picture did not show.

#[cfg(feature = "decode")]
mod bands;
#[cfg(feature = "decode")]
mod header;
#[cfg(feature = "decode")]
mod planes;
#[cfg(feature = "decode")]
mod scans;
#[cfg(feature = "decode")]
mod stretches;
#[cfg(feature = "decode")]
mod turbo;

#[cfg(feature = "decode")]
pub(super) use turbo::{decode, decode_part, decode_preview, size};

/// Whether the end marker follows the pixel data, which browsers do not ask for: they fill what is missing with
/// gray, so that a half-downloaded photo would pass unnoticed. [`super::RgbImage::decode`] does without this: it counts
/// what it has decoded.
pub fn jpeg_is_complete(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xDA;
    const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];
    // Header segments may hold a thumbnail with an end marker of its own, so
    // they are stepped over; from the first scan on, 0xFF in data is escaped.
    let mut position = 2;
    while let Some(&[marker, kind, high, low]) = bytes.get(position..position + 4) {
        if marker != 0xFF {
            return true; // Not a segment: for the decoder to judge.
        }
        if kind == START_OF_SCAN {
            // It is nearly always the last thing; looking for it takes longer.
            let data = &bytes[position..];
            return data.ends_with(&END_OF_IMAGE)
                || data.windows(2).any(|pair| pair == END_OF_IMAGE);
        }
        // A run of 0xFF is fill before a marker; other segments give their length.
        position += match kind {
            0xFF => 1,
            _ => 2 + usize::from(u16::from_be_bytes([high, low])).max(2),
        };
    }
    false
}
