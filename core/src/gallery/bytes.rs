//! The content of a file, in memory or mapped into it.

use std::ops::Deref;

/// Where numbers of every type may start.
const ALIGNMENT: usize = align_of::<u64>();

/// Bytes that start at a multiple of 8, so that aligned offsets are aligned addresses.
#[derive(Debug)]
pub(super) enum Bytes {
    Owned(Vec<u8>),
    /// A copy of what did not start there, and its length in bytes.
    Aligned(Vec<u64>, usize),
    #[cfg(not(target_family = "wasm"))]
    Mapped(memmap2::Mmap),
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.as_ptr().addr().is_multiple_of(ALIGNMENT) {
            return Self::Owned(bytes);
        }
        aligned_copy(&bytes)
    }
}

pub(super) fn aligned_copy(bytes: &[u8]) -> Bytes {
    let mut words = vec![0u64; bytes.len().div_ceil(ALIGNMENT)];
    bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
    Bytes::Aligned(words, bytes.len())
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Aligned(words, length) => &bytemuck::cast_slice(words)[..*length],
            #[cfg(not(target_family = "wasm"))]
            Self::Mapped(map) => map,
        }
    }
}

#[cfg(not(target_family = "wasm"))]
impl Bytes {
    /// Maps a file that nobody changes: galleries and spools are only ever replaced, or
    /// grown by the process that holds their lock.
    pub(super) fn map(file: &std::fs::File) -> std::io::Result<Self> {
        // SAFETY: as said above; a file that another program truncates meanwhile ends this
        // one, which no program that maps files can prevent.
        Ok(Self::Mapped(unsafe { memmap2::Mmap::map(file)? }))
    }
}
