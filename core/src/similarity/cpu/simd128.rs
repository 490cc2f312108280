//! Kernels for WebAssembly SIMD: registers of 4 f32 or 8 i16.

use std::arch::wasm32::*;

use super::byte_dots::{Bytes, QUERY_ROWS};
use super::tile::Mac;

/// f32.
pub(super) struct Floats;

impl Mac for Floats {
    type Step = f32;
    type Operand = v128;
    type Sum = v128;
    type Float = v128;
    const LANES: usize = 4;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> v128 {
        f32x4_splat(0.0)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> v128 {
        unsafe { v128_load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> v128 {
        unsafe { v128_load32_splat(from.cast()) }
    }
    #[inline(always)]
    unsafe fn mac(sum: v128, a: v128, b: v128) -> v128 {
        f32x4_add(sum, f32x4_mul(a, b))
    }
    #[inline(always)]
    unsafe fn finish(sum: v128, _scale: f32) -> v128 {
        sum
    }
    #[inline(always)]
    unsafe fn lowest() -> v128 {
        f32x4_splat(f32::NEG_INFINITY)
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: v128) {
        unsafe { v128_store(to.cast(), value) }
    }
    #[inline(always)]
    unsafe fn max(new: v128, old: v128) -> v128 {
        f32x4_pmax(old, new)
    }
}

/// Pairs of i16.
pub(super) struct Words;

impl Mac for Words {
    type Step = [i16; 2];
    type Operand = v128;
    type Sum = v128;
    type Float = v128;
    const LANES: usize = 4;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> v128 {
        i32x4_splat(0)
    }
    #[inline(always)]
    unsafe fn load(from: *const [i16; 2]) -> v128 {
        unsafe { v128_load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const [i16; 2]) -> v128 {
        unsafe { v128_load32_splat(from.cast()) }
    }
    #[inline(always)]
    unsafe fn mac(sum: v128, a: v128, b: v128) -> v128 {
        i32x4_add(sum, i32x4_dot_i16x8(a, b))
    }
    #[inline(always)]
    unsafe fn finish(sum: v128, scale: f32) -> v128 {
        f32x4_mul(f32x4_convert_i32x4(sum), f32x4_splat(scale))
    }
    #[inline(always)]
    unsafe fn lowest() -> v128 {
        unsafe { Floats::lowest() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: v128) {
        unsafe { Floats::store(to, value) }
    }
    #[inline(always)]
    unsafe fn max(new: v128, old: v128) -> v128 {
        unsafe { Floats::max(new, old) }
    }
}

/// i8 against i16.
pub(super) struct ByteWords;

impl Bytes for ByteWords {
    type Words = v128;
    type Sum = v128;
    const STEP: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> v128 {
        i32x4_splat(0)
    }
    #[inline(always)]
    unsafe fn widen(from: *const i8) -> v128 {
        unsafe { i16x8_load_extend_i8x8(from) }
    }
    #[inline(always)]
    unsafe fn load(from: *const i16) -> v128 {
        unsafe { v128_load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn mac(sum: v128, a: v128, b: v128) -> v128 {
        i32x4_add(sum, i32x4_dot_i16x8(a, b))
    }
    #[inline(always)]
    unsafe fn totals(sums: [v128; QUERY_ROWS]) -> [i32; QUERY_ROWS] {
        let [a, b, c, d] = sums;
        // Pairs of two registers, then the four totals side by side.
        let ab = i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
        let cd = i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
        let low = i32x4_shuffle::<0, 1, 4, 5>(ab, cd);
        let totals = i32x4_add(low, i32x4_shuffle::<2, 3, 6, 7>(ab, cd));
        let mut out = [0; QUERY_ROWS];
        unsafe { v128_store(out.as_mut_ptr().cast(), totals) };
        out
    }
}
