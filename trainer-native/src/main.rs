//! The `avse` command.

use std::process::ExitCode;

use trainer_native::allocator::TensorAllocator;
use trainer_native::commands::Cli;

#[global_allocator]
static ALLOCATOR: TensorAllocator = TensorAllocator::new();

fn main() -> ExitCode {
    TensorAllocator::prepare();
    match Cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
