//! Saved score matrices: a plain `.npy`, or the pickled form of the official code.

use std::path::Path;

use avse_core::metrics::ScoreMatrix;
use avse_core::weights::pickle::{self, Value};
use npyz::WriterBuilder;

use crate::evaluate::Pairs;
use crate::files::write_atomically_with;
use crate::{Error, Result};

/// Start of every `.npy` file.
const MAGIC: &[u8] = b"\x93NUMPY";

/// Writes the scores of all pairs, images x captions, as a plain `.npy` of f32; only some
/// rows are in memory at a time.
///
/// # Errors
/// [`Error::Io`] when it cannot be written; as [`Pairs::block`].
pub fn write_scores(path: &Path, pairs: &Pairs<'_>) -> Result<()> {
    let shape = [pairs.images() as u64, pairs.captions() as u64];
    let failed = |e| Error::io(path, e);
    write_atomically_with(path, |file| {
        let options = npyz::WriteOptions::new().default_dtype().shape(&shape);
        let mut writer = options.writer(file).begin_nd().map_err(failed)?;
        pairs.for_rows(|_, scores| writer.extend(scores.iter().copied()).map_err(failed))?;
        writer.finish().map_err(failed)
    })
}

/// Reads scores, images x captions. `image_of_caption` says which belong together where it is of the
/// matrix's size; else every image has the same number of captions, image by image, as it has there.
///
/// A file of the official code holds a pickled dictionary with the matrix under `sims`; it is
/// read as data, nothing in it is run.
///
/// # Errors
/// [`Error::Io`], or [`Error::Format`] saying what the file is instead.
pub fn read_scores(path: &Path, image_of_caption: Option<&[usize]>) -> Result<ScoreMatrix> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let bad = |message: String| Error::format(path, message);
    let (scores, rows, columns) = match pickled_part(&bytes) {
        Some(part) => {
            let value = pickle::read(part).map_err(bad)?;
            let array = find_array(&value)
                .ok_or_else(|| Error::format(path, "no two-dimensional array of floats in it"))?;
            array.floats().map_err(|e| Error::format(path, e))?
        }
        None => plain(&bytes).map_err(|e| Error::format(path, e))?,
    };
    let fits = |pairs: &&[usize]| {
        pairs.len() == columns && pairs.iter().max().map_or(0, |last| last + 1) == rows
    };
    if let Some(pairs) = image_of_caption.filter(fits) {
        return Ok(ScoreMatrix::new(scores, rows, pairs.to_vec())?);
    }
    if rows == 0 || columns == 0 || !columns.is_multiple_of(rows) {
        let message =
            format!("{rows} x {columns}: not the same number of captions for every image");
        return Err(Error::format(path, message));
    }
    let each = columns / rows;
    if let Some(pairs) = image_of_caption
        && captions_each(pairs) != Some(each)
    {
        let images = pairs.iter().max().map_or(0, |last| last + 1);
        return Err(bad(format!(
            "the matrix is {rows} x {columns}, but the split has {images} images and {} captions: which of them belong \
             together cannot be told. Was it saved without pictures that could not be read?",
            pairs.len()
        )));
    }
    Ok(ScoreMatrix::uniform(scores, rows, each)?)
}

/// How many captions each image has, where all have as many.
fn captions_each(image_of_caption: &[usize]) -> Option<usize> {
    let mut counts = vec![0usize; image_of_caption.iter().max()? + 1];
    image_of_caption.iter().for_each(|&image| counts[image] += 1);
    counts.iter().all(|count| *count == counts[0]).then_some(counts[0])
}

/// The pickle inside a `.npy` of Python objects, or of a bare pickle; `None` for a `.npy` of
/// numbers.
fn pickled_part(bytes: &[u8]) -> Option<&[u8]> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else { return Some(bytes) };
    let (&major, rest) = rest.split_first()?;
    let rest = rest.get(1..)?;
    let (length, rest) = if major == 1 {
        (u16::from_le_bytes(rest.get(..2)?.try_into().ok()?) as usize, &rest[2..])
    } else {
        (u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize, &rest[4..])
    };
    let header = std::str::from_utf8(rest.get(..length)?).ok()?;
    header.contains("|O").then(|| &rest[length..])
}

fn plain(bytes: &[u8]) -> Result<(Vec<f32>, usize, usize), String> {
    let file = npyz::NpyFile::new(bytes).map_err(|e| e.to_string())?;
    let &[rows, columns] = file.shape() else {
        return Err(format!("{} dimensions instead of 2", file.shape().len()));
    };
    let (rows, columns) = (rows as usize, columns as usize);
    if file.order() != npyz::Order::C {
        return Err("its columns are contiguous (Fortran order), not its rows".into());
    }
    let scores = match file.try_data::<f32>() {
        Ok(values) => values.collect::<Result<Vec<f32>, _>>().map_err(|e| e.to_string())?,
        Err(file) => file
            .try_data::<f64>()
            .map_err(|_| "neither f32 nor f64".to_string())?
            .map(|value| value.map(|v| v as f32))
            .collect::<Result<_, _>>()
            .map_err(|e| e.to_string())?,
    };
    Ok((scores, rows, columns))
}

/// A pickled array: its state is (version, shape, type, whether Fortran order, bytes).
struct PickledArray<'a> {
    shape: [usize; 2],
    kind: &'a str,
    fortran: bool,
    bytes: &'a [u8],
}

