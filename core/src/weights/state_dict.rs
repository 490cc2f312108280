//! Named tensors in memory, and the safetensors files that hold them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use burn::tensor::{BoolStore, DType, TensorData};
use half::f16;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::files::write_atomically;
use super::{Precision, quantised};
use crate::{Error, Result};

/// The largest header the safetensors format allows, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// Tensors by name, in the order of their names, held in memory.
///
/// The shapes are PyTorch's: a linear layer's weight is `[out, in]`.
#[derive(Debug, Clone, Default)]
pub struct StateDict {
    tensors: BTreeMap<String, TensorData>,
}

impl StateDict {
    /// No tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&TensorData> {
        self.tensors.get(name)
    }

    /// Adds a tensor; one of the same name is replaced and returned.
    pub fn insert(&mut self, name: impl Into<String>, data: TensorData) -> Option<TensorData> {
        self.tensors.insert(name.into(), data)
    }

    /// Takes the tensor called `name` out.
    pub fn remove(&mut self, name: &str) -> Option<TensorData> {
        self.tensors.remove(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// All tensors with their names, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TensorData)> {
        self.tensors.iter().map(|(name, data)| (name.as_str(), data))
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The same tensors under other names: `rename` is asked for each, and
    /// leaves out those it answers with `None`.
    pub fn renamed(self, mut rename: impl FnMut(&str) -> Option<String>) -> Self {
        let tensors = self.tensors.into_iter();
        Self { tensors: tensors.filter_map(|(name, data)| Some((rename(&name)?, data))).collect() }
    }

    /// Reads a safetensors file; 8-bit weights become f32.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Format`] if its header is
    /// broken, its length is not what the header says, 8-bit weights and their
    /// scales do not fit, or it holds a type that no supported model uses
    /// (quantised floats, complex numbers).
    pub fn read_safetensors(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
        Self::from_safetensors(BufReader::with_capacity(1 << 20, file), length, path)
    }

    /// Reads safetensors from any source of `length` bytes; `origin` is what
    /// errors name.
    ///
    /// # Errors
    /// As [`StateDict::read_safetensors`].
    pub fn from_safetensors(mut source: impl Read, length: u64, origin: &Path) -> Result<Self> {
        let io = |e| Error::io(origin, e);
        let bad = |what: String| Error::format(origin, what);
        let broken = |what: String| bad(format!("not safetensors: {what}"));

        let mut prefix = [0; 8];
        source.read_exact(&mut prefix).map_err(|e| broken(format!("header length: {e}")))?;
        let header_length = u64::from_le_bytes(prefix);
        if header_length > MAX_HEADER.min(length.saturating_sub(8)) {
            return Err(broken(format!("header of {header_length} bytes in {length}")));
        }
        let mut header = vec![0; header_length as usize];
        source.read_exact(&mut header).map_err(io)?;
        // Metadata checks on reading that the tensors tile the data without
        // gaps or overlap, so that they can be read one after the other.
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|e| broken(format!("header: {e}")))?;
        let names: Names =
            serde_json::from_slice(&header).map_err(|e| broken(format!("header: {e}")))?;
        if let Some(name) = names.twice {
            return Err(broken(format!("header: `{name}` is there twice")));
        }
        let expected = 8 + header_length + metadata.data_len() as u64;
        if expected != length {
            return Err(broken(format!("{length} bytes instead of {expected}; truncated?")));
        }

        let mut tensors = BTreeMap::new();
        for name in metadata.offset_keys() {
            let Some(info) = metadata.info(&name) else { continue };
            let dtype = dtype_from(info.dtype)
                .ok_or_else(|| bad(format!("`{name}` has type {}; save it as F32", info.dtype)))?;
            let mut bytes = vec![0; info.data_offsets.1 - info.data_offsets.0];
            source.read_exact(&mut bytes).map_err(io)?;
            if matches!(dtype, DType::Bool(_)) {
                bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
            }
            let data = TensorData::try_from_bytes_vec(bytes, info.shape.clone(), dtype)
                .map_err(|e| broken(format!("`{name}`: {e}")))?;
            tensors.insert(name, data);
        }
        quantised::restore(Self { tensors }).map_err(|message| Error::format(origin, message))
    }

    /// Writes a safetensors file, atomically and always the same bytes for the
    /// same tensors. It carries the metadata `format: pt` that PyTorch's
    /// loaders ask for.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written; [`Error::Weights`] if a
    /// tensor is of a type that safetensors does not know.
    pub fn write_safetensors(&self, path: impl AsRef<Path>, precision: Precision) -> Result<()> {
        let path = path.as_ref();
        if precision == Precision::Int8 {
            // What is still a float then are vectors.
            return quantised::quantise(self)?.write_safetensors(path, Precision::F32);
        }
        let mut entries = Vec::with_capacity(self.tensors.len());
        for (name, data) in &self.tensors {
            let dtype = stored_dtype(name, data, precision)?;
            let safe = dtype_into(dtype).ok_or_else(|| unwritable(name, data))?;
            entries.push((name, data, dtype, safe));
        }
        // Wide types first, so that every tensor is aligned to its own width.
        entries.sort_by(|a, b| b.2.size().cmp(&a.2.size()).then(a.0.cmp(b.0)));

        let mut end = 0;
        let mut infos = Vec::with_capacity(entries.len());
        for (name, data, dtype, safe) in &entries {
            let start = end;
            end += data.num_elements() * dtype.size();
            let (dtype, shape) = (*safe, data.shape().to_vec());
            infos.push(((*name).clone(), TensorInfo { dtype, shape, data_offsets: (start, end) }));
        }
        let note = HashMap::from([("format".to_string(), "pt".to_string())]);
        let header = Metadata::new(Some(note), infos).map_err(|e| e.to_string());
        let header = header.and_then(|m| serde_json::to_vec(&m).map_err(|e| e.to_string()));
        let mut header = header.map_err(Error::Weights)?;
        header.resize(header.len().next_multiple_of(8), b' ');

        write_atomically(path, |file| {
            file.write_all(&(header.len() as u64).to_le_bytes())?;
            file.write_all(&header)?;
            for (name, data, dtype, _) in &entries {
                // One tensor at a time: a cast never holds a second model.
                if *dtype == data.dtype() {
                    file.write_all(data.as_bytes())?;
                } else {
                    let cast = (*data).clone().try_cast(*dtype);
                    let cast = cast.map_err(|e| std::io::Error::other(format!("`{name}`: {e}")))?;
                    file.write_all(cast.as_bytes())?;
                }
            }
            Ok(())
        })
    }
}

