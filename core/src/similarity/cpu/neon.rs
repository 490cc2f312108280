//! Kernels for ARM NEON: registers of 4 f32 or 8 i16.
//!
//! NEON adds no pairs of i16 products in one instruction, so that words are no faster than
//! f32 and the ranks are computed in the latter. (`sdot` on i8 would be; its intrinsics are
//! not stable.)

use std::arch::aarch64::*;

use super::byte_dots::{Bytes, QUERY_ROWS};
use super::tile::Mac;

/// f32, fused.
pub(super) struct NeonFloats;

impl Mac for NeonFloats {
    type Step = f32;
    type Operand = float32x4_t;
    type Sum = float32x4_t;
    type Float = float32x4_t;
    const LANES: usize = 4;
    const ROWS: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> float32x4_t {
        unsafe { vdupq_n_f32(0.0) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> float32x4_t {
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> float32x4_t {
        unsafe { vld1q_dup_f32(from) }
    }
    #[inline(always)]
    unsafe fn mac(sum: float32x4_t, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vfmaq_f32(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn finish(sum: float32x4_t, _scale: f32) -> float32x4_t {
        sum
    }
    #[inline(always)]
    unsafe fn lowest() -> float32x4_t {
        unsafe { vdupq_n_f32(f32::NEG_INFINITY) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: float32x4_t) {
        unsafe { vst1q_f32(to, value) }
    }
    #[inline(always)]
    unsafe fn max(new: float32x4_t, old: float32x4_t) -> float32x4_t {
        // Of a number and none it gives the number.
        unsafe { vmaxnmq_f32(new, old) }
    }
}

/// i8 against i16.
pub(super) struct NeonBytes;

impl Bytes for NeonBytes {
    type Words = int16x8_t;
    type Sum = int32x4_t;
    const STEP: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> int32x4_t {
        unsafe { vdupq_n_s32(0) }
    }
    #[inline(always)]
    unsafe fn widen(from: *const i8) -> int16x8_t {
        unsafe { vmovl_s8(vld1_s8(from)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const i16) -> int16x8_t {
        unsafe { vld1q_s16(from) }
    }
    #[inline(always)]
    unsafe fn mac(sum: int32x4_t, a: int16x8_t, b: int16x8_t) -> int32x4_t {
        unsafe { vmlal_high_s16(vmlal_s16(sum, vget_low_s16(a), vget_low_s16(b)), a, b) }
    }
    #[inline(always)]
    unsafe fn totals(sums: [int32x4_t; QUERY_ROWS]) -> [i32; QUERY_ROWS] {
        unsafe {
            let [a, b, c, d] = sums;
            let totals = vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
            let mut out = [0; QUERY_ROWS];
            vst1q_s32(out.as_mut_ptr(), totals);
            out
        }
    }
}
