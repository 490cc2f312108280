//! What a file is by its first bytes, whatever its name says.

use super::raw;
use crate::image::formats::PictureFormat;

/// The format; `None` for what is no known picture.
pub(super) fn of(bytes: &[u8]) -> Option<PictureFormat> {
    let starts = |signature: &[u8]| bytes.starts_with(signature);
    let at = |place: usize, signature: &[u8]| {
        bytes.get(place..).is_some_and(|rest| rest.starts_with(signature))
    };
    Some(match bytes {
        _ if starts(b"\x89PNG\r\n\x1a\n") => PictureFormat::Png,
        _ if starts(b"\xFF\xD8\xFF") => PictureFormat::Jpeg,
        _ if starts(b"RIFF") && at(8, b"WEBP") => PictureFormat::WebP,
        _ if starts(b"GIF87a") || starts(b"GIF89a") => PictureFormat::Gif,
        _ if raw::is_raw(bytes) => PictureFormat::Raw,
        _ if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|mark| starts(*mark)) => {
            PictureFormat::Tiff
        }
        _ if starts(b"\xFF\x0A") || starts(b"\0\0\0\x0CJXL \r\n\x87\n") => PictureFormat::JpegXl,
        _ if starts(b"\0\0\0\x0CjP  \r\n\x87\n") || starts(b"\xFF\x4F\xFF\x51") => {
            PictureFormat::Jpeg2000
        }
        _ if at(4, b"ftyp") => brand(bytes)?,
        _ if starts(b"8BPS") => PictureFormat::Photoshop,
        _ if starts(b"%!PS") || starts(b"<svg") || is_svg(bytes) => PictureFormat::Drawing,
        _ if starts(b"\x76\x2F\x31\x01")
            || starts(b"#?RADIANCE")
            || starts(b"qoif")
            || starts(b"DDS ")
            || starts(b"gimp xcf")
            || starts(b"BPG\xFB")
            || starts(b"FLIF")
            || starts(b"icns")
            || starts(b"\0\0\x01\0")
            || starts(b"II\xBC\x01") =>
        {
            PictureFormat::Other
        }
        [b'P', b'1'..=b'7' | b'F' | b'f', b' ' | b'\n' | b'\r' | b'\t', ..] => PictureFormat::Other,
        _ if starts(b"BM") => PictureFormat::Bmp,
        _ => return None,
    })
}

/// A file made of boxes, by the brands in its first one.
fn brand(bytes: &[u8]) -> Option<PictureFormat> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let brands = bytes.get(8..length.min(bytes.len()))?.as_chunks::<4>().0;
    let has = |wanted: &[&[u8; 4]]| brands.iter().any(|brand| wanted.contains(&brand));
    if has(&[b"avif", b"avis"]) {
        Some(PictureFormat::Avif)
    } else if has(&[b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"]) {
        Some(PictureFormat::Heic)
    } else {
        None
    }
}

fn is_svg(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(1024)];
    let xml = head.starts_with(b"<?xml") || head.starts_with(b"\xEF\xBB\xBF<?xml");
    xml && head.windows(4).any(|part| part == b"<svg")
}