impl IntoIterator for StateDict {
    type Item = (String, TensorData);
    type IntoIter = std::collections::btree_map::IntoIter<String, TensorData>;

    fn into_iter(self) -> Self::IntoIter {
        self.tensors.into_iter()
    }
}

impl FromIterator<(String, TensorData)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (String, TensorData)>>(tensors: I) -> Self {
        Self { tensors: tensors.into_iter().collect() }
    }
}

/// The keys of a header, as far as they are wrong: reading it into a map would keep one of two.
#[derive(Default)]
struct Names {
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with the tensors")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some((name, IgnoredAny)) = map.next_entry::<String, _>()? {
            if seen.contains(&name) {
                self.twice.get_or_insert(name);
            } else {
                seen.insert(name);
            }
        }
        Ok(self)
    }
}

/// The type in which a tensor goes to a file of this precision.
fn stored_dtype(name: &str, data: &TensorData, precision: Precision) -> Result<DType> {
    if !data.dtype().is_float() {
        return Ok(data.dtype());
    }
    let narrow = precision == Precision::F16 && data.rank() > 1 && fits_f16(name, data)?;
    Ok(if narrow { DType::F16 } else { DType::F32 })
}

/// Whether no finite value of `data` overflows in f16.
fn fits_f16(name: &str, data: &TensorData) -> Result<bool> {
    let values = data.try_to_vec_as::<f32>().map_err(|e| Error::Weights(format!("`{name}`: {e}")));
    let limit = f16::MAX.to_f32();
    Ok(values?.iter().all(|v| !v.is_finite() || v.abs() <= limit))
}

fn unwritable(name: &str, data: &TensorData) -> Error {
    Error::Weights(format!("`{name}` has type {:?}, which safetensors cannot hold", data.dtype()))
}

fn dtype_from(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U64 => DType::U64,
        Dtype::U32 => DType::U32,
        Dtype::U16 => DType::U16,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}

fn dtype_into(dtype: DType) -> Option<Dtype> {
    Some(match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool(BoolStore::Native) => Dtype::BOOL,
        _ => return None,
    })
}
