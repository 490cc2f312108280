//! The storages of a PyTorch file: each is read once, from start to end.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use burn::tensor::{DType, TensorData};

use super::view::{Storage, View, referred};
use crate::weights::StateDict;
use crate::weights::pickle::Pickle;

/// How many times its own length a file may become in memory: tensors may share storages, and storages may
/// be compressed, but a few bytes must not stand for more than memory holds.
const MAX_GROWTH: u128 = 16;
/// What every file may become.
const FREE_GROWTH: u128 = 16 << 20;
/// How much is read at a time.
const CHUNK: usize = 1 << 18;

/// Where the storages are.
pub(super) struct Storages<R> {
    place: Place<R>,
    big_endian: bool,
    /// The file's length.
    length: u64,
}

enum Place<R> {
    /// Entries `data/<key>` in a folder of an archive.
    Zip(zip::ZipArchive<R>, String),
    /// One after the other from a byte on, each after the number of its elements.
    Old(R, Vec<String>, u64),
}

impl<R: Read + Seek> Storages<R> {
    pub fn zip(archive: zip::ZipArchive<R>, folder: String, big_endian: bool, length: u64) -> Self {
        Self { place: Place::Zip(archive, folder), big_endian, length }
    }

    pub fn old(source: R, keys: Vec<String>, position: u64, length: u64) -> Self {
        // Also on a big-endian machine PyTorch wrote these little-endian.
        Self { place: Place::Old(source, keys, position), big_endian: false, length }
    }

    /// Reads the tensors that `views` are.
    pub fn read(self, pickle: &Pickle, views: BTreeMap<String, View>) -> Result<StateDict, String> {
        let mut wanted = Wanted::new();
        let mut bytes = 0;
        for (name, view) in views {
            bytes += view.bytes();
            wanted.entry(view.storage.key.clone()).or_default().push((name, view));
        }
        let storages = wanted.values().filter_map(|views| views.first());
        bytes = bytes.max(storages.map(|(_, view)| view.storage.bytes() as u128).sum());
        if bytes > u128::from(self.length) * MAX_GROWTH + FREE_GROWTH {
            let length = self.length;
            return Err(format!("its tensors take {bytes} bytes, and the file has only {length}"));
        }
        let mut reader = Reader { weights: StateDict::new(), big_endian: self.big_endian };
        match self.place {
            Place::Zip(mut archive, folder) => {
                for (key, views) in wanted {
                    let name = format!("{folder}data/{key}");
                    let tensor = views.first().map(|(name, _)| name.clone()).unwrap_or_default();
                    read_entry(&mut archive, &name, views, &mut reader)
                        .map_err(|e| format!("`{tensor}`, in `{name}`: {e}"))?;
                }
            }
            Place::Old(mut source, keys, position) => {
                let io = |e: std::io::Error| e.to_string();
                source.seek(SeekFrom::Start(position)).map_err(io)?;
                let left = self.length.saturating_sub(position);
                read_old(&mut source, left, &keys, pickle, wanted, &mut reader)?;
            }
        }
        Ok(reader.weights)
    }
}

fn read_entry<R: Read + Seek>(
    archive: &mut zip::ZipArchive<R>,
    name: &str,
    views: Vec<(String, View)>,
    reader: &mut Reader,
) -> Result<(), String> {
    let index = archive.index_for_name(name).ok_or("not in the archive")?;
    let entry = archive.by_index(index).map_err(|e| e.to_string())?;
    let length = entry.size();
    reader.fill(entry, length, views)
}

