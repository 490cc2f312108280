//! Cameras' raw files, by the JPEG picture that the camera put into them.
//!
//! Raw data is not developed here: every program does it differently. Cameras store a finished picture beside it, in
//! full size or nearly so, which is what people see of the file.

use ::image::metadata::Orientation;

use super::tags::Tags;
use super::{DecodeLimits, RgbImage, jpeg};
use crate::{Error, Result};

const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const STRIP_PLACES: u16 = 273;
const STRIP_SIZES: u16 = 279;
const SUB_DIRECTORIES: u16 = 330;
const JPEG_PLACE: u16 = 513;
const JPEG_SIZE: u16 = 514;
const DNG_VERSION: u16 = 50706;
const SENSOR: usize = 32803;
const LINEAR: usize = 34892;
/// Panasonic's, in its own directory.
const JPEG_OF_PANASONIC: u16 = 46;

/// Whether a file is a camera's raw file.
pub(super) fn is_raw(bytes: &[u8]) -> bool {
    let starts = |signature: &[u8]| bytes.starts_with(signature);
    let own = [&b"IIRO"[..], b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM"];
    if own.iter().any(|signature| starts(signature))
        || bytes.get(4..12) == Some(b"ftypcrx ")
        || bytes.get(6..14) == Some(b"HEAPCCDR")
        || (starts(b"II*\0") && bytes.get(8..10) == Some(b"CR"))
    {
        return true;
    }
    if !starts(b"II*\0") && !starts(b"MM\0*") {
        return false;
    }
    directories(bytes).iter().any(|tags| {
        tags.number(DNG_VERSION).is_some()
            || matches!(tags.number(PHOTOMETRIC), Some(SENSOR | LINEAR))
            || matches!(tags.number(COMPRESSION), Some(34713 | 32767 | 65535))
    })
}

/// Decodes the largest JPEG picture in a raw file, and turns it as the raw file says.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage> {
    let list = directories(bytes);
    let mut found = previews(bytes, &list);
    if found.is_empty() {
        found = search(bytes);
    }
    let sized = found.into_iter().filter_map(|preview| {
        let (width, height) = jpeg::size(preview)?;
        Some((width * height, preview))
    });
    let (_, preview) = sized.max_by_key(|(pixels, _)| *pixels).ok_or_else(|| {
        Error::Image(
            "a camera's raw file without a JPEG picture in it, which is not read; develop it to JPEG or TIFF".into(),
        )
    })?;
    let own = list.first().map(Tags::orientation).or_else(|| orientation_of_canon(bytes));
    jpeg::decode_preview(preview, own, limits)
}

/// The orientation in Canon's CR3 files, which consist of boxes: one near the start is a directory of tags.
fn orientation_of_canon(bytes: &[u8]) -> Option<Orientation> {
    let head = &bytes[..bytes.len().min(1 << 16)];
    let at = head.windows(4).position(|name| name == b"CMT1")?;
    Some(Tags::first(&bytes[at + 4..])?.orientation())
}

/// All directories of a file that is written as TIFF: the chain and those below.
fn directories(bytes: &[u8]) -> Vec<Tags<'_>> {
    const MOST: usize = 32; // A damaged file must not send us in circles.
    let mut list: Vec<Tags<'_>> = Tags::first(bytes).into_iter().collect();
    let mut index = 0;
    while index < list.len() && list.len() < MOST {
        let tags = list[index].clone();
        let mut places = tags.list(SUB_DIRECTORIES).unwrap_or_default();
        places.push(tags.next);
        let places = places.into_iter().filter(|&place| place > 0);
        let room = MOST - list.len();
        list.extend(places.take(room).filter_map(|place| tags.directory(place)));
        index += 1;
    }
    list
}

/// JPEG pictures that the directories name.
fn previews<'a>(bytes: &'a [u8], list: &[Tags<'a>]) -> Vec<&'a [u8]> {
    let part = |place: usize, size: usize| bytes.get(place..place.checked_add(size)?);
    let mut found = Vec::new();
    for tags in list {
        if let (Some(place), Some(size)) = (tags.number(JPEG_PLACE), tags.number(JPEG_SIZE)) {
            found.extend(part(place, size));
        }
        let finished = !matches!(tags.number(PHOTOMETRIC), Some(SENSOR | LINEAR));
        if matches!(tags.number(COMPRESSION), Some(6 | 7))
            && finished
            && let (Some(places), Some(sizes)) = (tags.list(STRIP_PLACES), tags.list(STRIP_SIZES))
            && let ([place], [size]) = (&places[..], &sizes[..])
        {
            found.extend(part(*place, *size));
        }
        found.extend(tags.raw(JPEG_OF_PANASONIC));
    }
    // Fujifilm's header has place and size.
    if bytes.starts_with(b"FUJIFILMCCD-RAW")
        && let Some(&[a, b, c, d, e, f, g, h]) = bytes.get(84..92)
    {
        let (place, size) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        found.extend(part(place as usize, size as usize));
    }
    found.retain(|preview| preview.starts_with(b"\xFF\xD8\xFF"));
    found
}

/// JPEG pictures by their first bytes, where no directory names them (Canon's CR3, Olympus): whatever has a header that
/// can be read.
fn search(bytes: &[u8]) -> Vec<&[u8]> {
    // A file made to be slow consists of first bytes.
    const MOST: usize = 1024;
    let places = memchr::memmem::find_iter(bytes, b"\xFF\xD8\xFF").take(MOST);
    places.map(|at| &bytes[at..]).filter(|preview| jpeg::size(preview).is_some()).collect()
}
