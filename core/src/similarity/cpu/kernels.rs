//! Which kernels a machine can run, and the one place where they are chosen.

use std::sync::OnceLock;

use super::byte_dots::ByteTile;
use super::tile::Tile;
use crate::similarity::quantised::Fit;

/// A family of kernels for one instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Plain Rust.
    Scalar,
    /// WebAssembly SIMD of 128 bits.
    Simd128,
    /// ARM NEON.
    Neon,
    /// x86 with AVX2 and FMA.
    Avx2,
    /// x86 with AVX-512 F, BW and VL.
    Avx512,
    /// The same with VNNI.
    Avx512Vnni,
}

impl Kernel {
    /// All families, the slower first.
    pub const ALL: [Self; 6] =
        [Self::Scalar, Self::Simd128, Self::Neon, Self::Avx2, Self::Avx512, Self::Avx512Vnni];

    /// Whether this machine, and this build, can run it.
    pub fn is_available(self) -> bool {
        self.table().is_some()
    }

    /// The fastest that this machine can run.
    pub fn best() -> Self {
        static BEST: OnceLock<Kernel> = OnceLock::new();
        *BEST.get_or_init(|| {
            let mut all = Self::ALL.into_iter().rev();
            all.find(|kernel| kernel.is_available()).unwrap_or(Self::Scalar)
        })
    }

    pub(super) fn table_or_scalar(self) -> &'static Kernels {
        self.table().unwrap_or(&SCALAR)
    }

    /// Its functions, where the machine has the instructions for them.
    pub(super) fn table(self) -> Option<&'static Kernels> {
        match self {
            Self::Scalar => Some(&SCALAR),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2_is_there().then_some(&x86::AVX2),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512_is_there().then_some(&x86::AVX512),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => (avx512_is_there()
                && std::arch::is_x86_feature_detected!("avx512vnni"))
            .then_some(&x86::AVX512_VNNI),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon").then_some(&arm::NEON),
            // A module with these instructions runs only where they are.
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Simd128 => Some(&wasm::SIMD128),
            _ => None,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn avx2_is_there() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
fn avx512_is_there() -> bool {
    avx2_is_there()
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vl")
}

/// A tile and where its results go.
pub(super) type TileKernel<S> = unsafe fn(Tile<'_, S>, &mut [f32]);

/// Eight blocks, the room to write to, and the stride between their numbers; says how many of
/// each it wrote.
pub type TransposeKernel = unsafe fn(&[&[f32]; 8], &mut [f32], usize) -> usize;

/// The functions of a family. Calling one is sound where [`Kernel::table`] gave it out: the
/// processor then has its instructions, and lengths are checked inside.
pub(super) struct Kernels {
    /// Lanes of a panel: panels are as wide or a multiple of it.
    pub panel: usize,
    /// For every lane the best dot product with any row.
    pub best_of_rows: TileKernel<f32>,
    /// All dot products of rows and lanes.
    pub all_products: TileKernel<f32>,
    /// Integers, where they are faster than f32: the best of rows.
    pub best_of_word_rows: Option<TileKernel<[i16; 2]>>,
    /// All dot products of an int8 item and a query.
    pub byte_products: unsafe fn(ByteTile<'_>, &mut [i32]),
    /// [`Fit::of`] in 16 bits.
    pub quantise: unsafe fn(&[f32], f32, &mut [i16]) -> Fit,
    /// Writes blocks side by side; returns how many numbers of each it wrote, the rest being
    /// left to plain code.
    pub transpose: Option<TransposeKernel>,
}

/// The kernels of one instruction set, from its [`Mac`](super::tile::Mac) and
/// [`Bytes`](super::byte_dots::Bytes).
macro_rules! kernels {
    ($name:ident, $vectors:literal, $floats:ty, $words:tt, $bytes:ty, $transpose:expr
     $(, $feature:literal)*) => {
        pub(super) static $name: Kernels = {
            use crate::similarity::cpu::byte_dots::{ByteTile, byte_products as byte_loop};
            use crate::similarity::cpu::tile::{self, Mac, Tile};

            $(#[target_feature(enable = $feature)])*
            unsafe fn best_of_rows(tile: Tile<'_, f32>, best: &mut [f32]) {
                // SAFETY: the caller has the instructions.
                unsafe { tile::best_of_rows::<$floats, $vectors>(tile, best) }
            }
            $(#[target_feature(enable = $feature)])*
            unsafe fn all_products(tile: Tile<'_, f32>, dots: &mut [f32]) {
                // SAFETY: as above.
                unsafe { tile::all_products::<$floats, $vectors>(tile, dots) }
            }
            $(#[target_feature(enable = $feature)])*
            unsafe fn byte_products(tile: ByteTile<'_>, dots: &mut [i32]) {
                // SAFETY: as above.
                unsafe { byte_loop::<$bytes>(tile, dots) }
            }
            $(#[target_feature(enable = $feature)])*
            unsafe fn quantise(block: &[f32], level: f32, words: &mut [i16]) -> Fit {
                Fit::of(block, level, words, |integer| integer as i16)
            }
            kernels!(@words $words, $vectors $(, $feature)*);
            Kernels {
                panel: $vectors * <$floats as Mac>::LANES,
                best_of_rows,
                all_products,
                best_of_word_rows: WORDS,
                byte_products,
                quantise,
                transpose: $transpose,
            }
        };
    };
    (@words none, $vectors:literal $(, $feature:literal)*) => {
        const WORDS: Option<TileKernel<[i16; 2]>> = None;
    };
    (@words ($words:ty), $vectors:literal $(, $feature:literal)*) => {
        $(#[target_feature(enable = $feature)])*
        unsafe fn best_of_word_rows(tile: Tile<'_, [i16; 2]>, best: &mut [f32]) {
            // SAFETY: as above.
            unsafe { tile::best_of_rows::<$words, $vectors>(tile, best) }
        }
        const WORDS: Option<TileKernel<[i16; 2]>> = Some(best_of_word_rows);
    };
}

kernels!(SCALAR, 2, super::scalar::ScalarFloats, none, super::scalar::ScalarBytes, None);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::{avx2, avx512};
    use super::{Fit, Kernels, TileKernel};

    kernels!(
        AVX2,
        2,
        avx2::Avx2Floats,
        (avx2::Avx2Words),
        avx2::Avx2Bytes,
        Some(avx2::transpose),
        "avx2",
        "fma"
    );
    kernels!(
        AVX512,
        2,
        avx512::Avx512Floats,
        none,
        avx512::Avx512Bytes<false>,
        Some(avx2::transpose),
        "avx512f",
        "avx512bw",
        "avx512vl",
        "avx2",
        "fma"
    );
    kernels!(
        AVX512_VNNI,
        2,
        avx512::Avx512Floats,
        (avx512::VnniWords),
        avx512::Avx512Bytes<true>,
        Some(avx2::transpose),
        "avx512f",
        "avx512bw",
        "avx512vl",
        "avx512vnni",
        "avx2",
        "fma"
    );
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::super::neon;
    use super::{Fit, Kernels, TileKernel};

    kernels!(NEON, 2, neon::NeonFloats, none, neon::NeonBytes, None, "neon");
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use super::super::simd128;
    use super::{Fit, Kernels, TileKernel};

    kernels!(SIMD128, 2, simd128::Floats, (simd128::Words), simd128::ByteWords, None, "simd128");
}
