//! What the machine can do at most: arithmetic and memory, measured by loops that do nothing else.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Upper limits of all threads together, the best of many short runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peaks {
    /// f32 operations a second of the widest multiply-add, 2 each.
    pub f32_flops: f64,
    /// The same of 16-bit integer dot products, where the processor has an instruction for them.
    pub i16_flops: Option<f64>,
    /// Bytes a second, read from memory: over as much as a gallery in f32.
    pub read_bytes: f64,
    /// Bytes a second over as much as a gallery in int8; a large cache may hold it.
    pub read_bytes_int8: f64,
}

/// Short, so that some find the processor undisturbed.
const BURSTS: usize = 40;
/// Instructions that depend on each other, in one burst.
const ROUNDS: usize = 200_000;
/// Passes over the memory.
const PASSES: usize = 7;
/// Numbers that a thread reads at a time.
const CHUNK: usize = 1 << 16;

impl Peaks {
    /// Measures them; `gallery` is only read.
    pub(super) fn measure(gallery: &[f32]) -> Self {
        Self {
            f32_flops: arithmetic(f32_loop()),
            i16_flops: i16_loop().map(arithmetic),
            read_bytes: reading(gallery),
            read_bytes_int8: reading(&gallery[..gallery.len() / 4]),
        }
    }
}

/// A loop of so many rounds that returns its operations.
type Loop = fn(usize) -> f64;

fn arithmetic(work: Loop) -> f64 {
    let burst = || {
        let begun = Instant::now();
        let operations: f64 = rayon::broadcast(|_| work(ROUNDS)).iter().sum();
        operations / begun.elapsed().as_secs_f64()
    };
    (0..BURSTS).map(|_| burst()).fold(0.0, f64::max)
}

fn reading(values: &[f32]) -> f64 {
    let pass = || {
        let begun = Instant::now();
        // Integers, since the order of their sum is free.
        let sum = |part: &[f32]| part.iter().fold(0u32, |sum, v| sum.wrapping_add(v.to_bits()));
        black_box(values.par_chunks(CHUNK).map(sum).reduce(|| 0, u32::wrapping_add));
        size_of_val(values) as f64 / begun.elapsed().as_secs_f64()
    };
    (0..PASSES).map(|_| pass()).fold(0.0, f64::max)
}

#[cfg(target_arch = "x86_64")]
fn f32_loop() -> Loop {
    if std::arch::is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has the instructions.
        |rounds| unsafe { x86::avx512(rounds) }
    } else if std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
    {
        // SAFETY: as above.
        |rounds| unsafe { x86::avx2(rounds) }
    } else {
        plain
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn f32_loop() -> Loop {
    plain
}

#[cfg(target_arch = "x86_64")]
fn i16_loop() -> Option<Loop> {
    let there = std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512vnni");
    // SAFETY: the processor has the instructions.
    there.then_some(|rounds| unsafe { x86::vnni(rounds) })
}

#[cfg(not(target_arch = "x86_64"))]
fn i16_loop() -> Option<Loop> {
    None
}

/// For the compiler to make vectors of.
fn plain(rounds: usize) -> f64 {
    const SUMS: usize = 32;
    let (factor, term) = (black_box(0.999f32), black_box(1e-3f32));
    let mut sums = [1f32; SUMS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = *sum * factor + term;
        }
    }
    black_box(sums);
    (rounds * SUMS * 2) as f64
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Sums in flight: more than latency times throughput, and they fit the registers.
    const SUMS: usize = 12;

    #[target_feature(enable = "avx512f")]
    pub fn avx512(rounds: usize) -> f64 {
        let (factor, term) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(1e-3)));
        let mut sums = [_mm512_setzero_ps(); SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, term);
            }
        }
        black_box(sums);
        (rounds * SUMS * 16 * 2) as f64
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(rounds: usize) -> f64 {
        let (factor, term) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(1e-3)));
        let mut sums = [_mm256_setzero_ps(); SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, term);
            }
        }
        black_box(sums);
        (rounds * SUMS * 8 * 2) as f64
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn vnni(rounds: usize) -> f64 {
        let (a, b) = (_mm512_set1_epi16(black_box(3)), _mm512_set1_epi16(black_box(-5)));
        let mut sums = [_mm512_setzero_si512(); SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpwssd_epi32(*sum, a, b);
            }
        }
        black_box(sums);
        (rounds * SUMS * 32 * 2) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No machine that runs this adds less than a million numbers a second, or more than can be.
    #[test]
    fn peaks_are_possible() {
        let peaks = Peaks::measure(&vec![1.0; 1 << 18]);
        let possible = 1e6..1e15;
        assert!(possible.contains(&peaks.f32_flops) && possible.contains(&peaks.read_bytes));
        assert!(possible.contains(&peaks.i16_flops.unwrap_or(1e6)));
        assert!(possible.contains(&peaks.read_bytes_int8), "{peaks:?}");
    }
}
