//! Ending the program while it works.

/// Ends the program at once. With CUDA other threads may be compiling kernels; a usual exit would destroy the compiler's
/// data under them, and they would crash.
pub fn leave(code: u8) -> ! {
    #[cfg(all(feature = "cuda-backend", target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number and does not return.
    unsafe {
        libc::_exit(code.into())
    }
    #[cfg(not(all(feature = "cuda-backend", target_os = "linux", target_env = "gnu")))]
    std::process::exit(code.into())
}
