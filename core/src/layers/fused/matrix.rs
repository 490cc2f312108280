//! Matrices within slices, and their product by the `gemm` crate.

use gemm::Parallelism;

use super::elementwise::{add, vectorised};

/// A matrix of f32 with any strides: parts and transposes cost nothing.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    shape: [usize; 2],
    strides: [usize; 2],
}

/// A matrix to write to.
pub struct MatrixMut<'a> {
    data: &'a mut [f32],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// `[rows, columns]` row by row.
    pub fn new(data: &'a [f32], columns: usize) -> Self {
        Self::part(data, data.len() / columns, columns, columns)
    }

    /// `rows` rows of `columns` numbers, `stride` numbers apart, from the start of `data`.
    pub fn part(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        Self { data, shape: [rows, columns], strides: [stride, 1] }
    }

    /// `sum += rows`, over all rows of a matrix that is not transposed.
    pub fn add_rows_to(&self, sum: &mut [f32]) {
        vectorised(|| {
            for row in 0..self.shape[0] {
                let start = row * self.strides[0];
                add(&self.data[start..start + self.shape[1]], sum);
            }
        });
    }

    /// Rows and columns changed places.
    pub fn transposed(self) -> Self {
        let ([rows, columns], [down, along]) = (self.shape, self.strides);
        Self { data: self.data, shape: [columns, rows], strides: [along, down] }
    }
}

impl<'a> MatrixMut<'a> {
    /// `[rows, columns]` row by row.
    pub fn new(data: &'a mut [f32], columns: usize) -> Self {
        let rows = data.len() / columns;
        Self::part(data, rows, columns, columns)
    }

    /// `rows` rows of `columns` numbers, `stride` numbers apart, from the start of `data`.
    pub fn part(data: &'a mut [f32], rows: usize, columns: usize, stride: usize) -> Self {
        Self { data, shape: [rows, columns], strides: [stride, 1] }
    }

    /// Every row becomes `bias`.
    pub fn fill_rows(&mut self, bias: &[f32]) {
        for row in 0..self.shape[0] {
            let start = row * self.strides[0];
            self.data[start..start + bias.len()].copy_from_slice(bias);
        }
    }

    /// `self = scale * left * right`.
    pub fn set_product(self, scale: f32, left: Matrix<'_>, right: Matrix<'_>) {
        self.product(false, scale, left, right);
    }

    /// `self += left * right`.
    pub fn add_product(self, left: Matrix<'_>, right: Matrix<'_>) {
        self.product(true, 1.0, left, right);
    }

    fn product(self, add: bool, scale: f32, left: Matrix<'_>, right: Matrix<'_>) {
        let ([m, n], [_, k]) = (self.shape, left.shape);
        assert_eq!((left.shape, right.shape), ([m, k], [k, n]), "shapes of a product");
        for (length, shape, strides) in [
            (self.data.len(), self.shape, self.strides),
            (left.data.len(), left.shape, left.strides),
            (right.data.len(), right.shape, right.strides),
        ] {
            assert!(fits(length, shape, strides), "a matrix beyond its slice");
        }
        let signed = |strides: [usize; 2]| (strides[1] as isize, strides[0] as isize);
        let (out, a, b) = (signed(self.strides), signed(left.strides), signed(right.strides));
        // SAFETY: all three matrices lie within their slices, as checked, and the borrow
        // checker keeps the output apart from the inputs.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                self.data.as_mut_ptr(),
                out.0,
                out.1,
                add,
                left.data.as_ptr(),
                a.0,
                a.1,
                right.data.as_ptr(),
                b.0,
                b.1,
                1.0,
                scale,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

fn fits(length: usize, shape: [usize; 2], strides: [usize; 2]) -> bool {
    match shape {
        [0, _] | [_, 0] => true,
        [rows, columns] => (rows - 1) * strides[0] + (columns - 1) * strides[1] < length,
    }
}
