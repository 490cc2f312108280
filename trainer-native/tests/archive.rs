//! The program that `cargo xtask gpu pack` archives: `avse`, and as two more commands, `parity` and `gradients`, the test
//! suites that a GPU is tried with. Three programs would hold Burn and LLVM three times.

#![allow(clippy::duplicate_mod, reason = "each suite brings what it needs")]

use std::process::ExitCode;

use libtest_mimic::{Arguments, run};
use trainer_native::allocator::TensorAllocator;

#[allow(dead_code, reason = "its main is for its own program")]
#[path = "gradients/main.rs"]
mod gradients;
#[allow(dead_code, reason = "its main is for its own program")]
#[path = "../../core/tests/parity/main.rs"]
mod parity;

#[global_allocator]
static ALLOCATOR: TensorAllocator = TensorAllocator::new();

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let tests = match words.first().map(String::as_str) {
        Some("parity") => parity::tests(),
        Some("gradients") => gradients::tests(),
        _ => return trainer_native::run(),
    };
    // Kernels that one suite compiles are there for the next, and for training.
    trainer_native::prepare();
    // The first word stands where a program's own name would.
    let code = run(&Arguments::from_iter(words), tests).exit_code();
    trainer_native::device::finish();
    code
}
