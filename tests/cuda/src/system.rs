//! What the stand-in needs of the C library.

use std::ffi::{c_int, c_void};

unsafe extern "C" {
    fn mmap(
        at: *mut c_void,
        bytes: usize,
        access: c_int,
        kind: c_int,
        file: c_int,
        from: i64,
    ) -> *mut c_void;
    fn munmap(at: *mut c_void, bytes: usize) -> c_int;
    fn atexit(function: extern "C" fn()) -> c_int;
    fn backtrace(frames: *mut *mut c_void, count: c_int) -> c_int;
}

const READ_WRITE: c_int = 1 | 2;
/// Private, anonymous, without a reservation of memory (Linux).
const COSTS_NOTHING: c_int = 0x02 | 0x20 | 0x4000;

/// Addresses for `bytes`, all zero; memory is taken when they are touched.
pub fn reserve(bytes: usize) -> Option<u64> {
    // SAFETY: a new mapping, away from all others.
    let address = unsafe { mmap(std::ptr::null_mut(), bytes, READ_WRITE, COSTS_NOTHING, -1, 0) };
    (address as isize != -1).then_some(address as u64)
}

/// Gives back what [`reserve`] gave.
pub fn release(address: u64, bytes: usize) {
    // SAFETY: the caller's own mapping, which nothing uses any more.
    unsafe { munmap(address as *mut c_void, bytes) };
}

/// Calls `function` when the process ends in the usual way.
pub fn at_exit(function: extern "C" fn()) {
    // SAFETY: the function is this library's, which is never unloaded.
    unsafe { atexit(function) };
}

/// Return addresses of the callers, the same list for the same way through the program.
pub fn callers() -> Vec<usize> {
    let mut frames = [std::ptr::null_mut(); 96];
    // SAFETY: the array has room for as many.
    let count = unsafe { backtrace(frames.as_mut_ptr(), frames.len() as c_int) };
    frames[..count as usize].iter().map(|frame| *frame as usize).collect()
}
