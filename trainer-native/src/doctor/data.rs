//! Which datasets are where training looks for them.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::data::{Dataset, DatasetSpec, KNOWN};

/// A known dataset.
#[derive(Debug, Serialize)]
pub struct DatasetReport {
    /// Its name.
    pub name: &'static str,
    /// Its folder, if it is there.
    pub folder: Option<PathBuf>,
    /// What is wrong with it.
    pub problem: Option<String>,
}

/// All known datasets, as commands would find them under `data_path`.
pub fn all(data_path: &Path) -> Vec<DatasetReport> {
    KNOWN.iter().map(|known| find(known.name, data_path)).collect()
}

fn find(name: &'static str, data_path: &Path) -> DatasetReport {
    let folder = data_path.join(name);
    if !folder.is_dir() {
        return DatasetReport { name, folder: None, problem: None };
    }
    let spec = DatasetSpec { name: name.into(), data_path: data_path.into(), images: None };
    let problem = match Dataset::open(&spec) {
        Ok(dataset) if dataset.images.is_dir() => None,
        Ok(dataset) => Some(format!("{}: no such folder of pictures", dataset.images.display())),
        Err(error) => Some(error.to_string()),
    };
    DatasetReport { name, folder: Some(folder), problem }
}
