//! `cargo xtask cuda …`: the program for NVIDIA's GPUs, built and checked on a machine that may have none.

mod cases;
pub mod check;
mod dataset;
pub mod llvm;
mod parallel;
mod ptxas;
mod record;
mod table;
mod tools;

use std::fs;
use std::path::Path;

use crate::files::text;
use crate::shell::{Step, target};
use crate::web::avse;

pub use tools::driver;

/// Cargo's feature of the tests that build with CUDA: the whole workspace with the CPU, wgpu and CUDA in one
/// build of Burn.
pub const TESTED: [&str; 2] = ["--features", "trainer-native/cuda"];
/// Largest size of the stripped program in bytes. With all of LLVM's targets it would have twice as much.
const SIZE: u64 = 90_000_000;

/// `cargo xtask cuda`: LLVM where it is missing, the program, and what it can do without a GPU.
pub fn run() -> bool {
    let build = ["build", "--release", "-p", "trainer-native", "--features", "cuda"];
    llvm::set_up() && Step::cargo("cuda build", build).run() && is_small(&avse()) && works(&avse())
}

/// Whether the stripped program is as small as it should be.
pub fn is_small(program: &Path) -> bool {
    let stripped = target().join("cuda/stripped");
    let made = stripped.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok())
        && Step::new("strip", "strip", ["-o"]).args(&[text(&stripped), text(program)]).run();
    let size = made.then(|| fs::metadata(&stripped).ok()).flatten().map(|meta| meta.len());
    let _ = fs::remove_file(&stripped);
    match size {
        Some(size) => {
            println!(
                "{}: {} MB stripped, {} allowed",
                program.display(),
                size / 1_000_000,
                SIZE / 1_000_000
            );
            size <= SIZE
        }
        None => false,
    }
}

/// What it can do on any machine: say what is missing, and compute on the processor.
fn works(program: &Path) -> bool {
    let step = |name, args: &[&str]| {
        Step::new(name, program, [])
            .args(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    };
    step("doctor", &["doctor"]).run()
        && step(
            "encoding and training on the CPU",
            &["bench", "model", "--quick", "--gpu-id", "cpu"],
        )
        .run()
}
