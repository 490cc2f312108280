//! `cargo xtask bench similarity`: the engine beside its peers, which this makes where they are
//! missing. Everything made lies in cargo's target folder.

use std::fs;
use std::path::Path;

use crate::python::{self, Requirements};
use crate::setup::{self, WASM};
use crate::shell::{Step, root, target};
use crate::terminal::note;

/// Images that the WebAssembly modules search, and how often.
const WASM_ROWS: [(&str, &str); 2] = [("20000", "9"), ("300", "2")];

/// Runs everything; false when ours could not be measured. A peer that cannot be had is named
/// and left out.
pub fn run(arguments: &[String]) -> bool {
    if arguments.iter().any(|argument| argument == "--only") {
        return only(arguments);
    }
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    let quick = has("--quick");
    let folder = target().join("bench-similarity");
    if let Err(error) = fs::create_dir_all(&folder) {
        note!("{}: {error}", folder.display());
        return false;
    }
    let mut bench = vec!["similarity".to_owned()];
    bench.extend_from_slice(arguments);
    let mut rows = |name: &str, found: Option<String>| {
        let path = folder.join(name);
        match found.map(|text| fs::write(&path, text)) {
            Some(Ok(())) => bench.extend(["--rows".into(), text(&path)]),
            _ => missing(name),
        }
    };
    rows("wasm.jsonl", wasm(&folder, WASM_ROWS[usize::from(quick)]));
    // Its sizes cannot be chosen this small.
    if !quick {
        rows("gpu.jsonl", shaders(&[]));
    }
    if !quick && !has("--json") {
        bench.extend(["--json".into(), "bench/similarity.json".into()]);
    }
    if !quick && !has("--roofline") {
        bench.extend(["--roofline".into(), "bench/roofline.svg".into()]);
    }
    // The last, since it takes all words that follow.
    match python::environment(
        &folder,
        &Requirements::of_peers("requirements.txt", "AVSE_PEERS_PYTHON"),
    ) {
        Some(python) => {
            let script = root().join("bench/peers/similarity.py");
            bench.extend(["--peers".into(), text(&python), text(&script)]);
        }
        None => missing("PyTorch and maxsim-cpu"),
    }
    Step::cargo("similarity", ["run", "--release", "-p", "trainer-native", "--", "bench"])
        .args(&bench)
        .run()
}

/// `--only gpu`: the shaders' rows anew, in the place of the old ones in bench/similarity.json.
fn only(arguments: &[String]) -> bool {
    if arguments != ["--only", "gpu"] {
        note!("bench similarity {}: not `--only gpu`, alone", arguments.join(" "));
        return false;
    }
    shaders(&["--merge", "bench/similarity.json"]).is_some()
}

fn missing(what: &str) {
    note!("\n!!! bench: {what} is MISSING from this comparison\n");
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The int8 query as WebAssembly, with SIMD and without, in node.
fn wasm(folder: &Path, (rows, runs): (&str, &str)) -> Option<String> {
    let built = [("scalar", "-C target-feature=-simd128"), ("simd", "-C target-feature=+simd128")]
        .map(|(name, flags)| {
            let folder = folder.join(name);
            let built = Step::cargo("wasm32", ["build", "--release", "--target", WASM])
                .args(&["--manifest-path".into(), text(&root().join("bench/wasm/Cargo.toml"))])
                .args(&["--target-dir".into(), text(&folder)])
                .env("RUSTFLAGS", flags)
                .run();
            built.then(|| text(&folder.join(WASM).join("release/avse_bench_wasm.wasm")))
        });
    let [Some(scalar), Some(simd)] = built else { return None };
    let script = text(&root().join("bench/wasm/run.mjs"));
    Step::new("wasm", "node", []).args(&[script, scalar, simd, rows.into(), runs.into()]).captured()
}

/// The shaders beside a naive one, on a software adapter where there is one; their rows. The table of
/// the adapter's roofs goes to bench/README.md.
fn shaders(options: &[&str]) -> Option<String> {
    let bench = ["bench", "--workspace", "--bench", "similarity_gpu", "--"];
    root().join("core/benches/similarity_gpu").is_dir().then_some(())?;
    let table = ["--table", "bench/README.md"];
    let options: Vec<String> = options.iter().chain(&table).map(|&word| word.into()).collect();
    let mut step = Step::cargo("gpu", bench).args(&options);
    if let Some(driver) = setup::software_vulkan() {
        step = step.env("VK_DRIVER_FILES", driver);
    }
    step.captured()
}
