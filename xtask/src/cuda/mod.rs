//! `cargo xtask cuda …`: the program for NVIDIA's GPUs, built and checked on a machine that may have none.

mod cases;
pub mod check;
mod dataset;
pub mod llvm;
mod ptxas;
mod record;
mod table;
mod tools;

use std::fs;
use std::path::Path;

use crate::files::text;
use crate::shell::{Step, root, target};
use crate::terminal::say;
use crate::web::avse;

pub use tools::driver;

/// What the stripped program should have at most, in bytes. It has 164 MB: LLVM alone takes some 75 of it.
const SIZE: u64 = 90_000_000;

/// `cargo xtask cuda`: LLVM where it is missing, the program, and what it can do without a GPU.
pub fn run() -> bool {
    let build = ["build", "--release", "-p", "trainer-native", "--features", "cuda"];
    llvm::set_up() && Step::cargo("cuda build", build).run() && say_size(&avse()) && works(&avse())
}

/// The tests of the stand-in for NVIDIA's driver itself: seconds, without Burn.
pub fn standin_tests() -> Step {
    Step::cargo("cuda stand-in", ["test", "--release", "--quiet"]).args(&[
        "--manifest-path".into(),
        text(&root().join("tests/cuda/Cargo.toml")),
        "--target-dir".into(),
        text(&target().join("cuda/standin")),
    ])
}

/// Prints the size of the stripped program; false when it cannot be stripped.
pub fn say_size(program: &Path) -> bool {
    let stripped = target().join("cuda/stripped");
    let made = stripped.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok())
        && Step::new("strip", "strip", ["-o"]).args(&[text(&stripped), text(program)]).run();
    let size = made.then(|| fs::metadata(&stripped).ok()).flatten().map(|meta| meta.len());
    let _ = fs::remove_file(&stripped);
    if let Some(size) = size {
        let (size, aim) = (size / 1_000_000, SIZE / 1_000_000);
        say!("{}: {size} MB stripped, {aim} MB are the aim", program.display());
    }
    size.is_some()
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
