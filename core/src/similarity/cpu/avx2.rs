//! Kernels for x86 with AVX2 and FMA: registers of 8 f32 or 16 i16.

use std::arch::x86_64::*;

use super::byte_dots::{Bytes, QUERY_ROWS};
use super::tile::Mac;

/// f32, fused.
pub(super) struct Avx2Floats;

impl Mac for Avx2Floats {
    type Step = f32;
    type Operand = __m256;
    type Sum = __m256;
    type Float = __m256;
    const LANES: usize = 8;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> __m256 {
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> __m256 {
        unsafe { _mm256_set1_ps(*from) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m256, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn finish(sum: __m256, _scale: f32) -> __m256 {
        sum
    }
    #[inline(always)]
    unsafe fn lowest() -> __m256 {
        unsafe { _mm256_set1_ps(f32::NEG_INFINITY) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m256) {
        unsafe { _mm256_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn max(new: __m256, old: __m256) -> __m256 {
        unsafe { _mm256_max_ps(new, old) }
    }
}

/// Pairs of i16.
pub(super) struct Avx2Words;

impl Mac for Avx2Words {
    type Step = [i16; 2];
    type Operand = __m256i;
    type Sum = __m256i;
    type Float = __m256;
    const LANES: usize = 8;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn load(from: *const [i16; 2]) -> __m256i {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const [i16; 2]) -> __m256i {
        unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)) }
    }
    #[inline(always)]
    unsafe fn finish(sum: __m256i, scale: f32) -> __m256 {
        unsafe { _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(scale)) }
    }
    #[inline(always)]
    unsafe fn lowest() -> __m256 {
        unsafe { Avx2Floats::lowest() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m256) {
        unsafe { Avx2Floats::store(to, value) }
    }
    #[inline(always)]
    unsafe fn max(new: __m256, old: __m256) -> __m256 {
        unsafe { Avx2Floats::max(new, old) }
    }
}

/// i8 against i16.
pub(super) struct Avx2Bytes;

impl Bytes for Avx2Bytes {
    type Words = __m256i;
    type Sum = __m256i;
    const STEP: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn widen(from: *const i8) -> __m256i {
        unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load(from: *const i16) -> __m256i {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)) }
    }
    #[inline(always)]
    unsafe fn totals(sums: [__m256i; QUERY_ROWS]) -> [i32; QUERY_ROWS] {
        unsafe {
            let [a, b, c, d] = sums;
            let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
            let low = _mm256_castsi256_si128(pairs);
            let totals = _mm_add_epi32(low, _mm256_extracti128_si256::<1>(pairs));
            let mut out = [0; QUERY_ROWS];
            _mm_storeu_si128(out.as_mut_ptr().cast(), totals);
            out
        }
    }
}

/// Writes 8 blocks side by side: `panel[number * lanes + block]`. Returns how many numbers
/// of each were written, a multiple of 4.
///
/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn transpose(blocks: &[&[f32]; 8], panel: &mut [f32], lanes: usize) -> usize {
    let width = blocks[0].len();
    assert!(blocks.iter().all(|block| block.len() == width));
    let whole = width / 4 * 4;
    assert!(lanes >= 8 && panel.len() + lanes >= whole * lanes + 8);
    for at in (0..whole).step_by(4) {
        // SAFETY: reads end at `whole`; the last write ends 8 lanes into the last row.
        unsafe {
            // Blocks 0 to 3 lie in the lower halves, 4 to 7 in the upper ones, so that no
            // shuffle has to cross them.
            let mut rows = [_mm256_setzero_ps(); 4];
            for (row, values) in rows.iter_mut().enumerate() {
                let low = _mm256_castps128_ps256(_mm_loadu_ps(blocks[row].as_ptr().add(at)));
                let high = _mm_loadu_ps(blocks[row + 4].as_ptr().add(at));
                *values = _mm256_insertf128_ps::<1>(low, high);
            }
            let [a, b, c, d] = rows;
            let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            let to = panel.as_mut_ptr().add(at * lanes);
            _mm256_storeu_ps(to, _mm256_shuffle_ps::<0x44>(ab_low, cd_low));
            _mm256_storeu_ps(to.add(lanes), _mm256_shuffle_ps::<0xee>(ab_low, cd_low));
            _mm256_storeu_ps(to.add(2 * lanes), _mm256_shuffle_ps::<0x44>(ab_high, cd_high));
            _mm256_storeu_ps(to.add(3 * lanes), _mm256_shuffle_ps::<0xee>(ab_high, cd_high));
        }
    }
    whole
}
