//! `libdevice.10.bc`: NVIDIA's mathematical functions, which Burn links into kernels.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The file, under the folder that Burn is told.
const FILE: &str = "nvvm/libdevice/libdevice.10.bc";
/// Where Burn looks when `CUDA_PATH` is not set.
const ROOTS: [&str; 4] = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda", "/usr"];
/// Folders of a Python installation in which packages bring [`FILE`].
const PACKAGES: [&str; 4] = ["nvidia/cuda_nvcc", "nvidia/cu13", "nvidia/nvvm", "jaxlib/cuda"];

/// Where the file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Libdevice {
    /// The file that Burn will read.
    pub used: Option<PathBuf>,
    /// Folders with such a file that Burn does not look into, as values for `CUDA_PATH`.
    pub elsewhere: Vec<PathBuf>,
}

impl Libdevice {
    /// Looks as Burn does, then where toolkits and Python packages put it.
    pub fn find() -> Self {
        let named = env::var_os("CUDA_PATH").map(PathBuf::from);
        let elsewhere =
            || folders().into_iter().filter(|folder| folder.join(FILE).is_file()).collect();
        match of_burn(named.as_deref()) {
            Some(used) => Self { used: Some(used), elsewhere: Vec::new() },
            None => Self { used: None, elsewhere: elsewhere() },
        }
    }

    /// What is wrong, with the way out.
    pub fn problem(&self) -> Option<String> {
        if self.used.is_some() {
            return None;
        }
        let why = "libdevice.10.bc is not where Burn looks, and kernels with a mathematical function need it";
        Some(match self.elsewhere.first() {
            Some(folder) => format!("{why}: CUDA_PATH={} has it", folder.display()),
            None => format!(
                "{why}: install the CUDA toolkit, or `pip install nvidia-cuda-nvcc-cu12` and set CUDA_PATH to the \
                 folder nvidia/cuda_nvcc in its site-packages"
            ),
        })
    }
}

/// Points Burn at the file where it would find none by itself. To be called before there are threads: it sets
/// an environment variable of this process.
pub fn use_what_is_found() {
    // What the user has named stays; the doctor says when nothing is there.
    if env::var_os("CUDA_PATH").is_some() {
        return;
    }
    if let Libdevice { used: None, elsewhere } = Libdevice::find()
        && let Some(folder) = elsewhere.first()
    {
        // SAFETY: called at the very start of the program, when no other thread can read the environment.
        unsafe { env::set_var("CUDA_PATH", folder) };
    }
}

/// Burn's own rule: the named folder alone, else the first of the usual ones that has the file's folder.
fn of_burn(named: Option<&Path>) -> Option<PathBuf> {
    let usual = || {
        let mut roots = ROOTS.iter().map(Path::new);
        roots.find(|root| root.join("nvvm/libdevice").is_dir())
    };
    let file = named.or_else(usual)?.join(FILE);
    file.is_file().then_some(file)
}

/// Folders that may hold the file.
fn folders() -> Vec<PathBuf> {
    let named = ["CUDA_HOME", "CUDA_ROOT", "CONDA_PREFIX"].into_iter().filter_map(env::var_os);
    let mut folders: Vec<PathBuf> = named.map(PathBuf::from).collect();
    folders.extend(starting_with(Path::new("/usr/local"), "cuda-").into_iter().rev());
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".local"));
    let pythons = [env::var_os("VIRTUAL_ENV"), env::var_os("CONDA_PREFIX")].into_iter().flatten();
    let on_path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&on_path).filter(|folder| folder.join("python3").exists());
    let prefixes =
        pythons.map(PathBuf::from).chain(on_path.map(|folder| folder.join(".."))).chain(home);
    for prefix in prefixes {
        folders.extend(of_python(&prefix));
    }
    folders
}

/// The folders of packages in the Python installation at `prefix`.
fn of_python(prefix: &Path) -> Vec<PathBuf> {
    let mut versions = starting_with(&prefix.join("lib"), "python3");
    versions.extend(starting_with(&prefix.join("local/lib"), "python3"));
    let packages = versions.iter().flat_map(|version| {
        ["site-packages", "dist-packages"].map(|packages| version.join(packages))
    });
    packages.flat_map(|packages| PACKAGES.map(|package| packages.join(package))).collect()
}

/// The folders in `parent` whose names start so, in order.
fn starting_with(parent: &Path, start: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(start))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_folder_is_the_only_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(of_burn(Some(folder.path())), None);
        let file = folder.path().join(FILE);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        assert_eq!(of_burn(Some(folder.path())), Some(file));
    }

    #[test]
    fn packages_of_python_are_found() {
        let prefix = tempfile::tempdir().unwrap();
        let package = prefix.path().join("lib/python3.12/site-packages/nvidia/cuda_nvcc");
        fs::create_dir_all(&package).unwrap();
        assert!(of_python(prefix.path()).contains(&package));
    }
}