/// Storages of the form before PyTorch 1.6, of `left` bytes.
fn read_old<R: Read + Seek>(
    source: &mut R,
    mut left: u64,
    keys: &[String],
    pickle: &Pickle,
    mut wanted: Wanted,
    reader: &mut Reader,
) -> Result<(), String> {
    let io = |e: std::io::Error| e.to_string();
    let mut known: HashMap<String, Storage> = HashMap::new();
    for reference in pickle.references() {
        // Of a type that is not read it stays unknown, and cannot be passed over.
        if let Ok(storage) = referred(pickle, reference) {
            known.insert(storage.key.clone(), storage);
        }
    }
    for key in keys {
        if wanted.is_empty() {
            break;
        }
        let storage = known.get(key).ok_or_else(|| format!("storage `{key}`: of no known type"))?;
        let mut count = [0; 8];
        source.read_exact(&mut count).map_err(|_| CUT_SHORT.to_string())?;
        let (count, bytes) = (u64::from_le_bytes(count), storage.bytes() as u64);
        if count != storage.elements as u64 {
            return Err(format!("storage `{key}`: {count} elements, not {}", storage.elements));
        }
        left = left.checked_sub(8).and_then(|left| left.checked_sub(bytes)).ok_or(CUT_SHORT)?;
        match wanted.remove(key) {
            Some(views) => reader.fill(source.by_ref().take(bytes), bytes, views)?,
            None => drop(source.seek_relative(bytes as i64).map_err(io)?),
        }
    }
    match wanted.into_values().flatten().next() {
        Some((name, _)) => Err(format!("`{name}`: its storage is not in the file")),
        None => Ok(()),
    }
}

/// Tensors by their storages.
type Wanted = BTreeMap<String, Vec<(String, View)>>;

const CUT_SHORT: &str = "the file is cut short; fetch it again";

/// What was read so far.
struct Reader {
    weights: StateDict,
    big_endian: bool,
}

impl Reader {
    /// Reads one storage of `length` bytes and takes all that `views` need of it.
    fn fill(
        &mut self,
        mut source: impl Read,
        length: u64,
        views: Vec<(String, View)>,
    ) -> Result<(), String> {
        let mut parts = Vec::with_capacity(views.len());
        // What views that are not contiguous need, all together.
        let mut scattered = Part::new(0..0);
        for (_, view) in &views {
            let expected = view.storage.bytes();
            if length != expected as u64 {
                return Err(format!("{length} bytes instead of {expected}"));
            }
            if self.big_endian && view.dtype.size() != view.storage.dtype.size() {
                // PyTorch leaves such bytes in either order.
                return Err(format!("{:?} in a big-endian file; save it as int64", view.dtype));
            }
            let range = view.range().ok_or("reaches beyond its storage")?;
            if view.is_contiguous() {
                parts.push(Part::new(range));
            } else {
                let all = &mut scattered.range;
                *all = if all.start == all.end {
                    range
                } else {
                    all.start.min(range.start)..all.end.max(range.end)
                };
                parts.push(Part::new(0..0));
            }
        }
        let mut buffer = vec![0; CHUNK];
        let mut position = 0;
        loop {
            // To the very end: only there an archive's checksum is compared.
            let read = source.read(&mut buffer).map_err(|e| format!("{e}; the file is damaged"))?;
            if read == 0 {
                break;
            }
            for part in parts.iter_mut().chain([&mut scattered]) {
                part.take(&buffer[..read], position);
            }
            position += read;
        }
        if position as u64 != length {
            return Err(CUT_SHORT.to_string());
        }
        for ((name, view), part) in views.into_iter().zip(parts) {
            let bytes = if view.is_contiguous() {
                part.bytes
            } else {
                view.gather(&scattered.bytes, scattered.range.start)
            };
            let bytes = plain(bytes, view.dtype, self.big_endian);
            let data = TensorData::try_from_bytes_vec(bytes, view.shape, view.dtype);
            self.weights.insert(&name, data.map_err(|e| format!("`{name}`: {e}"))?);
        }
        Ok(())
    }
}

/// A range of a storage's bytes, as far as they were read.
struct Part {
    range: Range<usize>,
    bytes: Vec<u8>,
}

impl Part {
    fn new(range: Range<usize>) -> Self {
        Self { range, bytes: Vec::new() }
    }

    /// Takes what belongs to it of `chunk`, the bytes from `position` on.
    fn take(&mut self, chunk: &[u8], position: usize) {
        let start = self.range.start.max(position);
        let end = self.range.end.min(position + chunk.len());
        if start < end {
            if self.bytes.is_empty() {
                self.bytes.reserve_exact(self.range.len());
            }
            self.bytes.extend_from_slice(&chunk[start - position..end - position]);
        }
    }
}

/// The bytes as this machine has them, truth values as 0 and 1.
fn plain(mut bytes: Vec<u8>, dtype: DType, big_endian: bool) -> Vec<u8> {
    if big_endian != cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    }
    if matches!(dtype, DType::Bool(_)) {
        bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
    }
    bytes
}
