//! `cargo xtask test`: every check of the repository, as named steps.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::setup::{self, WASM};
use crate::shell::{Step, root};

/// Runs all checks and prints a table; fails when any of them failed.
pub fn run_all() -> ExitCode {
    let started = Instant::now();
    setup::run();

    let mut results = Vec::new();
    let mut check = |step: Step| {
        let (name, begun) = (step.name, Instant::now());
        let passed = step.run();
        results.push((name, passed, begun.elapsed()));
        passed
    };

    check(Step::cargo("format", ["fmt", "--all", "--check"]));
    // All test steps name the whole workspace, the parity suite included: with
    // fewer packages cargo would choose other features and build Burn again.
    if check(with_test_environment(Step::cargo(
        "build",
        ["test", "--release", "--workspace", "--no-run"],
    ))) {
        for step in after_build() {
            check(step);
        }
    } else {
        eprintln!("\nThe workspace does not compile: the remaining steps were left out.");
    }

    print_table(&results, started.elapsed());
    let failed: Vec<_> = results.iter().filter(|(_, ok, _)| !ok).map(|(name, ..)| *name).collect();
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        eprintln!("Failed: {}", failed.join(", "));
        ExitCode::FAILURE
    }
}

fn after_build() -> Vec<Step> {
    let mut steps = tests();
    steps.push(Step::cargo(
        "clippy",
        ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"],
    ));
    steps.push(
        Step::cargo("documentation", ["doc", "--release", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    );
    steps.push(wasm());
    // With DOCS_RS set, Burn's CUDA build looks for no CUDA and no LLVM: enough
    // to type-check every line on a machine that has neither.
    steps.push(
        Step::cargo("cuda", ["check", "--release", "-p", "trainer-native", "--features", "cuda"])
            .env("DOCS_RS", "1"),
    );
    steps
}

/// The tests proper. nextest runs every test in a process of its own, which the
/// suites that run on a GPU would pay for with compiled kernels, and it knows no
/// documentation tests: those go to `cargo test`.
fn tests() -> Vec<Step> {
    let nextest = Step::cargo("nextest", ["nextest", "--version"]).output().is_some();
    let steps = if nextest {
        let without_gpu = ["-E", "not binary(parity) and not binary(similarity_gpu)"];
        let with_gpu = ["--test", "parity", "--test", "similarity_gpu"];
        vec![
            Step::cargo("tests", ["nextest", "run", "--release", "--workspace", "--no-fail-fast"])
                .args(&without_gpu.map(str::to_owned)),
            Step::cargo("tests on a GPU", ["test", "--release", "--workspace"])
                .args(&with_gpu.map(str::to_owned)),
            Step::cargo("doc tests", ["test", "--release", "--workspace", "--doc"]),
        ]
    } else {
        vec![Step::cargo(
            "tests, doc tests",
            ["test", "--release", "--workspace", "--no-fail-fast"],
        )]
    };
    steps.into_iter().map(with_test_environment).collect()
}

/// The browser build of the core and the web crate, type-checked. Its flags
/// stand in .cargo/config.toml.
pub fn wasm() -> Step {
    Step::cargo("wasm32", ["check", "--release", "--target", WASM, "-p", "avse-web"])
}

/// Points the tests at the real captions and at a software Vulkan driver, where
/// there are such; what the caller has set stays.
fn with_test_environment(mut step: Step) -> Step {
    let unset = |key| std::env::var_os(key).is_none();
    let captions = root().join("../shared/captions");
    if unset("AVSE_CAPTIONS_DIR") && captions.is_dir() {
        step = step.env("AVSE_CAPTIONS_DIR", captions.canonicalize().unwrap_or(captions));
    }
    if unset("VK_DRIVER_FILES")
        && unset("VK_ICD_FILENAMES")
        && let Some(driver) = setup::software_vulkan()
    {
        step = step.env("VK_DRIVER_FILES", driver);
    }
    step
}

fn print_table(results: &[(&str, bool, Duration)], total: Duration) {
    println!("\n{:<26}{:<8}{:>9}", "step", "result", "seconds");
    for (name, passed, time) in results {
        let result = if *passed { "ok" } else { "FAILED" };
        println!("{name:<26}{result:<8}{:>9.1}", time.as_secs_f64());
    }
    println!("{:<26}{:<8}{:>9.1}", "total", "", total.as_secs_f64());
}
