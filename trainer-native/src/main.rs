//! The `avse` command.

use std::process::ExitCode;

use trainer_native::commands::Cli;

/// Training allocates and frees large tensors all the time; the system's allocator gives
/// each one back to the kernel and has it zeroed again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
