//! The end of the program in the middle of its work.

/// Ends the program at once. What is usually taken apart at the end stays as it is where kernels may be compiled in other
/// threads: without the compiler's own data they would crash.
pub fn leave(code: u8) -> ! {
    #[cfg(all(feature = "cuda-backend", target_os = "linux", target_env = "gnu"))]
    // SAFETY: nothing has to be kept; what was written to files is with the system.
    unsafe {
        libc::_exit(code.into())
    }
    #[cfg(not(all(feature = "cuda-backend", target_os = "linux", target_env = "gnu")))]
    std::process::exit(code.into())
}
