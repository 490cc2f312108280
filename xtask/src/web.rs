//! `cargo xtask web …`: the browser package, the demo page and their tests.
//!
//! Everything made lies in `web/package/dist` (the npm package) and in cargo's target folder (`web/`: the site,
//! its data, the tools).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::{copy, text};
use crate::setup::{self, WASM};
use crate::shell::{Step, root, target};
use crate::terminal::note;

/// The two builds of the engine: folder, cargo features.
const BUILDS: [(&str, &str); 2] = [("cpu", ""), ("gpu", "gpu")];
/// The version of trunk that is installed where there is none.
const TRUNK: &str = "0.21.14";

/// The site that `web build` makes.
pub fn site() -> PathBuf {
    target().join("web/site")
}

/// The native program that makes the page's data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Native {
    /// Built when it is out of date.
    Fresh,
    /// As the tests have built it: with fewer packages cargo would choose other features and
    /// build Burn again.
    Tested,
}

impl Native {
    fn avse(self) -> Step {
        match self {
            Self::Fresh => Step::cargo("data", ["run", "--release", "-p", "trainer-native", "--"]),
            Self::Tested => Step::new("data", avse(), []),
        }
    }
}

/// The native program in cargo's target folder.
pub fn avse() -> PathBuf {
    target().join("release").join(format!("avse{}", std::env::consts::EXE_SUFFIX))
}

/// The engine, the package and the demo page with its data; false when a step failed.
pub fn build(native: Native) -> bool {
    // First: without it the engine would fail after minutes of compiling.
    setup::rust_target(WASM)
        && setup::web_packages()
        && engine()
        && package()
        && demo()
        && data(native)
}

/// Builds, then serves the site until interrupted.
pub fn serve(arguments: &[String]) -> bool {
    build(Native::Fresh)
        && Step::new("serve", "node", ["web/tools/serve.mjs", "--root"])
            .args(&[text(&site())])
            .args(arguments)
            .run()
}

/// The hook of `trunk`: builds, and puts everything but index.html, which is trunk's, into the folder that trunk names.
pub fn stage() -> bool {
    let Some(out) = std::env::var_os("TRUNK_STAGING_DIR").map(PathBuf::from) else {
        note!(
            "`cargo xtask web stage` is called by trunk, which names a folder in TRUNK_STAGING_DIR"
        );
        return false;
    };
    if !build(Native::Fresh) {
        return false;
    }
    let copied = fs::read_dir(site()).and_then(|entries| {
        for entry in entries {
            let entry = entry?;
            if entry.file_name() != "index.html" {
                copy(&entry.path(), &out.join(entry.file_name()))?;
            }
        }
        Ok(())
    });
    if let Err(error) = &copied {
        note!("{}: {error}", out.display());
    }
    copied.is_ok()
}

/// Runs trunk in the page's folder, and installs it where it is missing.
pub fn trunk(arguments: &[String]) -> bool {
    let in_path = Step::new("trunk", "trunk", ["--version"]).output().is_some();
    let tools = target().join("web/tools");
    let own = tools.join("bin").join(format!("trunk{}", std::env::consts::EXE_SUFFIX));
    let program = if in_path { PathBuf::from("trunk") } else { own };
    // Without the parts that ask for newer versions and download tools.
    let install = || {
        Step::cargo("trunk", ["install", "trunk", "--locked", "--no-default-features"])
            .args(&["--version", TRUNK, "--root"].map(str::to_owned))
            .args(&[text(&tools)])
            .run()
    };
    let ready = in_path || program.exists() || install();
    let config = text(&root().join("web/demo/Trunk.toml"));
    ready && Step::new("trunk", program, ["--config", &config]).args(arguments).run()
}

/// Both WebAssembly builds, their glue, and the list of their sizes and hashes.
fn engine() -> bool {
    let Some(bindgen) = wasm_bindgen() else { return false };
    let folder = target().join("web/cargo");
    for (name, features) in BUILDS {
        let built = Step::cargo("engine", ["build", "--profile", "web", "--target", WASM])
            .args(&["-p", "avse-web", "--features", features].map(str::to_owned))
            .args(&["--target-dir".into(), text(&folder)])
            .run();
        let module = folder.join(WASM).join("web/avse_web.wasm");
        let out = root().join("web/package/dist/wasm").join(name);
        let bound = || {
            Step::new("wasm-bindgen", &bindgen, ["--target", "web", "--remove-name-section"])
                .args(&["--remove-producers-section".into(), "--out-dir".into()])
                .args(&[text(&out), text(&module)])
                .run()
        };
        if !built || !bound() {
            return false;
        }
    }
    Step::new("sizes", "node", ["web/tools/sizes.mjs"]).run()
}

/// The TypeScript of the package.
fn package() -> bool {
    typescript("web/package/tsconfig.json", &root().join("web/package/dist"))
}

/// The page, with the package beside it.
fn demo() -> bool {
    let (site, demo) = (site(), root().join("web/demo"));
    let scripts = ["tsconfig.json", "tsconfig.sw.json"]
        .iter()
        .all(|project| typescript(&format!("web/demo/{project}"), &site));
    let copied = || -> io::Result<()> {
        for entry in fs::read_dir(&demo)? {
            let from = entry?.path();
            let extension = from.extension().unwrap_or_default();
            if ["html", "css", "svg", "webmanifest"].iter().any(|kind| extension == *kind) {
                copy(&from, &site.join(from.file_name().unwrap_or_default()))?;
            }
        }
        copy(&root().join("web/package/dist"), &site.join("avse-web"))
    };
    if !scripts {
        return false;
    }
    let result = copied();
    if let Err(error) = &result {
        note!("{}: {error}", site.display());
    }
    result.is_ok() && Step::new("bundle", "node", ["web/tools/bundle.mjs", &text(&site)]).run()
}

/// What the page searches: made anew when the model or the program is newer.
fn data(native: Native) -> bool {
    let out = site().join("data");
    let model = root().join("data/emoji-model/manifest.json");
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let made = modified(&out.join("avse.json"));
    if made.is_some() && made >= modified(&model) && made >= modified(&avse()) {
        return true;
    }
    native.avse().args(&["export-web".into(), "--out".into(), text(&out)]).run()
}

fn typescript(project: &str, out: &Path) -> bool {
    Step::new("typescript", "node", ["web/node_modules/typescript/bin/tsc", "--project", project])
        .args(&["--outDir".into(), text(out)])
        .run()
}

/// The program of the version that Cargo.lock asks for, from PATH or our own, installed when it is missing.
fn wasm_bindgen() -> Option<PathBuf> {
    let tools = target().join("web/tools");
    let program = tools.join("bin").join(format!("wasm-bindgen{}", std::env::consts::EXE_SUFFIX));
    let wanted = locked("wasm-bindgen")?;
    let is_wanted = |program: &Path| {
        let version = Step::new("wasm-bindgen", program, ["--version"]).output();
        version.is_some_and(|version| version.split_whitespace().last() == Some(&wanted))
    };
    let in_path = PathBuf::from("wasm-bindgen");
    if is_wanted(&in_path) {
        return Some(in_path);
    }
    let ready = || is_wanted(&program);
    let install = || {
        Step::cargo("wasm-bindgen", ["install", "wasm-bindgen-cli", "--version", &wanted])
            .args(&["--root".into(), text(&tools)])
            .run()
    };
    (ready() || (install() && ready())).then_some(program)
}

/// The version of a crate in Cargo.lock.
fn locked(package: &str) -> Option<String> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).ok()?;
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(entry.split('"').next()?.to_owned())
}
