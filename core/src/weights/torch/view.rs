//! A tensor in a PyTorch file: which part of which storage it is, and in what order.

use std::ops::Range;

use burn::tensor::{BoolStore, DType};

use crate::weights::pickle::{Id, PERSISTENT, Pickle};

/// How deep functions that make tensors of tensors may nest.
const MAX_DEPTH: usize = 8;
/// PyTorch's own limit.
const MAX_DIMENSIONS: usize = 64;

/// A block of numbers in the file.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    /// Its name in the file.
    pub key: String,
    /// The type of its elements.
    pub dtype: DType,
    /// Its elements. Lengths of bytes and what counts elements fit the machine's word.
    pub elements: usize,
    /// The element that it starts with: old files have parts of storages under a name of their own.
    start: usize,
}

/// A tensor as a view of a storage.
#[derive(Debug)]
pub(super) struct View {
    pub storage: Storage,
    /// The type of its elements, mostly the storage's.
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// Elements from one to the next in each dimension.
    strides: Vec<usize>,
    /// Its first element.
    offset: usize,
    /// How many elements it has.
    pub elements: usize,
}

/// The tensor that the object at `id` would become; `None` for what is none.
pub(super) fn view(pickle: &Pickle, id: Id) -> Option<Result<View, String>> {
    let (class, object) = pickle.object(id)?;
    made_by(pickle, class, object.arguments, 0)
}

/// What the function `class` makes of its arguments, if that is a tensor.
fn made_by(
    pickle: &Pickle,
    class: &str,
    arguments: Id,
    depth: usize,
) -> Option<Result<View, String>> {
    let name = class.rsplit('.').next().unwrap_or(class);
    if depth > MAX_DEPTH {
        return Some(Err("nests too deeply".to_string()));
    }
    let list = pickle.list(arguments).unwrap_or_default();
    let from_torch = class.starts_with("torch.");
    let inner = match name {
        "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3" if from_torch => {
            Some(dense(pickle, name, list))
        }
        "_rebuild_parameter" | "_rebuild_parameter_with_state" if from_torch => {
            let (class, object) = pickle.object(*list.first()?)?;
            made_by(pickle, class, object.arguments, depth + 1)
        }
        "_rebuild_from_type" | "_rebuild_from_type_v2" if from_torch => {
            let &[function, _, arguments, ..] = list else { return Some(Err(unknown(class))) };
            made_by(pickle, pickle.class(function)?, arguments, depth + 1)
        }
        _ if from_torch && (name.starts_with("_rebuild_") || name.contains("Tensor"))
            || name.ends_with("Parameter") =>
        {
            return Some(Err(unknown(class)));
        }
        _ => return None,
    };
    inner.or_else(|| Some(Err(unknown(class))))
}

/// What is to be said of a tensor that is no plain block of numbers.
fn unknown(class: &str) -> String {
    let kind = |part: &str| class.contains(part);
    let what = if kind("sparse") {
        "is sparse; save its `.to_dense()`"
    } else if kind("qtensor") {
        "is quantised; save its `.dequantize()`"
    } else if kind("meta") {
        "is on the meta device and has no values; save the model after its weights were made"
    } else if kind("Uninitialized") {
        "has no values yet (a lazy layer); save the model after its first use"
    } else {
        "is no plain tensor; save it as a `torch.Tensor`"
    };
    format!("{what} ({class})")
}

fn dense(pickle: &Pickle, function: &str, arguments: &[Id]) -> Result<View, String> {
    let &[storage, offset, shape, strides, ref rest @ ..] = arguments else {
        return Err(format!("{function} without its arguments"));
    };
    let storage = stored(pickle, storage)?;
    let mut dtype = storage.dtype;
    if function.ends_with("v3") {
        let name = rest.get(2).and_then(|id| pickle.class(*id));
        dtype = scalar(name.ok_or("a tensor without a type")?)?;
    }
    let metadata = rest.get(if function.ends_with("v3") { 3 } else { 2 });
    if metadata.and_then(|id| pickle.entries(*id)).is_some_and(|entries| !entries.is_empty()) {
        return Err("is a negated or conjugated view; save its `.resolve_neg()`".to_string());
    }
    let offset = pickle.int(offset).and_then(|n| usize::try_from(n).ok());
    let offset = offset.ok_or("its start is no number")?;
    let shape = sizes(pickle, shape).ok_or("its shape is no list of numbers")?;
    let strides = sizes(pickle, strides).ok_or("its strides are no list of numbers")?;
    if shape.len() != strides.len() || shape.len() > MAX_DIMENSIONS {
        return Err(format!("{} sizes and {} strides", shape.len(), strides.len()));
    }
    let product = |n: usize, size: &usize| n.checked_mul(*size);
    let elements = shape.iter().try_fold(1, product).ok_or("is larger than any memory")?;
    let offset = offset.checked_add(storage.start * storage.dtype.size() / dtype.size());
    let offset = offset.ok_or("starts outside of its storage")?;
    let view = View { storage, dtype, shape, strides, offset, elements };
    if view.range().is_none() {
        let held = view.storage.elements;
        return Err(format!("{:?} reaches beyond its storage of {held} elements", view.shape));
    }
    Ok(view)
}

