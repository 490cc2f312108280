//! The program of the archive: built, found, stripped.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cuda::llvm;
use crate::files::text;
use crate::shell::Step;
use crate::terminal::note;

/// Builds the program, `avse` with the test suites in it, with everything that makes a GPU fast, and writes it, stripped,
/// to `out`.
pub fn build(out: &Path) -> bool {
    let features = "trainer-native/cuda,trainer-native/archive";
    let tests = ["test", "--release", "--workspace", "--features", features];
    let chosen = ["--test", "archive", "--no-run"];
    let said = ["--message-format", "json-render-diagnostics"];
    let arguments: Vec<String> = chosen.iter().chain(&said).map(|&word| word.to_owned()).collect();
    if !llvm::set_up() {
        return false;
    }
    let Some(messages) = Step::cargo("build", tests).args(&arguments).captured() else {
        return false;
    };
    let Some(built) = executable(&messages, "archive") else {
        note!("cargo built no test `archive`");
        return false;
    };
    stripped(&built, out)
}

/// Puts the C++ library that a program was linked with into `folder`, for machines that have none or an older one.
pub fn libraries_into(folder: &Path, program: &Path) -> bool {
    let listed = Step::new("ldd", "ldd", []).args(&[text(program)]).output().unwrap_or_default();
    let mut libraries = listed.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once(" => ")?;
        let wanted = name.starts_with("libstdc++") || name.starts_with("libgcc_s");
        wanted.then_some((name, rest.split_once(" (")?.0))
    });
    let copy = |(name, path): (&str, &str)| fs::copy(path, folder.join(name)).is_ok();
    fs::create_dir_all(folder).is_ok() && libraries.all(copy)
}

/// The newest version of the C library that a program asks for, such as 2.34; where objdump is there to say it.
pub fn c_library(program: &Path) -> Option<String> {
    let table = Step::new("objdump", "objdump", ["-T"]).args(&[text(program)]).output()?;
    newest_version(&table)
}

fn newest_version(table: &str) -> Option<String> {
    let versions = table.split("GLIBC_").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let numbers = rest[..end].split('.').map(str::parse).collect::<Result<Vec<u32>, _>>();
        numbers.ok()
    });
    let newest = versions.max()?;
    Some(newest.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
}

/// The file of a test's program in cargo's messages, of which each line is one.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let (name, kind) = (format!(r#""name":"{name}""#), r#""kind":["test"]"#);
    let mut lines = messages.lines().filter(|line| line.contains(&name) && line.contains(kind));
    lines.find_map(|line| string(line, "executable")).map(PathBuf::from)
}

/// A string of an object by its key.
fn string(line: &str, key: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!(r#""{key}":""#))?;
    Some(rest.split_once('"')?.0.to_owned())
}

fn stripped(program: &Path, out: &Path) -> bool {
    let words = [text(out), text(program)];
    Step::new("strip", "strip", ["--strip-all", "-o"]).args(&words).run()
        || fs::copy(program, out).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = concat!(
        r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"archive"},"executable":null}"#,
        "\n",
        r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"avse"},"executable":"/t/avse"}"#,
        "\n",
        r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"archive"},"executable":"/t/archive-2"}"#,
        "\n",
    );

    #[test]
    fn a_program_is_found_in_cargos_messages() {
        assert_eq!(executable(MESSAGES, "archive"), Some("/t/archive-2".into()));
        assert_eq!(executable(MESSAGES, "avse"), None);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let table = "0 DF *UND* 0 (GLIBC_2.2.5) free\n0 DF *UND* 0 (GLIBC_2.34) x\n0 (GLIBC_2.4) y";
        assert_eq!(newest_version(table).as_deref(), Some("2.34"));
        assert_eq!(newest_version("nothing"), None);
    }
}
