//! `cargo xtask …`: the chores of this repository, in plain `std` so that they
//! compile in a moment. `cargo xtask help` lists them.

mod bench_training;
mod bench_web;
mod browser;
mod checks;
mod chromium;
mod cuda;
mod differential;
mod files;
mod fuzz;
mod gpu;
mod kernels;
mod newcomer;
mod parallel;
mod python;
mod setup;
mod shell;
mod similarity;
mod terminal;
mod web;

use std::process::ExitCode;

use shell::Step;

use crate::terminal::note;

const HELP: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  setup          Install what the build and the tests need, where it is missing
  test           Set up, then run every check: format, lints, tests, documentation,
                 the browser package in a browser, and the GPU backends
  cuda           Build the program for NVIDIA's GPUs and check it; no GPU is needed
  cuda check     Assemble every kernel of training and evaluation for three kinds of GPU
  e2e            Run the end-to-end tests of the `avse` command line only
  differential   Read generated files with our readers and with the formats' reference programs
  fuzz           Run a fuzzer on everything that reads bytes from outside
  kernels        Run the tests of the similarity engine's kernels for ARM (emulated) and WebAssembly
  newcomer       Run the demo and the tests in a fresh clone, from an empty home
  bench [ARGS]   Build and run `avse bench [ARGS]`, for example `cargo xtask bench model`
  gpu            Pack an archive that tries a machine with NVIDIA GPUs, rehearse it
  web build      Build the browser package and the demo page with its data
  web serve      The same, then serve the page on this machine
  web test       The same, then run the tests in Node.js and in browsers only
  help           Print this text; `cargo xtask <COMMAND> --help` prints more
";

const SETUP: &str = "\
Usage: cargo xtask setup

