//! `cargo xtask test`: every check of the repository, as named steps.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::browser;
use crate::chromium;
use crate::cuda::{self, llvm};
use crate::files::text;
use crate::gpu;
use crate::setup::{self, WASM};
use crate::shell::{Step, root, target};
use crate::terminal::{note, say};
use crate::web::{self, Native};

/// Runs all checks and prints a table; fails when any of them failed.
pub fn run_all() -> ExitCode {
    let started = Instant::now();
    let free = free_space();
    let _ = fs::remove_file(left_out());
    setup::run();
    let mut results = Results::default();
    results.check(Step::cargo("format", ["fmt", "--all", "--check"]));
    let driver = standin();
    if driver.is_none() && cfg!(target_os = "linux") {
        if chromium::required() {
            results.record("CUDA", || false);
        }
        let note =
            "*** LEFT OUT: CUDA was not linked, LLVM for it is missing: `cargo xtask cuda` ***\n";
        let _ = fs::write(left_out(), note);
    }
    let build = workspace("build", ["test"], driver.as_deref()).args(&["--no-run".into()]);
    if results.check(build) {
        if driver.is_some() {
            results.record("cuda program", || cuda::say_size(&web::avse()));
        }
        for step in tests(driver.as_deref()) {
            results.check(step);
        }
        // The driver's library has this form on Linux, and the script is for Linux.
        if cfg!(target_os = "linux") {
            results.check(cuda::standin_tests());
            results.record("gpu script", gpu::rehearse_faults);
        }
        in_the_browser(&mut results);
        for step in lints() {
            results.check(step);
        }
    } else {
        note!("\nThe workspace does not compile: the remaining steps were left out.");
    }

    results.print(started.elapsed());
    print_left_out();
    // A full disk shows as a linker that crashes.
    if let (Some(before), Some(after)) = (free, free_space()) {
        say!("free on the disk: {after:.1} GiB, {before:.1} GiB at the start");
    }
    let failed = results.failed();
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        note!("Failed: {}", failed.join(", "));
        ExitCode::FAILURE
    }
}

/// The browser package and the demo page: built, which holds their size against the budget, and tested. Both
/// engines are compiled for it, so there is no type-check of their own.
fn in_the_browser(results: &mut Results) {
    if !results.record("browser build", || web::build(Native::Tested)) {
        return;
    }
    results.check(browser::package_tests());
    match browser::tests() {
        Some(steps) => {
            for step in steps {
                results.check(step);
            }
        }
        None if chromium::required() => {
            results.record("browser tests", || false);
        }
        None => {}
    }
}

/// Lints and documentation with every GPU backend. With DOCS_RS set, Burn looks for no CUDA, no ROCm and no LLVM:
/// enough to type-check every line on a machine that has none. A target folder of their own keeps what the
/// variable changes away from the real builds.
fn lints() -> Vec<Step> {
    let folder = text(&target().join("lint"));
    let features = ["cuda", "rocm", "metal", "vulkan", "wgpu", "archive", "heic"]
        .map(|name| format!("trainer-native/{name}"));
    let with_all = |step: Step| {
        let arguments = ["--release", "--workspace", "--target-dir", &folder, "--features"];
        step.args(&arguments.map(str::to_owned)).args(&[features.join(",")]).env("DOCS_RS", "1")
    };
    let strict = ["--all-targets", "--", "-D", "warnings"].map(str::to_owned);
    vec![
        with_all(Step::cargo("clippy, all backends", ["clippy"])).args(&strict),
        with_all(Step::cargo("documentation", ["doc", "--no-deps"]))
            .env("RUSTDOCFLAGS", "-D warnings"),
    ]
}

/// The stand-in for NVIDIA's driver, where the tests can be linked with CUDA.
fn standin() -> Option<PathBuf> {
    (cfg!(target_os = "linux") && llvm::is_there()).then(cuda::driver).flatten()
}

