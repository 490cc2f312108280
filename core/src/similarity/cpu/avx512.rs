//! Kernels for x86 with AVX-512 (F, BW, VL), and VNNI for integers: registers of 16 f32 or
//! 32 i16.

use std::arch::x86_64::*;

use super::byte_dots::{Bytes, QUERY_ROWS};
use super::tile::Mac;

/// f32, fused.
pub(super) struct Avx512Floats;

impl Mac for Avx512Floats {
    type Step = f32;
    type Operand = __m512;
    type Sum = __m512;
    type Float = __m512;
    const LANES: usize = 16;
    const ROWS: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> __m512 {
        unsafe { _mm512_set1_ps(*from) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m512, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn finish(sum: __m512, _scale: f32) -> __m512 {
        sum
    }
    #[inline(always)]
    unsafe fn lowest() -> __m512 {
        unsafe { _mm512_set1_ps(f32::NEG_INFINITY) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m512) {
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn max(new: __m512, old: __m512) -> __m512 {
        unsafe { _mm512_max_ps(new, old) }
    }
}

/// Pairs of i16, multiplied and added in one instruction.
pub(super) struct VnniWords;

impl Mac for VnniWords {
    type Step = [i16; 2];
    type Operand = __m512i;
    type Sum = __m512i;
    type Float = __m512;
    const LANES: usize = 16;
    const ROWS: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn load(from: *const [i16; 2]) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const [i16; 2]) -> __m512i {
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        unsafe { multiply_and_add(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn finish(sum: __m512i, scale: f32) -> __m512 {
        unsafe { _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(scale)) }
    }
    #[inline(always)]
    unsafe fn lowest() -> __m512 {
        unsafe { Avx512Floats::lowest() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m512) {
        unsafe { Avx512Floats::store(to, value) }
    }
    #[inline(always)]
    unsafe fn max(new: __m512, old: __m512) -> __m512 {
        unsafe { Avx512Floats::max(new, old) }
    }
}

/// i8 against i16; `VNNI` tells whether one instruction multiplies and adds.
pub(super) struct Avx512Bytes<const VNNI: bool>;

impl<const VNNI: bool> Bytes for Avx512Bytes<VNNI> {
    type Words = __m512i;
    type Sum = __m512i;
    const STEP: usize = 32;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn widen(from: *const i8) -> __m512i {
        unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load(from: *const i16) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        unsafe {
            if VNNI {
                multiply_and_add(sum, a, b)
            } else {
                _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
            }
        }
    }
    #[inline(always)]
    unsafe fn totals(sums: [__m512i; QUERY_ROWS]) -> [i32; QUERY_ROWS] {
        unsafe {
            let mut halves = [_mm256_setzero_si256(); QUERY_ROWS];
            for (half, sum) in halves.iter_mut().zip(sums) {
                let high = _mm512_extracti64x4_epi64::<1>(sum);
                *half = _mm256_add_epi32(_mm512_castsi512_si256(sum), high);
            }
            super::avx2::Avx2Bytes::totals(halves)
        }
    }
}

/// `vpdpwssd`. Written out, because LLVM otherwise takes it apart into a multiplication and
/// an addition, for their shorter latency, which costs half the throughput.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn multiply_and_add(mut sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    // SAFETY: it changes one register and the function has the instruction.
    unsafe {
        std::arch::asm!(
            "vpdpwssd {sum}, {a}, {b}",
            sum = inout(zmm_reg) sum,
            a = in(zmm_reg) a,
            b = in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}
