//! LLVM for the CUDA build. Burn's compiler for NVIDIA's GPUs is linked with LLVM 23 and looks for it in one
//! folder of the user's data. Its own build fetches it there; where that cannot be reached, PyPI has the same
//! libraries.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::{copy, text};
use crate::shell::{Step, root, target};
use crate::terminal::{note, say};

/// Burn's bundle of LLVM, by the name of its folder. The number follows the crate `tracel-llvm-bundler`.
const FOLDER: &str = "tracel-llvm-23.1.0-4";
/// A package that needs Burn's bundler of LLVM and nothing else.
const BUNDLER: &str = "\
[package]
name = \"llvm\"
edition = \"2024\"

[dependencies]
tracel-llvm-bundler = \"=23.1.0-4\"

[workspace]
";
/// Burn's build downloads nothing where this file is.
const INSTALLED: &str = ".tracel-llvm-installed";

/// What LLVM registers in one call, by header. A program that names a target is linked with it: with all
/// twenty of them the stripped `avse` has 177 MB. Only NVIDIA's is used.
const TARGETS: [(&str, &str); 4] = [
    ("Targets.def", "LLVM_TARGET(NVPTX)\n#undef LLVM_TARGET\n"),
    ("AsmPrinters.def", "LLVM_ASM_PRINTER(NVPTX)\n#undef LLVM_ASM_PRINTER\n"),
    ("AsmParsers.def", "#undef LLVM_ASM_PARSER\n"),
    ("Disassemblers.def", "#undef LLVM_DISASSEMBLER\n"),
];

/// Whether LLVM is where Burn looks for it.
pub fn is_there() -> bool {
    folder().is_some_and(|folder| folder.join(INSTALLED).is_file())
}

/// LLVM, set up where it is missing; false, said loudly, when it cannot be had.
pub fn set_up() -> bool {
    let installed = is_there() || by_burn() || from_pypi();
    match (installed, folder()) {
        (true, Some(folder)) => say!("setup: LLVM for CUDA ({}): ready", folder.display()),
        _ => note!(
            "\n!!! setup: LLVM for CUDA is MISSING. The CUDA build needs Burn's own download, or Python \
             with pip and PyPI (xtask/src/cuda/llvm-requirements.txt)\n"
        ),
    }
    installed
}

/// Burn's own download, which the build script of its bundler makes. Cargo cannot be asked for a single build
/// dependency of the workspace, so a package that has nothing else stands beside it for the moment, with the versions
/// of the workspace.
fn by_burn() -> bool {
    let package = target().join("cuda/bundler");
    let written = fs::create_dir_all(package.join("src"))
        .and_then(|()| fs::write(package.join("src/lib.rs"), ""))
        .and_then(|()| fs::write(package.join("Cargo.toml"), BUNDLER))
        .and_then(|()| fs::copy(root().join("Cargo.lock"), package.join("Cargo.lock")));
    let manifest = text(&package.join("Cargo.toml"));
    let fetched = written.is_ok()
        && Step::cargo("LLVM, Burn's own download", ["check", "--quiet", "--manifest-path"])
            .args(&[manifest, "--target-dir".into(), text(&package.join("target"))])
            .run();
    let _ = fs::remove_dir_all(&package);
    if !fetched {
        say!("LLVM: Burn's own download cannot be had here; PyPI is asked next");
    }
    fetched && is_there()
}

/// The same libraries from PyPI, in a form that Burn's build takes.
fn from_pypi() -> bool {
    let Some(folder) = folder() else { return false };
    let work = target().join("cuda/llvm");
    let _ = fs::remove_dir_all(&work);
    let wheels = work.join("wheels");
    let requirements = root().join("xtask/src/cuda/llvm-requirements.txt");
    let pip = ["-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"];
    let downloaded = Step::new("LLVM, from PyPI", "python3", pip)
        .args(&["--dest".into(), text(&wheels), "--requirement".into(), text(&requirements)])
        .run();
    if !downloaded {
        return false;
    }
    let unpacked = work.join("unpacked");
    let all = fs::read_dir(&wheels).into_iter().flatten().filter_map(Result::ok).all(|wheel| {
        Step::new("LLVM, unpacked", "python3", ["-m", "zipfile", "-e"])
            .args(&[text(&wheel.path()), text(&unpacked)])
            .run()
    });
    let placed = all
        && match place(&unpacked.join("mlc_llvm_static/static"), &folder) {
            Ok(()) => true,
            Err(error) => {
                note!("{}: {error}", folder.display());
                false
            }
        };
    let _ = fs::remove_dir_all(&work);
    placed
}

/// Puts the unpacked libraries where Burn looks for them, as a whole or not at all.
fn place(unpacked: &Path, folder: &Path) -> io::Result<()> {
    let headers = unpacked.join("include/llvm/Config");
    for (name, text) in TARGETS {
        fs::write(headers.join(name), text)?;
    }
    // A zip file unpacked by Python has no run bits.
    #[cfg(unix)]
    for entry in fs::read_dir(unpacked.join("bin"))? {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(entry?.path(), fs::Permissions::from_mode(0o755))?;
    }
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    let beside = parent.join(format!(".{FOLDER}.{}", std::process::id()));
    copy(unpacked, &beside)?;
    fs::write(beside.join(INSTALLED), "")?;
    // Half an installation that a stopped download left.
    let _ = fs::remove_dir_all(folder);
    fs::rename(&beside, folder)
}

/// Where Burn looks: the user's local data.
fn folder() -> Option<PathBuf> {
    let variable =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME");
    let data = if cfg!(target_os = "macos") {
        home()?.join("Library/Application Support")
    } else if cfg!(windows) {
        variable("LOCALAPPDATA")?
    } else {
        let named = variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
        named.or_else(|| Some(home()?.join(".local/share")))?
    };
    Some(data.join("tracel").join(FOLDER))
}