Installs what is missing and leaves alone what is there:
  - the Rust target wasm32-unknown-unknown (rustup)
  - the emoji packages pinned in data/package-lock.json (npm ci)
  - a software Vulkan driver for the GPU half of the parity suite (apt-get, as root
    or with sudo that asks no password; Debian and Ubuntu only)
  - for the browser tests a Chromium, a Firefox, and WebKitGTK with its WebDriver (the same way)
  - on Linux LLVM 23, with which tests are linked for CUDA (400 MB in the user's local data, 92 MB to fetch:
    Burn's own download, else PyPI)
None of them is required to build `avse`: what cannot be installed is named loudly,
and the checks that need it are skipped or fail by name.
";

const TEST: &str = "\
Usage: cargo xtask test

Runs `setup`, then the checks as named steps, and ends with a table of results and
times. Only a workspace that does not compile ends the run early.

Environment:
  AVSE_PARITY_DIR     Another folder of parity fixtures
  AVSE_TENSORBOARD_PYTHON
                      Python that has `tensorboard`; without it that reader's test is
                      left out loudly
  AVSE_CAPTIONS_DIR   Folder of real caption files; ../shared/captions when that exists
  VK_DRIVER_FILES     Vulkan driver of the GPU tests; a software one when found
  AVSE_CHROMIUM       Browser of the browser tests; one of the usual names when found.
                      Without any they are left out loudly, or fail where CI=true
  AVSE_FIREFOX        Firefox of the tests in three engines, likewise
";

const E2E: &str = "\
Usage: cargo xtask e2e [ARGS]

Runs the end-to-end tests of the `avse` command line:
`cargo test --release -p trainer-native --test cli [ARGS]`.
";

const DIFFERENTIAL: &str = "\
Usage: cargo xtask differential [KIND ...]

Writes files of every form that our readers take (tests/differential: pictures, tables, tar files,
checkpoints, captions), most of them odd and many damaged, reads them with the format's reference program and
with ours, and compares. Something that we read otherwise fails; the table of results is written into
docs/formats.md. It makes a Python environment of tests/differential/requirements.txt (1 GB;
AVSE_DIFFERENTIAL_PYTHON names another Python).
";

const FUZZ: &str = "\
Usage: cargo xtask fuzz [TARGET ...] [--runs N] [--seconds N]

Builds the fuzz targets (fuzz/, a build of Burn of its own: half an hour) and runs all of them, or
those named, as many at once as there are processors. Counts are written into fuzz/README.md. An
input that breaks a reader is kept in target/fuzz/corpus, and the command fails. cargo-fuzz is
installed into target/fuzz/tools where it is missing; a C++ compiler is needed.

  --runs N      Executions of each target; 10,000,000
  --seconds N   The most seconds of each target; 3600
";

const KERNELS: &str = "\
Usage: cargo xtask kernels

Runs the unit tests of the similarity engine (tests/engine: its sources alone, no Burn) with
its kernels for ARM and for WebAssembly. On an ARM processor the first run as they are.
Elsewhere they are compiled for aarch64-unknown-linux-musl and run in QEMU, once as a
Cortex-A53 (NEON alone) and once with all extensions; those for WebAssembly are compiled for
wasm32-wasip1 and run in Node.js. The Rust targets (rustup) and the emulator (qemu-user from
apt-get, as root or with sudo that asks no password; Debian and Ubuntu only) are installed
where missing. Where they cannot be had the tests are left out loudly, or fail where CI=true.
An emulator proves results and says nothing about speed.
";

const NEWCOMER: &str = "\
Usage: cargo xtask newcomer

Clones the last commit into cargo's target folder and runs `cargo run --release -- demo` and
`cargo xtask test` there as somebody who has rustup and Node.js and nothing else: with an empty
home folder, and without the variables that steer cargo, npm and avse. Everything is fetched and
compiled anew (over an hour on 2 processors); CARGO_TARGET_DIR names a target folder to share.
";

const BENCH: &str = "\
Usage: cargo xtask bench [ARGS]

Runs `cargo run --release -- bench [ARGS]`; `cargo xtask bench model` measures
encoding and a training step. The benchmarks describe themselves:
`cargo run --release -- bench --help`.

`cargo xtask bench similarity [ARGS]` puts the similarity engine beside its peers in
one run and writes bench/similarity.json and bench/roofline.svg, unless `--json` and
`--roofline` name other files or `--quick` asks for a trial. It makes what is missing
in cargo's target folder: a Python environment of bench/peers/requirements.txt
(several GB; AVSE_PEERS_PYTHON names another Python) and two WebAssembly modules
(node runs them). The shaders meet a naive one on a software Vulkan driver.
`--only gpu` measures these alone, puts their rows in the place of the old ones and
writes the table of the adapter's roofs in bench/README.md.

`cargo xtask bench loader [ARGS]` puts the training loader beside OpenCV and NumPy (a Python
environment of bench/peers/requirements-loader.txt; AVSE_PEERS_PYTHON names another Python)
and its rows into bench/training.json, unless `--json` names another file.

`cargo xtask bench training [ARGS]` does the same with whole training steps and an evaluation of
ViT-B/16 and BERT-base, beside the same network in PyTorch (requirements-training.txt, several GB; 25
minutes, 16 GB of memory).

`cargo xtask bench web [--quick]` builds the browser package and measures it in Chromium
beside onnxruntime-web, which runs the same network; it writes bench/web.json and its
table in bench/README.md. It makes a Python environment of bench/peers/requirements-web.txt
for the export (AVSE_WEB_PEERS_PYTHON names another Python); AVSE_CHROMIUM names the browser.
";

const CUDA: &str = "\
Usage: cargo xtask cuda
       cargo xtask cuda check [--binary FILE] [--full] [--only TEXT] [--no-table]

The first builds the program for NVIDIA's GPUs (target/release/avse) and checks it: its
size, what `avse doctor` says, encoding and a training step on the CPU. No GPU, no driver and
no CUDA toolkit is needed. Burn's compiler is linked with LLVM 23 (400 MB in the user's local
data, 92 MB to fetch): what is there is used, else Burn's own download, else PyPI.

`cargo xtask test` links CUDA, too, and runs the command line with a stand-in for the driver
(tests/cuda).

`check` runs training and evaluation of that program on GPUs that the stand-in pretends:
A100, H200 and B200. Every kernel that is launched, and every
candidate that tuning tries, is assembled by NVIDIA's ptxas (from PyPI, into cargo's target
folder). Errors fail; registers, spills and shared memory of the kernels, and launches,
waits, allocations and copies of a step, are written to bench/cuda.md.

  --binary FILE   The CUDA build of avse; target/release/avse
  --full          Everything on all GPUs, and all candidates of tuning; without it every kind of work
                  once, and the first candidate that works
  --only TEXT     Only the cases with this in their name
  --no-table      Leave bench/cuda.md alone
";