/// A command of cargo for the tests of the whole workspace, the parity suite included: with fewer packages or other
/// features cargo would build Burn again. One build holds the CPU, wgpu and CUDA.
fn workspace<const N: usize>(
    name: &'static str,
    command: [&str; N],
    driver: Option<&Path>,
) -> Step {
    let step = Step::cargo(name, command).args(&["--release", "--workspace"].map(str::to_owned));
    with_test_environment(match driver {
        Some(driver) => step
            .args(&["--features", "trainer-native/cuda-backend"].map(str::to_owned))
            .env("AVSE_CUDA_STANDIN", driver),
        None => step,
    })
}

/// The tests proper. nextest runs every test in a process of its own, which the
/// suites that run on a GPU would pay for with compiled kernels, and it knows no
/// documentation tests: those go to `cargo test`.
fn tests(driver: Option<&Path>) -> Vec<Step> {
    let nextest = Step::cargo("nextest", ["nextest", "--version"]).output().is_some();
    if nextest {
        let without_gpu =
            ["--no-fail-fast", "-E", "not binary(parity) and not binary(similarity_gpu)"];
        let with_gpu = ["--test", "parity", "--test", "similarity_gpu"];
        vec![
            workspace("tests", ["nextest", "run"], driver).args(&without_gpu.map(str::to_owned)),
            workspace("tests on a GPU", ["test"], driver).args(&with_gpu.map(str::to_owned)),
            workspace("doc tests", ["test"], driver).args(&["--doc".to_owned()]),
        ]
    } else {
        vec![workspace("tests, doc tests", ["test"], driver).args(&["--no-fail-fast".to_owned()])]
    }
}

/// Type-checks both browser builds of the web crate and what they use of the core; whether they passed. Their flags
/// stand in .cargo/config.toml.
pub fn wasm() -> bool {
    let step = |name| Step::cargo(name, ["check", "--release", "--target", WASM, "-p", "avse-web"]);
    step("wasm32").run()
        && step("wasm32, WebGPU").args(&["--features", "gpu"].map(str::to_owned)).run()
}

/// Points the tests at the real captions and at a software Vulkan driver, where
/// there are such; what the caller has set stays.
fn with_test_environment(mut step: Step) -> Step {
    step = step.env("AVSE_LEFT_OUT", left_out());
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

/// Where tests note what they leave out (tests/support): what a passing test prints is not shown.
pub fn left_out() -> PathBuf {
    target().join("left-out.txt")
}

/// Prints what was left out, once each.
pub fn print_left_out() {
    let text = fs::read_to_string(left_out()).unwrap_or_default();
    let lines: BTreeSet<&str> = text.lines().collect();
    if !lines.is_empty() {
        note!("\n{}\n", lines.into_iter().collect::<Vec<_>>().join("\n"));
    }
}

/// Space that is free where cargo builds, in GiB; where the system says so.
fn free_space() -> Option<f64> {
    let folder = target();
    let df = Step::new("df", "df", ["-Pk"]).args(&[folder.to_string_lossy().into_owned()]);
    let kibibytes = df.output()?.lines().nth(1)?.split_whitespace().nth(3)?.parse::<f64>().ok()?;
    Some(kibibytes / f64::from(1 << 20))
}

/// What has run: name, whether it passed, how long it took.
#[derive(Default)]
struct Results(Vec<(&'static str, bool, Duration)>);

impl Results {
    /// Runs a step; whether it passed.
    fn check(&mut self, step: Step) -> bool {
        self.record(step.name, || step.run())
    }

    /// Runs whatever is no single step; whether it passed.
    fn record(&mut self, name: &'static str, run: impl FnOnce() -> bool) -> bool {
        let begun = Instant::now();
        let passed = run();
        self.0.push((name, passed, begun.elapsed()));
        passed
    }

    fn failed(&self) -> Vec<&'static str> {
        self.0.iter().filter(|(_, passed, _)| !passed).map(|(name, ..)| *name).collect()
    }

    fn print(&self, total: Duration) {
        say!("\n{:<26}{:<8}{:>9}", "step", "result", "seconds");
        for (name, passed, time) in &self.0 {
            let result = if *passed { "ok" } else { "FAILED" };
            say!("{name:<26}{result:<8}{:>9.1}", time.as_secs_f64());
        }
        say!("{:<26}{:<8}{:>9.1}", "total", "", total.as_secs_f64());
    }
}