/// The storage that a reference names: ("storage", class, key, device, elements, part).
pub(super) fn referred(pickle: &Pickle, reference: Id) -> Result<Storage, String> {
    let arguments = pickle.list(reference).unwrap_or_default();
    let &[kind, class, key, _, elements, ref rest @ ..] = arguments else {
        return Err("refers to no storage".to_string());
    };
    if pickle.text(kind) != Some("storage") {
        return Err("refers to no storage".to_string());
    }
    let class = pickle.class(class).ok_or("its storage has no type")?;
    let dtype = scalar(class)?;
    let key = pickle.text(key).ok_or("its storage has no name")?.to_string();
    let elements = pickle.int(elements).and_then(|n| usize::try_from(n).ok());
    let elements = elements.filter(|n| n.checked_mul(dtype.size()).is_some());
    let elements = elements.ok_or("the size of its storage is no number")?;
    let part = rest.first().and_then(|id| pickle.list(*id)).and_then(|part| part.get(1));
    let start = part.and_then(|id| pickle.int(*id)).unwrap_or(0);
    let start = usize::try_from(start).ok().filter(|start| *start <= elements);
    let start = start.ok_or("starts outside of its storage")?;
    Ok(Storage { key, dtype, elements, start })
}

fn stored(pickle: &Pickle, id: Id) -> Result<Storage, String> {
    match pickle.object(id) {
        Some((PERSISTENT, object)) => referred(pickle, object.arguments),
        _ => Err("has no storage".to_string()),
    }
}

/// A tuple of sizes, bare or as `torch.Size`.
fn sizes(pickle: &Pickle, id: Id) -> Option<Vec<usize>> {
    let bare = pickle.object(id).map_or(Some(id), |(_, object)| {
        let arguments = pickle.list(object.arguments)?;
        arguments.first().copied()
    });
    let sizes = pickle.list(bare?)?.iter();
    sizes.map(|id| usize::try_from(pickle.int(*id)?).ok()).collect()
}

/// The element type of a storage's class or of PyTorch's name for it.
fn scalar(class: &str) -> Result<DType, String> {
    let name = class.rsplit('.').next().unwrap_or(class);
    Ok(match name {
        "DoubleStorage" | "float64" => DType::F64,
        "FloatStorage" | "float32" => DType::F32,
        "HalfStorage" | "float16" => DType::F16,
        "BFloat16Storage" | "bfloat16" => DType::BF16,
        "LongStorage" | "int64" => DType::I64,
        "IntStorage" | "int32" => DType::I32,
        "ShortStorage" | "int16" => DType::I16,
        "CharStorage" | "int8" => DType::I8,
        "uint64" => DType::U64,
        "uint32" => DType::U32,
        "uint16" => DType::U16,
        "ByteStorage" | "uint8" | "UntypedStorage" => DType::U8,
        "BoolStorage" | "bool" => DType::Bool(BoolStore::Native),
        _ if name.starts_with('Q') || name.starts_with('q') => {
            return Err(format!("is quantised ({class}); save its `.dequantize()`"));
        }
        _ => return Err(format!("has the type {class}; save it as `.float()`")),
    })
}

impl View {
    /// The bytes of the storage that it reaches over; `None` if that is beyond its end.
    pub fn range(&self) -> Option<Range<usize>> {
        if self.elements == 0 {
            return Some(0..0);
        }
        let reach = |sum: usize, (size, stride): (&usize, &usize)| {
            sum.checked_add((size - 1).checked_mul(*stride)?)
        };
        let last = self.shape.iter().zip(&self.strides).try_fold(self.offset, reach)?;
        let size = self.dtype.size();
        let end = last.checked_add(1)?.checked_mul(size)?;
        (end <= self.storage.bytes()).then(|| self.offset * size..end)
    }

    /// How many bytes it takes by itself.
    pub fn bytes(&self) -> u128 {
        self.elements as u128 * self.dtype.size() as u128
    }

    /// Whether its elements stand one after the other.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.elements == 0
            || self.shape.iter().zip(&self.strides).rev().all(|(size, stride)| {
                let fits = *size == 1 || *stride == expected;
                expected *= size;
                fits
            })
    }

    /// Its elements one after the other, of a part of the storage that starts at the byte `start`.
    pub fn gather(&self, part: &[u8], start: usize) -> Vec<u8> {
        let size = self.dtype.size();
        let mut gathered = Vec::with_capacity(self.elements * size);
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        for _ in 0..self.elements {
            let byte = at * size - start;
            gathered.extend_from_slice(&part[byte..byte + size]);
            for dimension in (0..index.len()).rev() {
                index[dimension] += 1;
                // Wrapping: the stride of a dimension of size 1 may be any number, and is taken back.
                at = at.wrapping_add(self.strides[dimension]);
                if index[dimension] < self.shape[dimension] {
                    break;
                }
                at = at.wrapping_sub(self.strides[dimension].wrapping_mul(self.shape[dimension]));
                index[dimension] = 0;
            }
        }
        gathered
    }
}

impl Storage {
    /// How many bytes it takes in the file.
    pub fn bytes(&self) -> usize {
        self.elements * self.dtype.size()
    }
}