const WEB: &str = "\
Usage: cargo xtask web check|build|serve|trunk|test|table [ARGS]

  check   Check that the web crate and what it uses of the core compile for
          wasm32-unknown-unknown, with and without WebGPU
  build   Build both WebAssembly modules, the npm package (web/package) and the demo page
          with a model and galleries of emoji, as static files: target/web/site
  serve   Build, then serve that folder under a strict content security policy;
          ARGS go to web/tools/serve.mjs, for example --port 8080
  trunk   Run trunk in web/demo (ARGS, for example serve), installed where it is missing;
          its hook does what `build` does
  test    Build, then run the tests of the package (web/package/test) and the end-to-end
          tests (tests/browser), which compare it with the native program: all in a Chromium,
          the main paths in Firefox and WebKitGTK too
  table   Build, run the tests in three engines, and write what works where into
          web/package/README.md
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", args.as_slice()),
    };
    let wants_help = rest.iter().any(|arg| arg == "--help" || arg == "-h");
    match (command, rest) {
        ("help" | "--help" | "-h", _) => say(HELP),
        ("setup", _) if wants_help => say(SETUP),
        ("test", _) if wants_help => say(TEST),
        ("e2e", _) if wants_help => say(E2E),
        ("differential", _) if wants_help => say(DIFFERENTIAL),
        ("fuzz", _) if wants_help => say(FUZZ),
        ("kernels", _) if wants_help => say(KERNELS),
        ("newcomer", _) if wants_help => say(NEWCOMER),
        ("bench", [first]) if first == "--help" || first == "-h" => say(BENCH),
        ("gpu", _) if wants_help || rest.is_empty() => say(gpu::HELP),
        ("web", _) if wants_help => say(WEB),
        ("setup", []) => {
            setup::run();
            ExitCode::SUCCESS
        }
        ("test", []) => checks::run_all(),
        ("cuda", _) if wants_help => say(CUDA),
        ("cuda", []) => code(cuda::run()),
        ("e2e", rest) => {
            let cli = ["test", "--release", "-p", "trainer-native", "--test", "cli"];
            forward(Step::cargo("e2e", cli).args(rest))
        }
        ("differential", kinds) => code(differential::run(kinds)),
        ("fuzz", rest) => match fuzz::Options::read(rest) {
            Some(options) => code(fuzz::run(&options)),
            None => misunderstood("fuzz", rest, FUZZ),
        },
        ("kernels", []) => code(kernels::run()),
        ("newcomer", []) => code(newcomer::run()),
        ("bench", [what, rest @ ..]) if what == "similarity" && !wants_help => {
            code(similarity::run(rest))
        }
        ("bench", [what, rest @ ..]) if what == "loader" && !wants_help => {
            code(bench_training::LOADER.run(rest))
        }
        ("bench", [what, rest @ ..]) if what == "training" && !wants_help => {
            code(bench_training::TRAINING.run(rest))
        }
        ("bench", [what, rest @ ..]) if what == "web" && !wants_help => code(bench_web::run(rest)),
        ("bench", rest) => {
            let bench = ["run", "--release", "-p", "trainer-native", "--", "bench"];
            forward(Step::cargo("bench", bench).args(rest))
        }
        ("cuda", [what, rest @ ..]) if what == "check" => match cuda::check::Options::read(rest) {
            Some((binary, options)) => code(cuda::check::check(&binary, &options)),
            None => misunderstood("cuda check", rest, CUDA),
        },
        ("gpu", rest) => match gpu::run(rest) {
            Some(succeeded) => code(succeeded),
            None => misunderstood("gpu", rest, gpu::HELP),
        },
        ("web", []) => say(WEB),
        ("web", [what]) if what == "check" => code(checks::wasm()),
        ("web", [what]) if what == "build" => code(web::build(web::Native::Fresh)),
        ("web", [what]) if what == "test" => code(browser::run()),
        ("web", [what]) if what == "stage" => code(web::stage()),
        ("web", [what]) if what == "table" => code(browser::table()),
        ("web", [what, rest @ ..]) if what == "serve" => code(web::serve(rest)),
        ("web", [what, rest @ ..]) if what == "trunk" => code(web::trunk(rest)),
        _ => misunderstood("", &args, HELP),
    }
}

fn misunderstood(command: &str, arguments: &[String], help: &str) -> ExitCode {
    let name = format!("cargo xtask {command}");
    note!("{}: cannot understand `{}`\n\n{help}", name.trim_end(), arguments.join(" "));
    ExitCode::from(2)
}

fn say(text: &str) -> ExitCode {
    terminal::text(text);
    ExitCode::SUCCESS
}

fn forward(step: Step) -> ExitCode {
    code(step.run())
}

fn code(succeeded: bool) -> ExitCode {
    if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
