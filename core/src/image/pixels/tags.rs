//! Directories of tags: TIFF files consist of them, and EXIF data and cameras' raw files are written as TIFF files.

use ::image::metadata::Orientation;

/// One directory, of a file with 32-bit or (BigTIFF) 64-bit offsets, in either byte order. Every reading is checked
/// against the file's length.
#[derive(Clone)]
pub(super) struct Tags<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) big_endian: bool,
    big: bool,
    entries: Vec<Entry>,
    /// Where the next directory stands; 0 for none.
    pub(super) next: usize,
}

#[derive(Clone)]
struct Entry {
    tag: u16,
    kind: u16,
    count: usize,
    at: usize,
}

/// The tag that says how the camera was held.
const ORIENTATION: u16 = 274;

impl<'a> Tags<'a> {
    /// The first directory of a file.
    pub(super) fn first(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..2)? {
            b"II" => false,
            b"MM" => true,
            _ => return None,
        };
        let mut file = Self { bytes, big_endian, big: false, entries: Vec::new(), next: 0 };
        file.big = file.whole(2, 2)? == 43;
        let at = if file.big { file.whole(8, 8)? } else { file.whole(4, 4)? };
        file.directory(usize::try_from(at).ok()?)
    }

    /// Another directory of the same file.
    pub(super) fn directory(&self, at: usize) -> Option<Self> {
        let mut found = Self { entries: Vec::new(), ..*self };
        // Widths of the count of entries, of an entry, and of a value in it.
        let (head, step, value) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let count = usize::try_from(self.whole(at, head)?).ok()?;
        for index in 0..count.min(self.bytes.len() / step) {
            let place = at + head + index * step;
            let (tag, kind) = (self.whole(place, 2)? as u16, self.whole(place + 2, 2)? as u16);
            let count = usize::try_from(self.whole(place + 4, value)?).ok()?;
            let at = place + 4 + value;
            let inside = count.checked_mul(size(kind)).is_some_and(|size| size <= value);
            let at = if inside { at } else { usize::try_from(self.whole(at, value)?).ok()? };
            found.entries.push(Entry { tag, kind, count, at });
        }
        let behind =
            count.checked_mul(step).and_then(|size| at.checked_add(head)?.checked_add(size));
        found.next = behind.and_then(|at| self.whole(at, value)).unwrap_or(0) as usize;
        Some(found)
    }

    /// `width` bytes at a place as a whole number.
    pub(super) fn whole(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(width)?)?;
        let join = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        Some(match self.big_endian {
            true => bytes.iter().fold(0, join),
            false => bytes.iter().rev().fold(0, join),
        })
    }

    /// The values of a tag, of any type of numbers; `None` where it is missing or damaged.
    pub(super) fn numbers(&self, tag: u16) -> Option<Vec<f64>> {
        let entry = self.entries.iter().find(|entry| entry.tag == tag)?;
        let width = size(entry.kind);
        // A damaged count must not take memory.
        self.bytes.get(entry.at..entry.at.checked_add(entry.count.checked_mul(width)?)?)?;
        (0..entry.count)
            .map(|index| {
                let at = entry.at + index * width;
                Some(match entry.kind {
                    2 => return None, // Text.
                    5 | 10 => self.whole(at, 4)? as f64 / self.whole(at + 4, 4)? as f64,
                    11 => f64::from(f32::from_bits(self.whole(at, 4)? as u32)),
                    12 => f64::from_bits(self.whole(at, 8)?),
                    _ => self.whole(at, width)? as f64,
                })
            })
            .collect()
    }

    /// A tag's values as whole numbers.
    pub(super) fn list(&self, tag: u16) -> Option<Vec<usize>> {
        let list: Vec<_> = self.numbers(tag)?.iter().map(|&number| number as usize).collect();
        // An entry of no values says nothing.
        (!list.is_empty()).then_some(list)
    }

    /// A tag's first value as a whole number.
    pub(super) fn number(&self, tag: u16) -> Option<usize> {
        self.list(tag)?.first().copied()
    }

    /// A tag's bytes.
    pub(super) fn raw(&self, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entries.iter().find(|entry| entry.tag == tag)?;
        let length = entry.count.checked_mul(size(entry.kind))?;
        self.bytes.get(entry.at..entry.at.checked_add(length)?)
    }

    /// How the picture is to be turned. Programs write it as numbers of several sizes, though the standard has one.
    pub(super) fn orientation(&self) -> Orientation {
        let number = self.number(ORIENTATION).and_then(|number| u8::try_from(number).ok());
        number.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
    }
}

fn size(kind: u16) -> usize {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => 1,
    }
}

/// The orientation that EXIF data states. Damaged data is no reason to refuse good pixels, and turns nothing.
pub(super) fn orientation(exif: &[u8]) -> Orientation {
    let bytes = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Tags::first(bytes).map_or(Orientation::NoTransforms, |tags| tags.orientation())
}
