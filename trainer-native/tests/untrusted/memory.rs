//! How much memory is taken at a time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, which counts.
pub struct Counting {
    now: AtomicUsize,
    start: AtomicUsize,
    most: AtomicUsize,
}

impl Counting {
    pub const fn new() -> Self {
        Self { now: AtomicUsize::new(0), start: AtomicUsize::new(0), most: AtomicUsize::new(0) }
    }

    /// From here on [`Counting::most`] counts.
    pub fn start(&self) {
        let now = self.now.load(Relaxed);
        self.start.store(now, Relaxed);
        self.most.store(now, Relaxed);
    }

    /// The most bytes that were taken at a time since the start, above what was taken then.
    pub fn most(&self) -> usize {
        self.most.load(Relaxed).saturating_sub(self.start.load(Relaxed))
    }
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = self.now.fetch_add(layout.size(), Relaxed) + layout.size();
        self.most.fetch_max(now, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.now.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}
