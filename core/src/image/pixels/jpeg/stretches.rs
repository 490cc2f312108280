//! The coded data of a JPEG file's scans: stretches between restart markers, and whether all of it is there.

use std::borrow::Cow;
use std::ops::Range;

use super::header::{Header, damaged};
use crate::{Error, Result};

/// Bytes of ones behind every stretch of coded data, as many as a reader looks ahead and a few more. No Huffman code
/// consists of ones alone.
pub(super) const GUARD: usize = 24;
pub(super) const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

pub(super) fn truncated() -> Error {
    Error::Image("the JPEG file is truncated: part of its data is missing".into())
}

/// The coded data of one scan: stretches between restart markers.
pub(super) struct Stretches {
    pub(super) list: Vec<Range<usize>>,
    /// Whether the markers between them count 0 to 7 and start again.
    in_order: bool,
    /// Where the next other marker stands, or where the file ends.
    pub(super) end: usize,
}

impl Stretches {
    pub(super) fn find(bytes: &[u8], start: usize) -> Self {
        let mut found = Self { list: Vec::new(), in_order: true, end: bytes.len() };
        let (mut from, mut position) = (start, start);
        while let Some(ahead) = memchr::memchr(0xFF, &bytes[position..]) {
            let at = position + ahead;
            match bytes.get(at + 1) {
                None => break,
                Some(0) => position = at + 2,
                Some(0xFF) => position = at + 1, // Fill before a marker.
                Some(&marker @ 0xD0..=0xD7) => {
                    found.in_order &= usize::from(marker & 7) == found.list.len() % 8;
                    found.list.push(from..at);
                    position = at + 2;
                    from = position;
                }
                Some(_) => {
                    found.end = at;
                    break;
                }
            }
        }
        found.list.push(from..found.end);
        found
    }

    /// Checks that there are as many as `units` (MCUs or blocks) need, with a marker after every `interval`.
    pub(super) fn check(mut self, units: usize, interval: usize) -> Result<Self> {
        let wanted = if interval == 0 { 1 } else { units.div_ceil(interval) };
        // Some cameras write a marker behind the last one, too.
        if self.list.len() == wanted + 1 && self.list[wanted].is_empty() {
            self.list.pop();
        }
        match self.list.len() {
            count if count < wanted => {
                Err(damaged(&format!("{} restart markers are missing", wanted - count)))
            }
            count if count > wanted || !self.in_order => {
                Err(damaged("its restart markers are not in order"))
            }
            _ => Ok(self),
        }
    }
}

/// A copy of a sequential file of one scan in which every stretch of data is followed by ones.
pub(super) fn guarded<'a>(bytes: &'a [u8], header: &Header) -> Result<Cow<'a, [u8]>> {
    let (across, down) = header.largest();
    // A scan of one component counts its blocks.
    let (across, down) = if header.components.len() == 1 { (1, 1) } else { (across, down) };
    let units = header.width.div_ceil(8 * across) * header.height.div_ceil(8 * down);
    let stretches = Stretches::find(bytes, header.scan).check(units, header.restart_interval)?;
    let mut copy = Vec::with_capacity(stretches.end + stretches.list.len() * (2 * GUARD + 2));
    copy.extend(&bytes[..header.scan]);
    for (index, stretch) in stretches.list.iter().enumerate() {
        if index > 0 {
            copy.extend([0xFF, 0xD0 + (index - 1) as u8 % 8]);
        }
        guard(&mut copy, &bytes[stretch.clone()]);
    }
    copy.extend(END_OF_IMAGE);
    Ok(copy.into())
}

/// Adds a stretch and the ones behind it.
pub(super) fn guard(copy: &mut Vec<u8>, data: &[u8]) {
    copy.extend(data);
    copy.extend([0xFF, 0].repeat(GUARD));
}
