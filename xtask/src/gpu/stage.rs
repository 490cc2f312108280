//! The archive's folder.

use std::fs;
use std::path::Path;

use super::programs::{build, c_library, libraries_into};
use super::{folder, python};
use crate::files::{copy, text};
use crate::shell::{Step, root};
use crate::terminal::{self, note};

/// Side of the emoji's pictures in pixels. The recipe's network looks at 48; the usual 96 would not fit.
const SIDE: &str = "48";

/// Files of the repository and their places in the folder.
const FILES: [(&str, &str); 6] = [
    ("bench/peers/avse_torch.py", "avse_torch.py"),
    ("bench/gpu/parts", "parts"),
    ("bench/gpu/resume.toml", "resume.toml"),
    ("data/emoji.toml", "emoji.toml"),
    ("tests/fixtures/parity", "parity"),
    ("bench/gpu/README.md", "README.md"),
];

/// Scripts of bench/gpu that run on the other machine.
const SCRIPTS: [&str; 6] =
    ["run.py", "process.py", "record.py", "machine.py", "kernels.py", "peer.py"];

/// Makes the folder anew; what takes long is made only where it is not there yet.
pub fn stage(out: &Path) -> bool {
    let program = out.join("bin/avse");
    let made = without_programs(out)
        && fs::create_dir_all(out.join("bin")).is_ok()
        && build(&program)
        && libraries_into(&out.join("lib"), &program)
        && model(&program, &out.join("emoji-model"))
        && emoji(&program, &out.join("emoji"));
    if !made {
        return false;
    }
    let about = about(&program);
    terminal::text(&about);
    fs::write(out.join("archive.json"), about).is_ok()
}

/// The folder anew with the repository's files alone.
pub fn without_programs(out: &Path) -> bool {
    let _ = fs::remove_dir_all(out);
    if let Err(error) = fs::create_dir_all(out) {
        note!("{}: {error}", out.display());
        return false;
    }
    let copies = FILES.map(|(from, to)| (root().join(from), out.join(to)));
    let scripts = SCRIPTS.map(|name| (root().join("bench/gpu").join(name), out.join(name)));
    for (from, to) in copies.iter().chain(&scripts) {
        if let Err(error) = copy(from, to) {
            note!("{}: {error}", from.display());
            return false;
        }
    }
    true
}

/// The committed emoji model with weights of 8 bits, a quarter of the size: it is evaluated on two devices, not trained.
fn model(avse: &Path, out: &Path) -> bool {
    let (from, out) = (text(&root().join("data/emoji-model")), text(out));
    let words = ["--from", &from, "--to", "bundle", "--precision", "int8", "--out", &out];
    Step::new("emoji model", avse, ["convert"]).args(&words.map(str::to_owned)).run()
}

/// The emoji set in the official layout, its pictures in one tar file.
fn emoji(avse: &Path, out: &Path) -> bool {
    let set = folder().join(format!("emoji-{SIDE}"));
    let words = ["--size".into(), SIDE.into(), "--out".into(), text(&set)];
    if !Step::new("emoji", avse, ["data", "emoji"]).args(&words).run() {
        return false;
    }
    let copied = fs::create_dir_all(out).and_then(|()| {
        for entry in fs::read_dir(&set)? {
            let path = entry?.path();
            if path.is_file()
                && let Some(name) = path.file_name()
            {
                fs::copy(&path, out.join(name))?;
            }
        }
        Ok(())
    });
    if let Err(error) = copied {
        note!("{}: {error}", set.display());
        return false;
    }
    let words = [text(&set.join("images")), text(&out.join("images.tar"))];
    python("pictures", "pictures.py").args(&words).run()
}

/// What the archive is, as JSON.
fn about(program: &Path) -> String {
    let git = |words: [&str; 3]| Step::new("git", "git", words).output().unwrap_or_default();
    let changed = !git(["status", "--porcelain", "-uno"]).is_empty();
    let rustc = Step::new("rustc", "rustc", ["--version"]).output().unwrap_or_default();
    let needs = c_library(program).unwrap_or_default();
    format!(
        "{{\n \"commit\": \"{}\",\n \"changed\": {changed},\n \"rustc\": \"{rustc}\",\n \"glibc\": \"{needs}\",\n \
         \"picture_side\": {SIDE}\n}}\n",
        git(["rev-parse", "--verify", "HEAD"]),
    )
}
