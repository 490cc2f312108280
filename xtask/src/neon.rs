//! `cargo xtask neon`: the unit tests of the similarity engine with its kernels for ARM, on an ARM
//! processor or in an emulator of one.

use crate::browser::required;
use crate::setup;
use crate::shell::{Step, root, target};

/// Linked with what rustup brings and nothing of this machine's: no cross compiler, no libraries of ARM's.
const TARGET: &str = "aarch64-unknown-linux-musl";

/// Emulated processors: one with NEON and nothing beyond it, and one with everything that QEMU knows, where
/// code that looks for more than NEON finds it.
const PROCESSORS: [(&str, &str); 2] =
    [("NEON, Cortex-A53", "cortex-a53"), ("NEON, all extensions", "max")];

/// Runs the tests; whether they passed. Without an emulator they are left out, loudly, or fail where CI=true.
pub fn run() -> bool {
    if cfg!(target_arch = "aarch64") {
        return tests("NEON").run();
    }
    let emulator = setup::emulator().filter(|_| setup::rust_target(TARGET));
    let Some(emulator) = emulator else {
        let end = if required() { "CI=true makes that a failure." } else { "They are LEFT OUT." };
        eprintln!("\n!!! The tests of the NEON kernels cannot run. {end}\n");
        return !required();
    };
    PROCESSORS.iter().all(|(name, processor)| {
        tests(name)
            .args(&["--target".into(), TARGET.into()])
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld")
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER",
                format!("{emulator} -cpu {processor}"),
            )
            .run()
    })
}

/// The engine without the rest of the core: seconds to compile, where Burn takes a quarter of an hour.
fn tests(name: &'static str) -> Step {
    let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    Step::cargo(name, ["test", "--release"]).args(&[
        "--manifest-path".into(),
        path(root().join("tests/engine/Cargo.toml")),
        "--target-dir".into(),
        path(target().join("test-engine")),
    ])
}
