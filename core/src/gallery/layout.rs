//! `embeddings.safetensors`: which tensors it has, how they are written row by row and read.

use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;

use half::f16;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::manifest::StoredPrecision;
use crate::Result;
use crate::similarity::{BlockShape, Blocks, QuantisedBlocks};

/// The key of the generation among the file's metadata.
const GENERATION: &str = "generation";
/// The first tensor starts at a multiple of this: a cache line when mapped.
const ALIGNMENT: usize = 64;

/// A tensor of the file: so many bytes of each row.
pub(super) struct Column {
    pub(super) name: &'static str,
    dtype: Dtype,
    /// Its shape without the rows.
    tail: Vec<usize>,
    pub(super) row_bytes: usize,
}

/// The tensors of a gallery, in the order of the file.
pub(super) fn columns(shape: BlockShape, precision: StoredPrecision) -> Vec<Column> {
    let column = |name, dtype: Dtype, tail: &[usize]| Column {
        name,
        dtype,
        tail: tail.to_vec(),
        row_bytes: tail.iter().product::<usize>() * dtype.bitsize() / 8,
    };
    let (whole, each) = ([shape.blocks, shape.width], [shape.blocks]);
    let mut columns = vec![
        column("blocks_i8", Dtype::I8, &whole),
        column("scales", Dtype::F32, &each),
        column("residuals", Dtype::F32, &each),
    ];
    columns.extend(match precision {
        StoredPrecision::F32 => Some(column("blocks_f32", Dtype::F32, &whole)),
        StoredPrecision::F16 => Some(column("blocks_f16", Dtype::F16, &whole)),
        StoredPrecision::Int8 => None,
    });
    columns
}

/// The bytes of some rows, for each column.
///
/// # Errors
/// [`crate::Error::Shape`] when a number is too large for the precision.
pub(super) fn encode(blocks: Blocks<'_>, precision: StoredPrecision) -> Result<Vec<Vec<u8>>> {
    // What the 8-bit blocks are made from is what is stored, so that their bounds hold for it.
    let (rounded, precise): (Option<Vec<f32>>, Option<Vec<u8>>) = match precision {
        StoredPrecision::F32 => (None, Some(bytemuck::cast_slice(blocks.values()).to_vec())),
        StoredPrecision::Int8 => (None, None),
        StoredPrecision::F16 => {
            let halves: Vec<f16> = blocks.values().iter().map(|x| f16::from_f32(*x)).collect();
            let bytes = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
            (Some(halves.iter().map(|half| half.to_f32()).collect()), Some(bytes))
        }
    };
    let stored = match &rounded {
        Some(values) => Blocks::new(values, blocks.shape())?,
        None => blocks,
    };
    let quantised = QuantisedBlocks::from_blocks(stored);
    let view = quantised.view();
    let mut parts: Vec<Vec<u8>> = vec![
        bytemuck::cast_slice(view.values()).to_vec(),
        bytemuck::cast_slice(view.scales()).to_vec(),
        bytemuck::cast_slice(view.residuals()).to_vec(),
    ];
    parts.extend(precise);
    Ok(parts)
}

/// Rows in memory: a slice for each column.
pub(super) struct Table<'a> {
    pub(super) columns: Vec<&'a [u8]>,
}

/// Writes the file: header, then each column of `rows`, every one a table and a row of it.
pub(super) fn write(
    out: &mut impl Write,
    columns: &[Column],
    tables: &[Table<'_>],
    rows: &[(usize, usize)],
    generation: u64,
) -> std::io::Result<()> {
    out.write_all(&header(columns, rows.len(), generation)?)?;
    for (at, column) in columns.iter().enumerate() {
        let size = column.row_bytes;
        for (table, row) in rows {
            out.write_all(&tables[*table].columns[at][row * size..(row + 1) * size])?;
        }
    }
    Ok(())
}

fn header(columns: &[Column], rows: usize, generation: u64) -> std::io::Result<Vec<u8>> {
    let mut end = 0;
    let tensors = columns.iter().map(|column| {
        let start = end;
        end += rows * column.row_bytes;
        let shape = [&[rows], column.tail.as_slice()].concat();
        let info = TensorInfo { dtype: column.dtype, shape, data_offsets: (start, end) };
        (column.name.to_string(), info)
    });
    let tensors = tensors.collect();
    let about = HashMap::from([(GENERATION.to_string(), generation.to_string())]);
    let metadata = Metadata::new(Some(about), tensors).map_err(std::io::Error::other)?;
    let mut json = serde_json::to_vec(&metadata)?;
    json.resize((8 + json.len()).next_multiple_of(ALIGNMENT) - 8, b' ');
    Ok([&(json.len() as u64).to_le_bytes()[..], &json].concat())
}

/// Where each column lies in the file.
///
/// # Errors
/// What is wrong with the file, in words.
pub(super) fn parse(
    bytes: &[u8],
    columns: &[Column],
    rows: usize,
) -> Result<Vec<Range<usize>>, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let locate = |column: &Column| {
        let tensor = tensors.tensor(column.name).map_err(|e| e.to_string())?;
        let shape = [&[rows], column.tail.as_slice()].concat();
        if (tensor.dtype(), tensor.shape()) != (column.dtype, shape.as_slice()) {
            return Err(format!(
                "tensor `{}` is {:?} {:?} instead of {:?} {shape:?}",
                column.name,
                tensor.dtype(),
                tensor.shape(),
                column.dtype
            ));
        }
        let data = tensor.data();
        let start = data.as_ptr().addr() - bytes.as_ptr().addr();
        if !start.is_multiple_of(column.dtype.bitsize() / 8) {
            return Err(format!("tensor `{}` starts at an odd place, byte {start}", column.name));
        }
        Ok(start..start + data.len())
    };
    columns.iter().map(locate).collect()
}

/// The generation that a file says it belongs to, from its header alone.
#[cfg(not(target_family = "wasm"))]
pub(super) fn generation(bytes: &[u8]) -> Option<u64> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    metadata.metadata().as_ref()?.get(GENERATION)?.parse().ok()
}
