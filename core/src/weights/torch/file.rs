//! The forms that `torch.save` has written, told by their first bytes.

use std::io::{Read, Seek, SeekFrom};

use super::storage::Storages;
use crate::weights::pickle::Pickle;
use crate::weights::source::foreign;

/// How large a pickle may be.
const MAX_PICKLE: u64 = 100_000_000;
/// As the first pickle has it, an integer of ten bytes, what files before PyTorch 1.6 start with.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
/// The only version of that form.
const OLD_VERSION: i64 = 1001;
/// How much of a file is looked at first.
const FIRST_READ: u64 = 1 << 20;

/// The values in a file, and where its storages are.
pub(super) fn open<R: Read + Seek>(mut source: R) -> Result<(Pickle, Storages<R>), String> {
    let length = source.seek(SeekFrom::End(0)).map_err(|e| e.to_string())?;
    let head = prefix(&mut source, 512)?;
    if head.starts_with(b"PK\x03\x04") {
        return open_zip(source, length);
    }
    if head.first() == Some(&0x80) {
        return open_old(source, length);
    }
    let tar = head.get(257..262) == Some(b"ustar".as_slice())
        || [&b"pickle\0"[..], b"storages\0", b"tensors\0", b"sys_info\0"]
            .iter()
            .any(|name| head.starts_with(name));
    Err(if tar {
        "a tar file, as PyTorch wrote them before version 0.2; load it with PyTorch and save it again".to_string()
    } else {
        match foreign(&head) {
            Some(kind) => format!("it is {kind}"),
            None => "not a file that torch.save wrote".to_string(),
        }
    })
}

fn prefix(source: &mut (impl Read + Seek), length: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    source.rewind().map_err(|e| e.to_string())?;
    source.take(length).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

fn open_zip<R: Read + Seek>(source: R, length: u64) -> Result<(Pickle, Storages<R>), String> {
    let mut archive = zip::ZipArchive::new(source)
        .map_err(|e| format!("the zip archive is damaged or cut short ({e}); fetch it again"))?;
    if archive.has_duplicate_names() {
        return Err("the zip archive has two entries of one name".to_string());
    }
    let is_root = |name: &&str| {
        // `data.pkl` stands in a folder named after the file.
        let folder = name.strip_suffix("data.pkl").map(|top| top.strip_suffix('/').unwrap_or(top));
        folder.is_some_and(|folder| !folder.contains('/'))
    };
    let names: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let Some(name) = names.iter().map(String::as_str).find(is_root) else {
        return Err("a zip archive without `data.pkl`: torch.save did not write it".to_string());
    };
    let folder = name.trim_end_matches("data.pkl");
    if names.iter().any(|name| name.strip_prefix(folder) == Some("constants.pkl")) {
        return Err("a TorchScript program, not weights. Save its weights in Python: \
             torch.save(torch.jit.load(FILE).state_dict(), \"weights.pth\")"
            .to_string());
    }
    let pickle = entry(&mut archive, name, MAX_PICKLE)?.ok_or("`data.pkl` is gone")?;
    let order = entry(&mut archive, &format!("{folder}byteorder"), 16)?;
    let big_endian = match order.as_deref() {
        None | Some(b"little") => false,
        Some(b"big") => true,
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            return Err(format!("`byteorder` is `{other}`, not little or big"));
        }
    };
    let folder = folder.to_string();
    Ok((Pickle::parse(&pickle)?, Storages::zip(archive, folder, big_endian, length)))
}

/// A small entry of the archive, if it is there.
fn entry<R: Read + Seek>(
    archive: &mut zip::ZipArchive<R>,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, String> {
    let Some(index) = archive.index_for_name(name) else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = archive.by_index(index).map_err(std::io::Error::other);
    let read = read.and_then(|entry| entry.take(limit + 1).read_to_end(&mut bytes));
    let length = read.map_err(|e| format!("`{name}`: {e}; the file is damaged"))?;
    if length as u64 > limit {
        return Err(format!("`{name}` has more than {limit} bytes"));
    }
    Ok(Some(bytes))
}

/// Five pickles, then the storages one after the other.
fn open_old<R: Read + Seek>(mut source: R, length: u64) -> Result<(Pickle, Storages<R>), String> {
    let mut size = FIRST_READ;
    let (pickle, keys, position) = loop {
        let bytes = prefix(&mut source, size)?;
        match old_pickles(&bytes) {
            Ok(parts) => break parts,
            // It may go on behind what was read.
            Err(_) if size < length.min(MAX_PICKLE) => size = (size * 8).min(MAX_PICKLE),
            Err(message) => return Err(message),
        }
    };
    Ok((pickle, Storages::old(source, keys, position, length)))
}

/// The values, the storages' names in their order, and where the first one starts.
fn old_pickles(bytes: &[u8]) -> Result<(Pickle, Vec<String>, u64), String> {
    let mut position = 0;
    let mut next = || {
        let pickle = Pickle::parse(&bytes[position..])?;
        position += pickle.length;
        Ok::<_, String>(pickle)
    };
    let magic = next()?;
    if !bytes[..magic.length].windows(MAGIC.len()).any(|part| part == MAGIC) {
        return Err(
            "a pickle, but not of torch.save; save a state_dict with torch.save".to_string()
        );
    }
    let version = next()?;
    if version.int(version.root) != Some(OLD_VERSION) {
        return Err(format!("not of protocol version {OLD_VERSION}"));
    }
    let _machine = next()?;
    let pickle = next()?;
    let keys = next()?;
    let names = keys.list(keys.root).unwrap_or_default().iter();
    let names = names.map(|id| Some(keys.text(*id)?.to_string())).collect::<Option<Vec<_>>>();
    Ok((pickle, names.ok_or("a storage without a name")?, position as u64))
}
