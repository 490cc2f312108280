//! What the check needs: the stand-in for the driver, NVIDIA's assembler and its library of functions.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Step, root, target};

/// Where everything is.
pub struct Tools {
    /// Folder of the stand-in, for `LD_LIBRARY_PATH`.
    pub driver: PathBuf,
    /// What `CUDA_PATH` is set to: it has nvvm/libdevice/libdevice.10.bc.
    pub cuda: PathBuf,
    /// Programs by the newest driver whose PTX they assemble, the oldest first.
    pub ptxas: Vec<(u32, PathBuf)>,
}

impl Tools {
    /// Builds and fetches what is missing.
    pub fn get() -> Option<Self> {
        let driver = driver()?;
        let packages = packages()?;
        let twelve = packages.join("nvidia/cuda_nvcc");
        let ptxas = vec![
            (12090, twelve.join("bin/ptxas")),
            (u32::MAX, packages.join("nvidia/cu13/bin/ptxas")),
        ];
        Some(Self { driver, cuda: twelve, ptxas })
    }

    /// The assembler for the PTX that a driver is given.
    pub fn ptxas(&self, driver: u32) -> &Path {
        let known = self.ptxas.iter().find(|(newest, _)| driver <= *newest);
        known.map_or(Path::new("ptxas"), |(_, program)| program)
    }
}

/// Builds the stand-in and gives it the names that programs look for; the folder.
pub fn driver() -> Option<PathBuf> {
    let folder = target().join("cuda");
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let built = Step::cargo("stand-in for the driver", ["build", "--release"])
        .args(&[
            "--manifest-path".into(),
            text(root().join("tests/cuda/Cargo.toml")),
            "--target-dir".into(),
            text(folder.join("standin")),
        ])
        .run();
    let library = folder.join("standin/release/libcuda_standin.so");
    let names = folder.join("driver");
    fs::create_dir_all(&names).ok()?;
    for name in ["libcuda.so", "libcuda.so.1", "libnccl.so", "libnccl.so.2"] {
        let link = names.join(name);
        let _ = fs::remove_file(&link);
        // A second name, not a copy: both names have to be one library to the loader.
        fs::hard_link(&library, &link).ok()?;
    }
    built.then_some(names)
}

/// The packages of tests/cuda/requirements.txt, in a folder of their own.
fn packages() -> Option<PathBuf> {
    let folder = target().join("cuda/packages");
    let wanted = root().join("tests/cuda/requirements.txt");
    let requirements = fs::read(&wanted).ok()?;
    let installed = folder.join("requirements.txt");
    if fs::read(&installed).is_ok_and(|known| known == requirements) {
        return Some(folder);
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let done = Step::new("ptxas and libdevice", "python3", ["-m", "pip", "install", "--no-deps"])
        .args(&["--upgrade", "--target"].map(str::to_owned))
        .args(&[text(&folder), "--requirement".into(), text(&wanted)])
        .run();
    // Written last, so that an interrupted installation has none.
    (done && fs::write(&installed, &requirements).is_ok()).then_some(folder)
}
