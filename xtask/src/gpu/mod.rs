//! `cargo xtask gpu …`: everything that a machine with NVIDIA GPUs needs to try AVSE, without a network and without
//! Rust, in one archive.

mod programs;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use crate::files::text;
use crate::shell::{Step, root, target};
use crate::terminal::note;

pub const HELP: &str = "\
Usage: cargo xtask gpu pack|run|rehearse [ARGS]

  pack [--out FILE]
             Build the program for CUDA and the tests that compare it with recorded numbers, and archive them
             with small data, the PyTorch peer and a script (target/gpu/avse-gpu.tar.xz; fails above 60 MB). On a
             machine with an NVIDIA GPU and Python 3, `tar xf avse-gpu.tar.xz` and
             `python3 avse-gpu/run.py` try everything in eight minutes and write JSON (bench/gpu/README.md)
  run [ARGS]
             Unpack that archive into a temporary folder and run its script here, in an empty environment;
             ARGS go to the script, for example --device cpu
  rehearse [--stand-ins]
             What `pack` archives, without archiving it: all parts on the CPU in tiny sizes, programs that crash
             and hang, runs that are ended. --stand-ins builds nothing and leaves the real programs out

Needs python3, strip, and npm for the emoji set.
";

/// Most megabytes of the archive, of 10^6 bytes.
const LIMIT: &str = "60";

/// The folder's name in the archive.
const NAME: &str = "avse-gpu";

/// Runs a subcommand; whether it succeeded. None when there is no such one.
pub fn run(arguments: &[String]) -> Option<bool> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["pack"] => Some(pack(&archive())),
        ["pack", "--out", file] => Some(pack(Path::new(file))),
        ["run", ..] => Some(unpacked(&archive(), &arguments[1..])),
        ["rehearse"] => Some(rehearse()),
        ["rehearse", "--stand-ins"] => Some(rehearse_faults()),
        _ => None,
    }
}

fn folder() -> PathBuf {
    target().join("gpu")
}

fn archive() -> PathBuf {
    folder().join(format!("{NAME}.tar.xz"))
}

fn pack(out: &Path) -> bool {
    let staged = folder().join(NAME);
    stage::stage(&staged)
        && python("archive", "archive.py").args(&[text(&staged), text(out), LIMIT.into()]).run()
}

/// Rehearses with what would be archived.
fn rehearse() -> bool {
    let staged = folder().join(NAME);
    stage::stage(&staged) && python("rehearse", "rehearse.py").args(&[text(&staged)]).run()
}

/// Rehearses with stand-ins for the programs, which crash, hang and are ended: seconds.
pub fn rehearse_faults() -> bool {
    let staged = folder().join("faults");
    let arguments = [text(&staged), "--stand-ins".into()];
    stage::without_programs(&staged) && python("rehearse", "rehearse.py").args(&arguments).run()
}

/// Runs the archive's script as on another machine: from a folder that is neither the archive's nor the repository's,
/// and without this environment's variables.
fn unpacked(archive: &Path, arguments: &[String]) -> bool {
    let folder = folder().join("unpacked");
    let _ = fs::remove_dir_all(&folder);
    if let Err(error) = fs::create_dir_all(&folder) {
        note!("{}: {error}", folder.display());
        return false;
    }
    let here = std::env::current_dir().unwrap_or_else(|_| root());
    // A peer's Python and a driver to look for are the caller's to name.
    let kept = ["LD_LIBRARY_PATH", "CUDA_PATH"]
        .into_iter()
        .filter_map(|key| Some(format!("{key}={}", std::env::var(key).ok()?)));
    let kept = kept.chain(
        std::env::vars()
            .filter(|(key, _)| key.starts_with("CUDA_STANDIN_"))
            .map(|(key, value)| format!("{key}={value}")),
    );
    let out = match arguments.iter().any(|argument| argument == "--out") {
        true => Vec::new(),
        false => vec!["--out".into(), text(&here.join("avse-gpu.json"))],
    };
    Step::new("unpack", "tar", ["-xf"]).args(&[text(archive), "-C".into(), text(&folder)]).run()
        && Step::new("run", "env", ["-i", "PATH=/usr/local/bin:/usr/bin:/bin"])
            .args(&kept.collect::<Vec<_>>())
            .args(&[text(&interpreter()), text(&folder.join(NAME).join("run.py"))])
            .args(&out)
            .args(arguments)
            .run()
}

/// A script of bench/gpu.
fn python(name: &'static str, script: &str) -> Step {
    Step::new(name, "python3", ["-B"]).args(&[text(&root().join("bench/gpu").join(script))])
}

/// The file of python3: with an empty environment PATH may lead to another.
fn interpreter() -> PathBuf {
    let program = Step::new("python3", "python3", ["-c", "import sys; print(sys.executable)"]);
    program.output().map_or_else(|| "python3".into(), PathBuf::from)
}
