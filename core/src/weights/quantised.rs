//! 8-bit weights: a matrix as integers with a scale for each output row.
//!
//! In a file `<name>` holds the integers and `<name>.scale` the scales, f32. Reading a file
//! multiplies them out again, so that nothing behind it knows of scales.

use burn::tensor::{DType, TensorData};

use super::StateDict;
use crate::{Error, Result};

/// What the name of a matrix's scales ends with.
const SCALE: &str = ".scale";
/// The largest integer; the same on both sides of zero, so that zero stays zero.
const LARGEST: f32 = 127.0;

/// Every matrix as integers beside its scales; everything else as it is.
///
/// A matrix with a number that is not finite has no scale and stays as it is, too.
///
/// # Errors
/// [`Error::Weights`] naming a tensor that has the name of another one's scales.
pub(super) fn quantise(weights: &StateDict) -> Result<StateDict> {
    let mut stored = StateDict::new();
    let mut insert = |name: String, data: TensorData| match stored.insert(&name, data) {
        None => Ok(()),
        Some(_) => Err(Error::Weights(format!("`{name}` is there twice, once as scales"))),
    };
    for (name, data) in weights.iter() {
        match split(name, data)? {
            Some((integers, scales)) => {
                insert(name.to_string(), integers)?;
                insert(format!("{name}{SCALE}"), scales)?;
            }
            None => insert(name.to_string(), data.clone())?,
        }
    }
    Ok(stored)
}

/// The reverse: matrices that have scales become f32, and the scales are gone.
///
/// # Errors
/// What is wrong with a tensor, in words.
pub(super) fn restore(mut stored: StateDict) -> Result<StateDict, String> {
    let has_scales = |name: &str| stored.get(&format!("{name}{SCALE}")).is_some();
    let integers = stored.iter().filter(|(_, data)| data.dtype() == DType::I8);
    let matrices = integers.filter(|(name, _)| has_scales(name));
    let matrices: Vec<String> = matrices.map(|(name, _)| name.to_string()).collect();
    for name in matrices {
        let scales = format!("{name}{SCALE}");
        // One matrix at a time: what is restored takes the place of what was stored.
        let (Some(integers), Some(factors)) = (stored.remove(&name), stored.remove(&scales)) else {
            continue;
        };
        let data = multiply(&integers, &factors).map_err(|e| format!("`{scales}`: {e}"))?;
        stored.insert(name, data);
    }
    Ok(stored)
}

/// Integers and scales of a matrix; `None` for what is none.
fn split(name: &str, data: &TensorData) -> Result<Option<(TensorData, TensorData)>> {
    let shape = data.shape().to_vec();
    if !data.dtype().is_float() || shape.len() < 2 || data.num_elements() == 0 {
        return Ok(None);
    }
    let values = data.try_to_vec_as::<f32>();
    let values = values.map_err(|e| Error::Weights(format!("`{name}`: {e}")))?;
    if values.iter().any(|value| !value.is_finite()) {
        return Ok(None);
    }
    let rows = rows(&shape);
    let mut integers: Vec<i8> = Vec::with_capacity(values.len());
    let scales: Vec<f32> =
        values.chunks_exact(values.len() / rows).map(|row| round_row(row, &mut integers)).collect();
    Ok(Some((TensorData::new(integers, shape), TensorData::new(scales, [rows]))))
}

/// Appends a row's integers and returns its scale.
fn round_row(row: &[f32], integers: &mut Vec<i8>) -> f32 {
    let largest = row.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let scale = largest / LARGEST;
    if !scale.is_normal() {
        // All zero, or so near that the quotients below would mean nothing.
        integers.extend(std::iter::repeat_n(0, row.len()));
        return 0.0;
    }
    // In f64, so that the quotient's own rounding cannot tip it to the farther integer.
    let integer = |value: &f32| (f64::from(*value) / f64::from(scale)).round() as i8;
    integers.extend(row.iter().map(integer));
    scale
}

/// The matrix that integers and scales stand for.
fn multiply(integers: &TensorData, scales: &TensorData) -> Result<TensorData, String> {
    let shape = integers.shape().to_vec();
    let rows = rows(&shape);
    if scales.dtype() != DType::F32 || scales.shape().to_vec() != [rows] {
        let (dtype, found) = (scales.dtype(), scales.shape().to_vec());
        return Err(format!("{dtype:?} {found:?} instead of F32 [{rows}] for {shape:?}"));
    }
    let integers = integers.try_to_vec::<i8>().map_err(|e| e.to_string())?;
    let scales = scales.try_to_vec::<f32>().map_err(|e| e.to_string())?;
    if let Some(wrong) = scales.iter().find(|scale| !scale.is_finite() || **scale < 0.0) {
        return Err(format!("a scale is {wrong}"));
    }
    let size = integers.len() / rows.max(1);
    let row = |(row, scale): (&[i8], &f32)| -> Vec<f32> {
        row.iter().map(|integer| f32::from(*integer) * scale).collect()
    };
    let values = integers.chunks(size.max(1)).zip(&scales).flat_map(row).collect::<Vec<_>>();
    Ok(TensorData::new(values, shape))
}

