//! Looking for drivers' libraries and for programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

/// Where dynamic libraries are, beside what the environment names.
const LIBRARY_FOLDERS: [&str; 14] = [
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/nvidia/lib64",
    "/usr/local/cuda/lib64",
    "/usr/lib/wsl/lib",
    "/opt/rocm/lib",
    "/opt/homebrew/lib",
    "C:\\Windows\\System32",
    "/run/opengl-driver/lib",
];

/// Something that was looked for.
#[derive(Debug, Serialize)]
pub struct Sought {
    /// Its name.
    pub name: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
    /// Where it is.
    pub path: Option<PathBuf>,
}

/// A GPU as NVIDIA's driver names it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct NvidiaGpu {
    /// Its name.
    pub name: String,
    /// Its memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// The driver's version.
    pub driver: String,
}

/// Everything that a feature of this program may need.
pub fn all() -> Vec<Sought> {
    let library = |name, purpose, files: &[&str]| Sought { name, purpose, path: library(files) };
    let program = |name, purpose| Sought { name, purpose, path: program(name) };
    vec![
        library("libcuda", "NVIDIA's driver (feature cuda)", &["libcuda.so.1", "nvcuda.dll"]),
        library("libamdhip64", "AMD's ROCm (feature rocm)", &["libamdhip64.so", "amdhip64.dll"]),
        library(
            "libvulkan",
            "Vulkan's loader (features vulkan and wgpu)",
            &["libvulkan.so.1", "vulkan-1.dll", "libvulkan.1.dylib"],
        ),
        program("nvidia-smi", "names NVIDIA's GPUs"),
        program("npm", "installs the drawings of the emoji set"),
    ]
}

/// The first of some library files that there is.
fn library(files: &[&str]) -> Option<PathBuf> {
    let paths = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let named: Vec<_> = std::env::split_paths(&paths).collect();
    let usual = LIBRARY_FOLDERS.iter().map(PathBuf::from);
    let folders = named.into_iter().filter(|folder| folder.is_absolute()).chain(usual);
    first_file(folders, files)
}

/// A program on the path.
fn program(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let (exe, cmd) = (format!("{name}.exe"), format!("{name}.cmd"));
    let files = if cfg!(windows) { vec![exe.as_str(), cmd.as_str()] } else { vec![name] };
    first_file(std::env::split_paths(&paths), &files)
}

fn first_file(folders: impl Iterator<Item = PathBuf>, files: &[&str]) -> Option<PathBuf> {
    let mut found = folders.flat_map(|folder| files.iter().map(move |file| folder.join(file)));
    found.find(|path: &PathBuf| Path::is_file(path))
}

/// What `nvidia-smi` says; nothing where it is not there or fails.
pub fn nvidia_gpus() -> Vec<NvidiaGpu> {
    let Some(program) = program("nvidia-smi") else { return Vec::new() };
    let query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"];
    match Command::new(program).args(query).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).lines().filter_map(gpu).collect()
        }
        _ => Vec::new(),
    }
}

/// A line such as `NVIDIA H100 PCIe, 81559, 550.54.15`; memory in MiB.
fn gpu(line: &str) -> Option<NvidiaGpu> {
    let mut fields = line.split(',').map(str::trim);
    let (name, memory, driver) = (fields.next()?, fields.next()?, fields.next()?);
    let memory_bytes = memory.parse::<u64>().ok().map(|mebibytes| mebibytes << 20);
    Some(NvidiaGpu { name: name.into(), memory_bytes, driver: driver.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_by_line() {
        let found = gpu("NVIDIA H100 PCIe, 81559, 550.54.15").unwrap();
        assert_eq!((found.name.as_str(), found.driver.as_str()), ("NVIDIA H100 PCIe", "550.54.15"));
        assert_eq!(found.memory_bytes, Some(81559 << 20));
        assert_eq!(gpu("GB10, [N/A], 580.1").unwrap().memory_bytes, None);
        assert_eq!(gpu("No devices were found"), None);
    }

    #[test]
    fn the_first_file_is_found() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let paths = || folders.iter().map(|folder| folder.path().to_path_buf());
        assert_eq!(first_file(paths(), &["a", "b"]), None);
        let file = folders[1].path().join("b");
        std::fs::write(&file, "").unwrap();
        std::fs::create_dir(folders[0].path().join("a")).unwrap();
        assert_eq!(first_file(paths(), &["a", "b"]), Some(file));
    }
}
