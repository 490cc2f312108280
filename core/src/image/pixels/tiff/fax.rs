//! Fax compression of TIFF files: black runs and white runs.

use std::convert::Infallible;

use fax::decoder::{DecodeStatus, Group4Decoder};
use fax::maps::{black, white};
use fax::{BitReader, ByteReader};

use super::tiff;
use crate::{Error, Result};

/// Unpacks `rows` rows of `width` pixels, one bit each, white 0. `options` are the compression (2 to 4) and the
/// options of Group 3.
///
/// # Errors
/// [`Error::Image`] for damaged data, and for Group 3 in two dimensions.
pub(super) fn unpack(
    packed: &[u8],
    width: usize,
    rows: usize,
    options: (usize, usize),
) -> Result<Vec<u8>> {
    let damaged = || tiff("the file is damaged or truncated: a fax row cannot be read");
    let columns = u16::try_from(width).map_err(|_| tiff("a fax this wide is not read"))?;
    let mut data = vec![0; width.div_ceil(8) * rows];
    let mut lines = data.chunks_exact_mut(width.div_ceil(8));
    let bytes = packed.iter().map(|&byte| Ok::<_, Infallible>(byte));
    match options {
        (4, _) => {
            let Ok(mut decoder) = Group4Decoder::new(bytes, columns);
            for line in lines {
                match decoder.advance() {
                    Ok(DecodeStatus::Incomplete) => paint(line, decoder.transition(), width),
                    _ => return Err(damaged()),
                }
            }
        }
        (3, options) if options & 1 == 1 => {
            return Err(tiff(
                "Group 3 fax compression in two dimensions is not read; save it with Group 4",
            ));
        }
        (compression, _) => {
            let Ok(mut reader) = ByteReader::new(bytes);
            lines.try_for_each(|line| {
                if compression == 3 {
                    skip_end_of_line(&mut reader);
                }
                let changes = runs(&mut reader, width).ok_or_else(damaged)?;
                paint(line, &changes, width);
                if compression == 2 {
                    let Ok(()) = reader.consume(reader.bits_to_byte_boundary());
                }
                Ok::<_, Error>(())
            })?;
        }
    }
    Ok(data)
}

/// Steps over the mark between two rows, which fill may stand before.
fn skip_end_of_line<R: BitReader<Error = Infallible>>(reader: &mut R) {
    while reader.peek(12) == Some(0) {
        let Ok(()) = reader.consume(1);
    }
    if reader.peek(12) == Some(1) {
        let Ok(()) = reader.consume(12);
    }
}

/// Where the colour changes in a row of one dimension, which starts white.
fn runs<R: BitReader>(reader: &mut R, width: usize) -> Option<Vec<u16>> {
    let (mut at, mut dark, mut changes) = (0, false, Vec::new());
    while at < width {
        loop {
            let run = if dark { black::decode(reader)? } else { white::decode(reader)? };
            at += usize::from(run);
            // Long runs come in parts, of which the last is short.
            if run < 64 {
                break;
            }
        }
        if at > width {
            return None;
        }
        changes.push(at as u16);
        dark = !dark;
    }
    Some(changes)
}

/// Sets the black pixels of a row.
fn paint(line: &mut [u8], changes: &[u16], width: usize) {
    for pair in changes.chunks(2) {
        let from = usize::from(pair[0]);
        let until = pair.get(1).map_or(width, |&until| usize::from(until)).min(width);
        for x in from..until {
            line[x / 8] |= 0x80 >> (x % 8);
        }
    }
}
