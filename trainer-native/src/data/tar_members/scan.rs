//! Looking through a tar file, as Python's `tarfile` does, but without passing over what it does not understand.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use avse_core::input::encoding;

use super::ahead::{self, Ahead};
use super::header::{BLOCK, Header};
use super::name;

/// Longest headers beside a member's own; they hold names and attributes.
const LONGEST: u64 = 16 << 20;

/// A member as it stands there.
pub(super) struct Entry {
    pub name: Vec<u8>,
    pub what: What,
}

/// What a member is.
pub(super) enum What {
    /// Its bytes start at `offset`.
    File {
        offset: u64,
        bytes: u64,
    },
    /// Another name of a member before it.
    HardLink(Vec<u8>),
    /// A path, relative to its own folder.
    SymbolicLink(Vec<u8>),
    Folder,
    /// Why it cannot be read.
    Unreadable(&'static str),
}

/// Notes every member of a tar file of `length` bytes, of several such files that were joined, too.
///
/// # Errors
/// What is wrong, and where; the members before it have been noted.
pub(super) fn scan(file: File, length: u64, found: &mut Vec<Entry>) -> Result<(), String> {
    let mut source = Source { file: BufReader::new(file), length };
    let (mut at, mut ended) = (0, false);
    let mut before = Ahead::default();
    loop {
        let mut block = [0; BLOCK];
        let left = length.saturating_sub(at).min(BLOCK as u64) as usize;
        source.read(at, &mut block[..left])?;
        let whole = left == BLOCK;
        if block.iter().all(|&byte| byte == 0) && (whole || ended) {
            if before.any {
                return Err("the file is truncated: it ends within the headers of a member".into());
            }
            if !whole {
                return Ok(());
            }
            ended = true;
            at += BLOCK as u64;
            continue;
        }
        let header = Header::parse(&block).filter(|_| whole);
        let Some(header) = header else {
            return Err(no_header(&block[..left], at, ended));
        };
        ended = false;
        at = member(&mut source, at + BLOCK as u64, header, &mut before, found)?;
    }
}

/// Why there is no header in a block.
fn no_header(block: &[u8], at: u64, ended: bool) -> String {
    match (at, ended) {
        (0, _) if block.is_empty() => "the file is empty".into(),
        (0, _) => encoding::packed(block).unwrap_or_else(|| {
            "this is no tar file: it does not start with the header of a member".into()
        }),
        (_, true) => {
            format!("something that is no tar file stands behind the end mark, at byte {at}")
        }
        _ if block.len() < BLOCK => "the file is truncated: it has no end mark".into(),
        _ => format!("it is damaged: at byte {at} there is no header of a member"),
    }
}

/// Takes a header in, whose data start at `data`; returns where the next header is.
fn member(
    source: &mut Source,
    data: u64,
    header: Header,
    before: &mut Ahead,
    found: &mut Vec<Entry>,
) -> Result<u64, String> {
    if let b'L' | b'K' | b'x' | b'X' | b'g' = header.kind {
        let content = source.take(data, header.bytes)?;
        match header.kind {
            b'L' => before.long_name(&content),
            b'K' => before.long_link(&content),
            b'g' => ahead::of_all(&content)?,
            _ => before.records(&content)?,
        }
        return after(data, header.bytes);
    }
    let Ahead { name, link, bytes, sparse, .. } = std::mem::take(before);
    let (is_folder, kind, doubtful) =
        (header.is_folder(), header.kind, header.doubtful_name && name.is_none());
    let (name, link) = (name.unwrap_or(header.name), link.unwrap_or(header.link));
    let bytes = bytes.unwrap_or(header.bytes);
    let mut offset = data;
    if kind == b'S' {
        let mut goes_on = header.map_goes_on;
        while goes_on {
            let mut map = [0; BLOCK];
            source.read(offset, &mut map)?;
            goes_on = map[504] != 0;
            offset += BLOCK as u64;
        }
    }
    let what = match kind {
        _ if is_folder => What::Folder,
        b'1' => What::HardLink(link),
        b'2' => What::SymbolicLink(link),
        b'3' | b'4' | b'6' => What::Unreadable("it is a device or a pipe, not a file"),
        _ if doubtful => What::Unreadable(
            "it is of an incremental archive of GNU tar: unpack it and pack it anew",
        ),
        b'S' => What::Unreadable(SPARSE),
        _ if sparse => What::Unreadable(SPARSE),
        // Unknown kinds are files, as POSIX has it.
        _ => What::File { offset, bytes },
    };
    let stored =
        matches!(what, What::File { .. }) || !is_folder && !matches!(kind, b'1'..=b'4' | b'6');
    let bytes = if stored { bytes } else { 0 };
    let next = after(offset, bytes)?;
    if offset + bytes > source.length {
        return Err(format!(
            "the file is truncated: member {:?} ends at byte {}, the file at {}",
            name::text(&name),
            offset + bytes,
            source.length
        ));
    }
    found.push(Entry { name, what });
    Ok(next)
}

const SPARSE: &str = "it is stored as a sparse file: unpack it and pack it without --sparse";

/// Where the next header is.
fn after(data: u64, bytes: u64) -> Result<u64, String> {
    let end = data.checked_add(bytes).and_then(|end| end.checked_next_multiple_of(BLOCK as u64));
    end.ok_or_else(|| format!("it is damaged: a member of {bytes} bytes"))
}

struct Source {
    file: BufReader<File>,
    length: u64,
}

impl Source {
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), String> {
        let here = self.file.stream_position().map_err(|e| e.to_string())?;
        let there = match i64::try_from(i128::from(at) - i128::from(here)) {
            Ok(way) => self.file.seek_relative(way),
            Err(_) => self.file.seek(SeekFrom::Start(at)).map(drop),
        };
        there.and_then(|()| self.file.read_exact(into)).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                "the file is truncated: it ends within a member".into()
            }
            _ => e.to_string(),
        })
    }

    fn take(&mut self, at: u64, bytes: u64) -> Result<Vec<u8>, String> {
        if bytes > LONGEST {
            return Err(format!("it is damaged: a header of {bytes} bytes"));
        }
        if at + bytes > self.length {
            return Err("the file is truncated: it ends within the headers of a member".into());
        }
        let mut content = vec![0; bytes as usize];
        self.read(at, &mut content)?;
        Ok(content)
    }
}
