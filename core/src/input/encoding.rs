//! What the bytes of a file are that should be UTF-8 text.

use std::path::Path;

use crate::Error;

/// Kinds of files by their first bytes: what such a file is, and what to do with it.
const PACKED: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "compressed with gzip", "unpack it first (`gunzip < PACKED > PLAIN`)"),
    (b"\x1f\x9d", "compressed with compress", "unpack it first (`uncompress < PACKED > PLAIN`)"),
    (b"BZh", "compressed with bzip2", "unpack it first (`bunzip2 < PACKED > PLAIN`)"),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it first (`unxz < PACKED > PLAIN`)"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it first (`unzstd < PACKED > PLAIN`)"),
    (b"\x04\x22\x4d\x18", "compressed with lz4", "unpack it first (`unlz4 < PACKED > PLAIN`)"),
    (b"LZIP", "compressed with lzip", "unpack it first (`lzip -d < PACKED > PLAIN`)"),
    (
        b"PK\x03\x04",
        "a zip archive",
        "unpack it first (`unzip`); a spreadsheet (.xlsx, .ods) is one, too, and is to be saved as CSV in UTF-8",
    ),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document", "save it as CSV in UTF-8"),
    (b"PAR1", "a Parquet file", "write it as CSV or JSONL first"),
    (b"SQLite format 3\0", "an SQLite database", "write its table as CSV or JSONL first"),
    (b"%PDF-", "a PDF document", "it cannot be read here"),
];

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a file is, and what to do, when its first bytes are those of a compressed or packed file.
pub fn packed(bytes: &[u8]) -> Option<String> {
    let (_, what, advice) = PACKED.iter().find(|(start, ..)| bytes.starts_with(start))?;
    Some(format!("this is {what}: {advice}"))
}

/// The bytes without a byte order mark.
///
/// # Errors
/// What the file is, and what to do, when its first bytes say that it is no UTF-8: UTF-16, UTF-32, or a compressed
/// or packed file. What comes later is not looked at.
pub fn unmarked(bytes: &[u8]) -> Result<&[u8], String> {
    if let Some(rest) = bytes.strip_prefix(UTF8_MARK) {
        return Ok(rest);
    }
    if let Some(what) = packed(bytes) {
        return Err(what);
    }
    // Text of these files starts with an ASCII character, whose other bytes are zero.
    let wide = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => "UTF-32",
        [0, 0, 0, 1..=0x7f, ..] | [1..=0x7f, 0, 0, 0, ..] => "UTF-32",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16",
        [0, 1..=0x7f, ..] | [1..=0x7f, 0, ..] => "UTF-16",
        _ => return Ok(bytes),
    };
    Err(format!("this is {wide} text: save it as UTF-8 (`iconv -f {wide} -t UTF-8`)"))
}

/// Reads a text file, without its byte order mark.
///
/// # Errors
/// [`Error::Io`], or [`Error::Format`] as [`text`] has it.
pub fn read_text(path: &Path) -> crate::Result<String> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let text = text(&bytes).map_err(|message| Error::format(path, message))?;
    Ok(text.to_owned())
}

/// A file as text, without a byte order mark.
///
/// # Errors
/// As [`unmarked`], and the line, from 1, of the first byte that is not UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, String> {
    let bytes = unmarked(bytes)?;
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = &bytes[..error.valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line}: not UTF-8: save the file as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_taken_off_and_other_encodings_are_named() {
        assert_eq!(text(b"\xef\xbb\xbfa\n"), Ok("a\n"));
        assert_eq!(text(b""), Ok(""));
        assert_eq!(text("ä".as_bytes()), Ok("ä"));
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        for wide in [utf16("\u{feff}{}"), utf16("{}")] {
            assert!(text(&wide).unwrap_err().starts_with("this is UTF-16 text"));
        }
        assert!(text(b"\xfe\xff\0{\0}").unwrap_err().contains("UTF-16"));
        assert!(text(b"{\0\0\0}\0\0\0").unwrap_err().contains("UTF-32"));
        assert!(text(b"\x1f\x8b\x08").unwrap_err().contains("gunzip"));
        assert!(text(b"PK\x03\x04").unwrap_err().contains("spreadsheet"));
        assert!(text(b"a\nb\xe9\n").unwrap_err().starts_with("line 2: not UTF-8"));
    }
}
