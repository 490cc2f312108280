//! Position embeddings resized to another grid, as one constant matrix.

use burn::tensor::{Device, FloatDType, Tensor, TensorData};

/// Keys cubic convolution with a = -0.75, as PyTorch's and OpenCV's bicubic.
const CUBIC_A: f64 = -0.75;

/// Resizes a `[old * old, D]` table to `[new * new, D]`: bicubic, half-pixel centres
/// (`align_corners = false`), edges clamped, no antialiasing. It is computed in f32 and
/// given back in the table's own type.
pub fn resize_position_table(table: Tensor<2>, old: usize, new: usize) -> Tensor<2> {
    if old == new {
        return table;
    }
    let matrix = kronecker_square(&cubic_matrix(old, new), old, new);
    let device: Device = table.device();
    let matrix = Tensor::<2>::from_data(TensorData::new(matrix, [new * new, old * old]), &device);
    let dtype = table.dtype();
    matrix.matmul(table.cast(FloatDType::F32)).cast(dtype)
}

/// `[new, old]` row-major weights of one dimension.
fn cubic_matrix(old: usize, new: usize) -> Vec<f32> {
    let mut matrix = vec![0f32; new * old];
    let scale = old as f64 / new as f64;
    for (row, weights) in matrix.chunks_mut(old).enumerate() {
        let source = (row as f64 + 0.5) * scale - 0.5;
        let start = source.floor();
        for tap in -1..=2i64 {
            let distance = (source - start - tap as f64).abs();
            let column = (start as i64 + tap).clamp(0, old as i64 - 1) as usize;
            weights[column] += cubic(distance) as f32;
        }
    }
    matrix
}

fn cubic(x: f64) -> f64 {
    let a = CUBIC_A;
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

/// Both dimensions at once: entry `((y, x), (v, u)) = m[y][v] * m[x][u]`.
fn kronecker_square(matrix: &[f32], old: usize, new: usize) -> Vec<f32> {
    let mut full = Vec::with_capacity(new * new * old * old);
    for y in 0..new {
        for x in 0..new {
            for v in 0..old {
                let weight = matrix[y * old + v];
                full.extend(matrix[x * old..(x + 1) * old].iter().map(|w| weight * w));
            }
        }
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_sum_to_one_and_identity_is_exact() {
        for (old, new) in [(4, 6), (14, 24), (5, 3), (4, 4)] {
            for row in cubic_matrix(old, new).chunks(old) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            }
        }
        let same = cubic_matrix(3, 3);
        assert_eq!(same, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    }
}
