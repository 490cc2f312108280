//! Kernels in plain Rust, for every machine.

use super::byte_dots::{Bytes, QUERY_ROWS};
use super::tile::Mac;

/// f32, a multiplication and an addition.
pub(super) struct ScalarFloats;

const LANES: usize = 4;

impl Mac for ScalarFloats {
    type Step = f32;
    type Operand = [f32; LANES];
    type Sum = [f32; LANES];
    type Float = [f32; LANES];
    const LANES: usize = LANES;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self::Sum {
        [0.0; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::Operand {
        // SAFETY: the caller's.
        unsafe { from.cast::<[f32; LANES]>().read() }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self::Operand {
        // SAFETY: the caller's.
        unsafe { [*from; LANES] }
    }
    #[inline(always)]
    unsafe fn mac(sum: Self::Sum, a: Self::Operand, b: Self::Operand) -> Self::Sum {
        std::array::from_fn(|lane| sum[lane] + a[lane] * b[lane])
    }
    #[inline(always)]
    unsafe fn finish(sum: Self::Sum, _scale: f32) -> Self::Float {
        sum
    }
    #[inline(always)]
    unsafe fn lowest() -> Self::Float {
        [f32::NEG_INFINITY; LANES]
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::Float) {
        // SAFETY: the caller's.
        unsafe { to.cast::<[f32; LANES]>().write(value) }
    }
    #[inline(always)]
    unsafe fn max(new: Self::Float, old: Self::Float) -> Self::Float {
        std::array::from_fn(|lane| if new[lane] > old[lane] { new[lane] } else { old[lane] })
    }
}

/// i8 and i16, one number at a time.
pub(super) struct ScalarBytes;

impl Bytes for ScalarBytes {
    type Words = i32;
    type Sum = i32;
    const STEP: usize = 1;

    #[inline(always)]
    unsafe fn zero() -> i32 {
        0
    }
    #[inline(always)]
    unsafe fn widen(from: *const i8) -> i32 {
        // SAFETY: the caller's.
        i32::from(unsafe { *from })
    }
    #[inline(always)]
    unsafe fn load(from: *const i16) -> i32 {
        // SAFETY: the caller's.
        i32::from(unsafe { *from })
    }
    #[inline(always)]
    unsafe fn mac(sum: i32, a: i32, b: i32) -> i32 {
        sum + a * b
    }
    #[inline(always)]
    unsafe fn totals(sums: [i32; QUERY_ROWS]) -> [i32; QUERY_ROWS] {
        sums
    }
}
