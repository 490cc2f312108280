//! The `avse` command.

use std::process::ExitCode;

use trainer_native::commands::Cli;

/// Training allocates and frees large tensors all the time; the system's allocator gives
/// each one back to the kernel and has it zeroed again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, which the binding has no name for.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    // Memory of freed tensors is kept for the next ones: giving it back and having it
    // zeroed again took a fifth of a training step.
    // SAFETY: sets a number in mimalloc's option table; -1 means never.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    match Cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
