//! The similarity on a CPU: fused kernels chosen at run time, int8 first passes that stay
//! exact, top-k, ranks.
//!
//! Everything here is a method of [`Engine`], which holds the kernels of one instruction
//! set; the functions of the module take the fastest that the machine has. With the cargo
//! feature `parallel` the loops use rayon's threads.
//!
//! Exact scores have one definition (dot products, maxima and sums in a fixed order), so
//! equal pairs have equal bits whichever method scored them.

mod byte_dots;
mod kernels;
mod matrix;
mod panel;
mod parallel;
mod query;
mod ranks;
mod scalar;
mod scorer;
mod search;
mod tile;
mod words;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;

pub use kernels::Kernel;
pub use ranks::Ranks;

use super::{Blocks, Direction, GalleryView, Hit};
use crate::{Error, Result};
use kernels::Kernels;

/// The similarity with the kernels of one instruction set.
#[derive(Clone, Copy)]
pub struct Engine {
    kernel: Kernel,
    kernels: &'static Kernels,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("kernel", &self.kernel).finish()
    }
}

impl Engine {
    /// With the fastest kernels of this machine.
    pub fn new() -> Self {
        let kernel = Kernel::best();
        Self { kernel, kernels: kernel.table_or_scalar() }
    }

    /// With these kernels.
    ///
    /// # Errors
    /// [`Error::Config`] when the machine cannot run them.
    pub fn with(kernel: Kernel) -> Result<Self> {
        let missing = || Error::config("kernel", format!("{kernel:?}: not on this machine"));
        Ok(Self { kernel, kernels: kernel.table().ok_or_else(missing)? })
    }

    /// Which kernels it has.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

/// [`Engine::score_matrix`] with the fastest kernels.
///
/// # Errors
/// As there.
pub fn score_matrix(images: Blocks<'_>, captions: Blocks<'_>, scores: &mut [f32]) -> Result<()> {
    Engine::new().score_matrix(images, captions, scores)
}

/// [`Engine::search`] with the fastest kernels.
///
/// # Errors
/// As there.
pub fn search(
    queries: Blocks<'_>,
    gallery: &GalleryView<'_>,
    direction: Direction,
    k: usize,
) -> Result<Vec<Vec<Hit>>> {
    Engine::new().search(queries, gallery, direction, k)
}

/// [`Engine::ranks_exact`] with the fastest kernels.
///
/// # Errors
/// As there.
pub fn ranks_exact(
    images: Blocks<'_>,
    captions: Blocks<'_>,
    image_of_caption: &[usize],
) -> Result<Ranks> {
    Engine::new().ranks_exact(images, captions, image_of_caption)
}

#[cfg(test)]
mod tests;
