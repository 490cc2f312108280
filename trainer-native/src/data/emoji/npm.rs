//! The pinned npm packages that hold the artwork and the words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use avse_core::input::json;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::terminal::note;
use crate::{Error, Result};

/// The folder with `package.json`: the repository's `data/` this program was
/// built from, or else `./data`.
///
/// # Errors
/// [`Error::Usage`] when neither exists.
pub fn data_folder() -> Result<PathBuf> {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(|root| root.join("data"));
    [built_from, Some(PathBuf::from("data"))]
        .into_iter()
        .flatten()
        .find(|folder| folder.join("package.json").is_file())
        .ok_or_else(|| {
            Error::Usage(
                "data/package.json was not found: run this command inside the repository".into(),
            )
        })
}

/// Reads a JSON file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    Ok(json::parse(&bytes, path)?)
}

/// Installed packages: where they are and which versions they have.
#[derive(Debug)]
pub struct Packages {
    /// The `node_modules` folder.
    pub modules: PathBuf,
    /// Package name to pinned version.
    pub versions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct PackageJson {
    #[serde(default)]
    version: String,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
}

impl Packages {
    /// Makes sure that `folder/node_modules` holds the packages pinned in
    /// `folder/package.json`, running `npm ci` when it does not.
    ///
    /// # Errors
    /// [`Error::Usage`] when npm is missing or fails.
    pub fn install(folder: &Path) -> Result<Self> {
        let pinned: PackageJson = read_json(&folder.join("package.json"))?;
        let packages = Self { modules: folder.join("node_modules"), versions: pinned.dependencies };
        if !packages.complete() {
            npm_ci(folder)?;
        }
        match packages.complete() {
            true => Ok(packages),
            false => Err(Error::Usage(format!(
                "{}: npm finished, but the pinned packages are not all there",
                packages.modules.display()
            ))),
        }
    }

    /// A file of a package.
    pub fn file(&self, package: &str, name: &str) -> PathBuf {
        self.modules.join(package).join(name)
    }

    fn complete(&self) -> bool {
        self.versions.iter().all(|(package, version)| {
            read_json::<PackageJson>(&self.file(package, "package.json"))
                .is_ok_and(|found| found.version == *version)
        })
    }
}

fn npm_ci(folder: &Path) -> Result<()> {
    note!("installing the pinned emoji packages with npm ci in {}", folder.display());
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(program)
        .args(["ci", "--omit=peer", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| {
            Error::Usage(format!(
                "npm could not be started ({e}): install Node.js 18 or newer, which brings npm; \
                 the emoji artwork comes from npm packages"
            ))
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "npm ci failed in {} ({}):\n{}",
        folder.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}
