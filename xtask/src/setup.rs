//! `cargo xtask setup`: what the checks need beyond cargo. Every part is
//! optional, looked for first and installed only when missing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::chromium;
use crate::cuda::llvm;
use crate::shell::{Step, root};
use crate::terminal::{note, say};

/// The target of browser builds.
pub const WASM: &str = "wasm32-unknown-unknown";

/// Installs what is missing; says what stays missing.
pub fn run() {
    rust_target(WASM);
    npm_packages();
    vulkan_driver();
    browsers();
    if cfg!(target_os = "linux") {
        llvm::set_up();
    }
}

fn ready(what: &str) {
    say!("setup: {what}: ready");
}

fn missing(what: &str, advice: &str) {
    note!("\n!!! setup: {what} is MISSING. {advice}\n");
}

/// A target of the compiler, installed where it is missing; false, said loudly, when it cannot be had.
pub fn rust_target(target: &'static str) -> bool {
    let what = format!("Rust target {target}");
    let there = || {
        let folder = ["--print", "target-libdir", "--target", target];
        let folder = Step::new("rustc", "rustc", folder).output();
        folder.is_some_and(|folder| Path::new(&folder).is_dir())
    };
    let installed =
        there() || (Step::new("rustup", "rustup", ["target", "add", target]).run() && there());
    if installed {
        ready(&what);
    } else {
        missing(&what, &format!("Its checks cannot run. Try: rustup target add {target}"));
    }
    installed
}

fn npm_packages() {
    let what = "emoji packages in data/node_modules";
    if npm_ci("data") {
        ready(what);
    } else {
        missing(what, "The emoji set cannot be made. It needs Node.js with npm and a registry");
    }
}

/// The tools of the browser package; false, said loudly, when they cannot be had.
pub fn web_packages() -> bool {
    let what = "tools of the browser package in web/node_modules";
    let installed = npm_ci("web");
    if installed {
        ready(what);
    } else {
        missing(
            what,
            "The browser package cannot be built. It needs Node.js with npm and a registry",
        );
    }
    installed
}

/// What `folder`/package-lock.json lists, installed when it is not there yet.
pub fn npm_ci(folder: &str) -> bool {
    let path = root().join(folder);
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    // npm writes this file last, so an interrupted installation has none.
    let installed = modified(&path.join("node_modules/.package-lock.json"));
    let fresh = installed.is_some() && installed >= modified(&path.join("package-lock.json"));
    fresh || Step::new("npm", "npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"]).run()
}

fn vulkan_driver() {
    let what = "Vulkan driver for the GPU tests";
    if software_vulkan().is_none() && cfg!(target_os = "linux") {
        install("mesa-vulkan-drivers");
    }
    match software_vulkan() {
        Some(driver) => ready(&format!("{what} ({})", driver.display())),
        None => missing(
            what,
            "The parity suite leaves its GPU half out. On Debian or Ubuntu: \
             apt-get install mesa-vulkan-drivers",
        ),
    }
}

/// The browsers of the browser tests, installed where they are missing.
pub fn browsers() {
    chromium();
    for (what, packages) in [
        // Debian's name, then that of others. Ubuntu's package is only a hint at another kind of package.
        ("Firefox", ["firefox-esr", "firefox"].as_slice()),
        ("WebKitGTK", &["webkit2gtk-driver", "gir1.2-webkit2-4.1", "python3-gi", "xvfb"]),
    ] {
        engine(what, packages);
    }
}

fn chromium() {
    let what = "Chromium for the browser tests";
    // Debian's name, then Ubuntu's.
    for package in ["chromium", "chromium-browser"] {
        if chromium::find().is_none() && cfg!(target_os = "linux") {
            install(package);
        }
    }
    match chromium::find() {
        Some(path) => ready(&format!("{what} ({})", path.display())),
        None => missing(
            what,
            "They are left out, or fail under CI=true. On Debian: apt-get install chromium; elsewhere \
             AVSE_CHROMIUM may name one",
        ),
    }
}

/// An engine of the tests in three engines. Where it is looked for is the tests' own affair.
fn engine(name: &'static str, packages: &[&str]) {
    let what = format!("{name} for the tests in three engines");
    let lack = || {
        Step::new("found", "node", ["tests/browser/engines/support/found.mjs", name])
            .output()
            .unwrap_or_else(|| "Node.js was not found".into())
    };
    let mut lacking = lack();
    for package in packages {
        if !lacking.is_empty() && cfg!(target_os = "linux") {
            install(package);
            lacking = lack();
        }
    }
    if lacking.is_empty() {
        ready(&what);
    } else {
        let end = "Its tests are left out, or fail under CI=true";
        missing(&what, &format!("{lacking}. {end}"));
    }
}

/// QEMU's emulator of an ARM processor, installed where it is missing; `None`, said loudly, when it cannot be had.
pub fn emulator() -> Option<&'static str> {
    let what = "emulator of ARM processors";
    let find = || {
        // The second is Debian's name where it was linked statically.
        let names = ["qemu-aarch64", "qemu-aarch64-static"];
        names.into_iter().find(|name| Step::new("qemu", name, ["--version"]).output().is_some())
    };
    if find().is_none() && cfg!(target_os = "linux") {
        install("qemu-user");
    }
    match find() {
        Some(name) => ready(&format!("{what} ({name})")),
        None => missing(
            what,
            "The NEON kernels cannot be tested. On Debian or Ubuntu: apt-get install qemu-user",
        ),
    }
    find()
}

/// Installs a package of Debian or Ubuntu, where that is possible without asking.
fn install(package: &str) {
    let id = |flag| Step::new("id", "id", [flag]).output();
    let step = |args: &[&str]| {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let program = if id("-u").as_deref() == Some("0") {
            Step::new("apt-get", "apt-get", [])
        } else {
            Step::new("apt-get", "sudo", ["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
        };
        program.env("DEBIAN_FRONTEND", "noninteractive").args(&args).run()
    };
    if Step::new("apt-get", "apt-get", ["--version"]).output().is_none() {
        return;
    }
    let may_install = id("-u").as_deref() == Some("0")
        || Step::new("sudo", "sudo", ["-n", "true"]).output().is_some();
    let install = ["install", "-y", "--no-install-recommends", package];
    // Package lists are often absent in containers and stale elsewhere: fetch
    // them only when the package cannot be installed from those at hand.
    if may_install && !step(&install) && step(&["update"]) {
        step(&install);
    }
}

/// The description file of an installed software Vulkan driver: Mesa's llvmpipe,
/// or the SwiftShader of a Chromium.
pub fn software_vulkan() -> Option<PathBuf> {
    let llvmpipe =
        ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"]
            .iter()
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flat_map(|entries| entries.filter_map(Result::ok))
            .map(|entry| entry.path())
            .find(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                name.starts_with("lvp_icd") && name.ends_with(".json")
            });
    let swiftshader = ["/usr/lib/chromium", "/usr/lib/chromium-browser"]
        .iter()
        .map(|folder| Path::new(folder).join("vk_swiftshader_icd.json"))
        .find(|path| path.is_file());
    llvmpipe.or(swiftshader)
}
