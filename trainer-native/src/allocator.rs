//! Memory for tensors.
//!
//! A training step allocates the same sizes again and again. General allocators round large sizes
//! up and keep what was freed in pieces that fit nothing else: a sixth of a step's peak. Giving
//! everything back at once instead has the kernel zero every temporary again: a step takes a fifth
//! longer and more. So large blocks come from the system, to the page, and those freed last are kept for the next
//! request of exactly their size; small ones are mimalloc's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard};

use mimalloc::MiMalloc;

/// From this size on (bytes) a block is large.
const LARGE: usize = 1 << 20;
/// What may always be kept, in bytes.
const KEPT: usize = 96 << 20;
/// What may be kept beyond that, as a part of the large blocks in use.
const KEPT_PART: usize = 24;
/// Largest number of blocks kept.
const PLACES: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct TensorAllocator {
    large: Mutex<Freed>,
}

impl TensorAllocator {
    /// With nothing kept.
    pub const fn new() -> Self {
        Self { large: Mutex::new(Freed::new()) }
    }

    /// Has the allocators underneath behave; call it once, first of all.
    pub fn prepare() {
        /// `mi_option_purge_delay`, which the binding has no name for.
        const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
        // SAFETY: sets a number in mimalloc's option table; -1 means that freed memory stays.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
        // Large blocks are mapped alone, however many of them were freed before.
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: sets a number.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE as libc::c_int);
        }
    }

    /// Nothing panics while it is held, so it is never poisoned; allocation must not panic either.
    fn freed(&self) -> MutexGuard<'_, Freed> {
        self.large.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Default for TensorAllocator {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: a layout is large or small whenever it comes by, so a block returns to where it is from.
// A large block is the system's, and handed out again for its very layout after it was freed only.
unsafe impl GlobalAlloc for TensorAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE {
            return unsafe { MiMalloc.alloc(layout) };
        }
        let found = self.freed().take(layout);
        if found.is_null() { unsafe { System.alloc(layout) } } else { found }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE {
            return unsafe { MiMalloc.alloc_zeroed(layout) };
        }
        let found = self.freed().take(layout);
        if found.is_null() {
            return unsafe { System.alloc_zeroed(layout) };
        }
        unsafe { found.write_bytes(0, layout.size()) };
        found
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if layout.size() < LARGE {
            return unsafe { MiMalloc.dealloc(pointer, layout) };
        }
        let mut block = Some(Block { pointer, layout });
        // One by one, so that others need not wait while the system takes blocks back.
        loop {
            let surplus = self.freed().keep(block.take());
            let Some(Block { pointer, layout }) = surplus else { break };
            unsafe { System.dealloc(pointer, layout) };
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.size() < LARGE && size < LARGE {
            return unsafe { MiMalloc.realloc(pointer, layout, size) };
        }
        // SAFETY: the caller's promise about `size`.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let new = unsafe { self.alloc(wanted) };
        if !new.is_null() {
            unsafe { pointer.copy_to_nonoverlapping(new, layout.size().min(size)) };
            unsafe { self.dealloc(pointer, layout) };
        }
        new
    }
}

/// A large block.
#[derive(Clone, Copy, Debug)]
struct Block {
    pointer: *mut u8,
    layout: Layout,
}

// SAFETY: a freed block is nobody's but its holder's.
unsafe impl Send for Block {}

/// Freed large blocks, the oldest first, and what is in use.
#[derive(Debug)]
struct Freed {
    blocks: [Block; PLACES],
    count: usize,
    bytes: usize,
    used: usize,
}

impl Freed {
    const fn new() -> Self {
        let none = Block { pointer: null_mut(), layout: Layout::new::<u8>() };
        Self { blocks: [none; PLACES], count: 0, bytes: 0, used: 0 }
    }

    /// The block of this layout that was freed last, or null when the system must give one. Either
    /// way it is in use from now on.
    fn take(&mut self, layout: Layout) -> *mut u8 {
        self.used += layout.size();
        let fits = |block: &Block| block.layout == layout;
        match self.blocks[..self.count].iter().rposition(fits) {
            Some(at) => self.remove(at).pointer,
            None => null_mut(),
        }
    }

    /// Keeps a freed block, and hands out the oldest when it is one, or too much, to keep.
    fn keep(&mut self, block: Option<Block>) -> Option<Block> {
        let mut surplus = None;
        if let Some(block) = block {
            if self.count == PLACES {
                surplus = Some(self.remove(0));
            }
            self.blocks[self.count] = block;
            self.count += 1;
            self.bytes += block.layout.size();
            self.used = self.used.saturating_sub(block.layout.size());
        }
        let limit = KEPT.max(self.used / KEPT_PART);
        surplus.or_else(|| (self.bytes > limit).then(|| self.remove(0)))
    }

    fn remove(&mut self, at: usize) -> Block {
        let block = self.blocks[at];
        self.blocks.copy_within(at + 1..self.count, at);
        self.count -= 1;
        self.bytes -= block.layout.size();
        block
    }
}

#[cfg(test)]
mod tests;
