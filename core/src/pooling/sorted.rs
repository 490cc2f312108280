//! Pooling in one pass on the CPU.
//!
//! In tensor operations the tokens are sorted twice as it were: once for the order, once to gather by
//! it. At inference nothing needs the order, so the numbers themselves are sorted.

use burn::backend::Flex;
use burn::tensor::{DType, Tensor};

use super::TokenMask;
use crate::layers::host::{contiguous, for_each, numbers, tensor};

/// Columns that are taken out of the rows together: a cache line of f32.
const COLUMNS: usize = 16;

/// `[N, T, D] -> [N, D]`: for each row and dimension the sum of weights `[N, T]` times the values of
/// the kept tokens, sorted downwards. `None` on other devices than the CPU, and where gradients
/// are kept.
pub(super) fn pool(tokens: &Tensor<3>, mask: &TokenMask, weights: &Tensor<2>) -> Option<Tensor<2>> {
    if tokens.device().is_autodiff() || tokens.dtype() != DType::F32 {
        return None;
    }
    let [rows, length, width] = tokens.dims();
    let tokens = contiguous(tokens.clone().try_into_primitive::<Flex>().ok()?);
    let weights = contiguous(weights.clone().try_into_primitive::<Flex>().ok()?);
    let (values, weights) = (numbers(&tokens), numbers(&weights));
    let mut pooled = vec![0f32; rows * width];
    for_each(pooled.chunks_exact_mut(width.max(1)).enumerate().collect(), |(row, pooled)| {
        let mut sorted: Vec<i32> = Vec::with_capacity(length);
        let kept: Vec<usize> = (0..length).filter(|at| mask.keeps(row, *at)).collect();
        let weights = &weights[row * length..][..kept.len()];
        let values = &values[row * length * width..][..length * width];
        // Some columns at a time, so that a row is not read anew for each of its numbers.
        for (block, pooled) in pooled.chunks_mut(COLUMNS).enumerate() {
            let columns = |at: &usize| &values[at * width + block * COLUMNS..][..pooled.len()];
            let block: Vec<&[f32]> = kept.iter().map(columns).collect();
            for (column, pooled) in pooled.iter_mut().enumerate() {
                sorted.clear();
                sorted.extend(block.iter().map(|numbers| key(numbers[column])));
                sorted.sort_unstable();
                let downwards = sorted.iter().rev();
                *pooled = downwards.zip(weights).map(|(key, weight)| value(*key) * weight).sum();
            }
        }
    });
    Some(Tensor::from_primitive::<Flex>(tensor(pooled, [rows, width].into())))
}

/// An integer that is ordered as the number is; integers are sorted several times as fast.
fn key(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// The number of a key.
fn value(key: i32) -> f32 {
    f32::from_bits((key ^ (((key >> 31) as u32) >> 1) as i32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PoolingConfig;
    use crate::pooling::Gpo;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn keys_are_ordered_as_numbers() {
        let numbers = [f32::NEG_INFINITY, -3.5, -1e-40, -0.0, 0.0, 1e-40, 2.0, f32::INFINITY];
        assert!(numbers.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
        assert!(numbers.iter().all(|number| value(key(*number)).to_bits() == number.to_bits()));
    }

    #[test]
    fn pooled_as_in_tensor_operations() {
        let device = Device::flex();
        let gpo = Gpo::new(&PoolingConfig::default(), &device);
        let uneven = |at: usize| !at.is_multiple_of(3);
        for (rows, length, width) in [(1, 1, 1), (2, 9, 17), (3, 40, 33)] {
            let tokens = Tensor::<3>::random(
                [rows, length, width],
                Distribution::Uniform(-1.0, 1.0),
                &device,
            );
            let lengths: Vec<usize> = (0..rows).map(|row| (length - row).max(1)).collect();
            let holes = (0..rows * length).map(|at| at % length == 0 || uneven(at)).collect();
            for mask in [
                TokenMask::full(rows, length),
                TokenMask::from_lengths(&lengths, length),
                TokenMask::new(holes, rows, length),
            ] {
                let weights = gpo.weights(&mask, &device);
                let found = pool(&tokens, &mask, &weights).unwrap();
                let expected = Gpo::pool_plain(tokens.clone(), &mask, weights);
                let difference = (found - expected).abs().max().into_scalar::<f32>();
                assert!(difference < 1e-5, "{rows} x {length} x {width}: {difference}");
            }
        }
    }
}