/// Output rows of a matrix: the first dimension that is not 1, so that a table `[1, n, D]` has n;
/// the last dimension is never cut.
fn rows(shape: &[usize]) -> usize {
    let outer = shape.split_last().map_or(&[][..], |(_, outer)| outer);
    outer.iter().copied().find(|size| *size != 1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    fn dict(tensors: &[(&str, Vec<f32>, &[usize])]) -> StateDict {
        let tensor = |(name, values, shape): &(&str, Vec<f32>, &[usize])| {
            (name.to_string(), TensorData::new(values.clone(), shape.to_vec()))
        };
        tensors.iter().map(tensor).collect()
    }

    fn values(weights: &StateDict, name: &str) -> Vec<f32> {
        weights.get(name).unwrap().try_to_vec::<f32>().unwrap()
    }

    #[test]
    fn no_weight_moves_by_more_than_half_a_scale() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for (shape, rows) in
            [(vec![7, 50], 7), (vec![4, 3, 5, 5], 4), (vec![1, 9, 30], 9), (vec![1, 1, 12], 1)]
        {
            let count: usize = shape.iter().product();
            // Rows of very different size, and one of zeros.
            let size = count / rows;
            let value = |at: usize| match at / size {
                0 if rows > 1 => 0.0,
                row => rng.random_range(-1.0f32..1.0) * 10f32.powi(row as i32 * 3 - 9),
            };
            let original: Vec<f32> = (0..count).map(value).collect();
            let weights = dict(&[("m", original.clone(), &shape)]);
            let stored = quantise(&weights).unwrap();
            assert_eq!(stored.get("m").unwrap().dtype(), DType::I8);
            let scales = values(&stored, "m.scale");
            assert_eq!(scales.len(), rows);
            let restored = restore(stored).unwrap();
            assert_eq!(restored.len(), 1);
            assert_eq!(restored.get("m").unwrap().shape().to_vec(), shape);
            for (at, (found, was)) in values(&restored, "m").iter().zip(&original).enumerate() {
                let scale = scales[at / size];
                // The product is rounded once more, by a few millionths of the scale.
                let bound = scale / 2.0 * (1.0 + 2e-5);
                assert!((found - was).abs() <= bound, "{shape:?} {at}: {found} {was} {scale}");
                assert!(*was != 0.0 || *found == 0.0);
            }
        }
    }

    #[test]
    fn only_finite_matrices_are_rounded() {
        let weights = dict(&[
            ("bias", vec![0.1, 0.2], &[2]),
            ("empty", vec![], &[0, 3]),
            ("infinite", vec![1.0, f32::INFINITY], &[1, 2]),
            ("tiny", vec![1e-40, -1e-40], &[2, 1]),
        ]);
        let stored = quantise(&weights).unwrap();
        let names: Vec<_> = stored.names().collect();
        assert_eq!(names, ["bias", "empty", "infinite", "tiny", "tiny.scale"]);
        let restored = restore(stored).unwrap();
        assert_eq!(values(&restored, "bias"), [0.1, 0.2]);
        assert_eq!(values(&restored, "infinite"), [1.0, f32::INFINITY]);
        assert_eq!(values(&restored, "tiny"), [0.0, 0.0]);

        let clash = dict(&[("m", vec![1.0; 4], &[2, 2]), ("m.scale", vec![1.0; 2], &[2])]);
        assert!(quantise(&clash).unwrap_err().to_string().contains("m.scale"));
    }

    #[test]
    fn scales_that_do_not_fit_are_named() {
        let stored = |scales: Vec<f32>| {
            let mut stored = StateDict::new();
            stored.insert("m", TensorData::new(vec![1i8, 2, 3, 4], [2, 2]));
            let count = scales.len();
            stored.insert("m.scale", TensorData::new(scales, [count]));
            stored
        };
        assert_eq!(values(&restore(stored(vec![2.0, 0.5])).unwrap(), "m"), [2.0, 4.0, 1.5, 2.0]);
        for wrong in [vec![1.0], vec![1.0; 3], vec![1.0, f32::NAN], vec![-1.0, 1.0]] {
            let message = restore(stored(wrong)).unwrap_err();
            assert!(message.contains("`m.scale`"), "{message}");
        }
        // Integers without scales are what they are.
        let mut plain = StateDict::new();
        plain.insert("n", TensorData::new(vec![1i8, 2], [1, 2]));
        assert_eq!(restore(plain).unwrap().get("n").unwrap().dtype(), DType::I8);
    }
}