impl PickledArray<'_> {
    fn floats(&self) -> Result<(Vec<f32>, usize, usize), String> {
        let [rows, columns] = self.shape;
        if self.fortran {
            return Err("its columns are contiguous (Fortran order), not its rows".into());
        }
        let scores: Vec<f32> = match self.kind {
            "f4" => self
                .bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|value| f32::from_le_bytes(*value))
                .collect(),
            "f8" => self
                .bytes
                .as_chunks::<8>()
                .0
                .iter()
                .map(|value| f64::from_le_bytes(*value) as f32)
                .collect(),
            other => return Err(format!("an array of `{other}`, not of f4 or f8")),
        };
        if scores.len() != rows * columns {
            return Err(format!("{} values for {rows} x {columns}", scores.len()));
        }
        Ok((scores, rows, columns))
    }
}

/// The array under `sims`, or else the first two-dimensional one.
fn find_array(value: &Value) -> Option<PickledArray<'_>> {
    if let Some(array) = value.get("sims").and_then(find_array) {
        return Some(array);
    }
    match value {
        Value::List(values) => values.iter().find_map(find_array),
        Value::Dict(entries) => entries.iter().find_map(|(_, value)| find_array(value)),
        Value::Object { state, .. } => as_array(state).or_else(|| find_array(state)),
        _ => None,
    }
}

fn as_array(state: &Value) -> Option<PickledArray<'_>> {
    let Value::List(parts) = state else { return None };
    let [_, Value::List(shape), dtype, Value::Bool(fortran), Value::Bytes(bytes)] =
        parts.as_slice()
    else {
        return None;
    };
    let [Value::Int(rows), Value::Int(columns)] = shape.as_slice() else { return None };
    let Value::Object { arguments, .. } = dtype else { return None };
    let Value::List(arguments) = arguments.as_ref() else { return None };
    let Some(Value::Text(kind)) = arguments.first() else { return None };
    let shape = [usize::try_from(*rows).ok()?, usize::try_from(*columns).ok()?];
    Some(PickledArray { shape, kind, fortran: *fortran, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Embeddings, EncodedSplit, score_split};
    use avse_core::similarity::BlockShape;

    /// `numpy.save(path, {"npts": 2, "sims": numpy.arange(8, dtype="f4").reshape(2, 4)})` of
    /// numpy 2.4, protocol 4 pickle and all.
    const OFFICIAL: &[u8] = include_bytes!("../tests/fixtures/official_scores.npy");

    #[test]
    fn the_official_form_is_read_as_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.npy");
        std::fs::write(&path, OFFICIAL).unwrap();
        let scores = read_scores(&path, None).unwrap();
        assert_eq!((scores.images(), scores.captions()), (2, 4));
        assert_eq!(scores.scores(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn a_plain_file_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.npy");
        let shape = BlockShape { blocks: 1, width: 4 };
        // More images than are scored together.
        let images: Vec<f32> = (0..4 * 300).map(|at| (at % 23) as f32 - 11.0).collect();
        let captions: Vec<f32> = (0..4 * 600).map(|at| (at % 17) as f32 - 8.0).collect();
        let encoded = EncodedSplit {
            images: Embeddings::new(images, shape),
            captions: Embeddings::new(captions, shape),
            image_of_caption: (0..600).map(|at| at / 2).collect(),
            truncated: 0,
        };
        let expected = score_split(&encoded).unwrap();
        let encoded = [encoded];
        let pairs = Pairs::new(&encoded).unwrap().in_blocks_of(256 * 600);
        write_scores(&path, &pairs).unwrap();
        assert_eq!(read_scores(&path, None).unwrap().scores(), expected.scores());
    }

    #[test]
    fn pairs_are_taken_where_they_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.npy");
        std::fs::write(&path, OFFICIAL).unwrap();
        let turns = read_scores(&path, Some(&[0, 1, 0, 1])).unwrap();
        let expected = ScoreMatrix::new((0..8).map(|v| v as f32).collect(), 2, vec![0, 1, 0, 1]);
        assert_eq!(turns, expected.unwrap());
        let uniform = read_scores(&path, None).unwrap();
        assert_ne!(turns, uniform);
        // A split of other images with as many captions each.
        assert_eq!(read_scores(&path, Some(&[0, 0, 1, 1, 2, 2])).unwrap(), uniform);
        // A part of a split, of which nobody knows the captions.
        for other in [&[0, 1, 0][..], &[0, 1, 2, 0], &[0, 0, 0, 0], &[0, 1, 1, 1, 2]] {
            let error = read_scores(&path, Some(other)).unwrap_err().to_string();
            assert!(error.contains("cannot be told"), "{error}");
        }
    }

    #[test]
    fn matrices_that_are_no_pairs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.npy");
        let shape = BlockShape { blocks: 1, width: 4 };
        let encoded = [EncodedSplit {
            images: Embeddings::new(vec![0.5; 8], shape),
            captions: Embeddings::new(vec![0.5; 4], shape),
            image_of_caption: vec![0],
            truncated: 0,
        }];
        write_scores(&path, &Pairs::new(&encoded).unwrap()).unwrap();
        let error = read_scores(&path, None).unwrap_err().to_string();
        assert!(error.contains("2 x 1: not the same number"), "{error}");
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.npy");
        for (content, part) in [
            (b"hello".to_vec(), "pickle"),
            (OFFICIAL[..OFFICIAL.len() - 20].to_vec(), "scores.npy"),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = read_scores(&path, None).unwrap_err().to_string();
            assert!(error.contains("scores.npy") && error.contains(part), "{error}");
        }
    }
}
