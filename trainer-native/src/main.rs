//! The `avse` command.

use std::process::ExitCode;

use trainer_native::allocator::TensorAllocator;

#[global_allocator]
static ALLOCATOR: TensorAllocator = TensorAllocator::new();

fn main() -> ExitCode {
    trainer_native::run()
}
