//! `cargo xtask kernels`: the unit tests of the similarity engine with its kernels for other processors than
//! this machine's: ARM in an emulator, WebAssembly in Node.js.

use crate::chromium::required;
use crate::files::text;
use crate::setup;
use crate::shell::{Step, root, target};
use crate::terminal::note;

/// Linked with what rustup brings and nothing of this machine's: no cross compiler, no libraries of ARM's.
const ARM: &str = "aarch64-unknown-linux-musl";
/// A page's instructions with a terminal to print to.
const WASM: &str = "wasm32-wasip1";

/// Emulated processors: one with NEON and nothing beyond it, and one with everything that QEMU knows, where
/// code that looks for more than NEON finds it.
const PROCESSORS: [(&str, &str); 2] =
    [("NEON, Cortex-A53", "cortex-a53"), ("NEON, all extensions", "max")];

/// Runs the tests; whether they passed. What cannot run is left out, loudly, or fails where CI=true.
pub fn run() -> bool {
    // The second one runs although the first has failed.
    [neon(), simd128()].iter().all(|passed| *passed)
}

fn neon() -> bool {
    if cfg!(target_arch = "aarch64") {
        return tests("NEON").run();
    }
    let emulator = setup::emulator().filter(|_| setup::rust_target(ARM));
    let Some(emulator) = emulator else { return left_out("NEON kernels") };
    PROCESSORS.iter().all(|(name, processor)| {
        tests(name)
            .args(&["--target".into(), ARM.into()])
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld")
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER",
                format!("{emulator} -cpu {processor}"),
            )
            .run()
    })
}

/// As pages have it: 128 bits, and no threads.
fn simd128() -> bool {
    let node = Step::new("node", "node", ["--version"]).output().is_some();
    if !node || !setup::rust_target(WASM) {
        return left_out("WebAssembly kernels");
    }
    let runner = text(&root().join("tests/engine/wasi.mjs"));
    tests("WebAssembly SIMD")
        .args(&["--target", WASM, "--no-default-features"].map(str::to_owned))
        .env("CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS", "-C target-feature=+simd128")
        .env("CARGO_TARGET_WASM32_WASIP1_RUNNER", format!("node --no-warnings {runner}"))
        .run()
}

fn left_out(what: &str) -> bool {
    let end = if required() { "CI=true makes that a failure." } else { "They are LEFT OUT." };
    note!("\n!!! The tests of the {what} cannot run. {end}\n");
    !required()
}

/// The engine without the rest of the core: seconds to compile, where Burn takes a quarter of an hour.
fn tests(name: &'static str) -> Step {
    Step::cargo(name, ["test", "--release"]).args(&[
        "--manifest-path".into(),
        text(&root().join("tests/engine/Cargo.toml")),
        "--target-dir".into(),
        text(&target().join("test-engine")),
    ])
}
