//! What this program and this machine can do together, and what is missing.

mod advice;
mod data;
#[cfg(feature = "cuda-backend")]
mod nvidia;
mod search;
mod text;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use hf_hub::Cache;
use serde::Serialize;

use crate::device::{self, Backend};
use crate::machine::{Machine, available_memory};

pub use data::DatasetReport;
pub use search::{NvidiaGpu, Sought};

/// Environment variables that change what runs where. Their values may be secrets; only those of
/// [`SHOWN`] are shown.
const VARIABLES: [&str; 12] = [
    "CUDA_PATH",
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "VK_DRIVER_FILES",
    "RAYON_NUM_THREADS",
    "HF_HOME",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];
const SHOWN: [&str; 6] = [
    "CUDA_PATH",
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "VK_DRIVER_FILES",
    "RAYON_NUM_THREADS",
    "HF_HOME",
];

/// Everything found.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// This program's version.
    pub version: String,
    /// The machine.
    pub machine: Machine,
    /// Main memory that is free for programs, in bytes.
    pub available_memory_bytes: Option<u64>,
    /// The CPU, which is always there.
    pub cpu: DeviceReport,
    /// GPU backends, built in or not.
    pub backends: Vec<BackendReport>,
    /// What `--gpu-id auto` means here.
    pub default_device: String,
    /// Drivers' libraries and programs.
    pub sought: Vec<Sought>,
    /// What NVIDIA's driver and the files beside it are like.
    #[cfg(feature = "cuda-backend")]
    pub nvidia: crate::device::nvidia::Nvidia,
    /// NVIDIA's GPUs as its driver names them.
    pub nvidia_gpus: Vec<NvidiaGpu>,
    /// Where models by name come from.
    pub hub: HubReport,
    /// Environment variables that are set; `set` in place of values that may be secrets.
    pub variables: Vec<(String, String)>,
    /// Known datasets.
    pub datasets: Vec<DatasetReport>,
    /// What is missing, and how to get it.
    pub advice: Vec<String>,
}

/// A GPU backend.
#[derive(Debug, Serialize)]
pub struct BackendReport {
    /// Its cargo feature.
    pub feature: &'static str,
    /// Whose GPUs it is for.
    pub hardware: &'static str,
    /// Whether this program was built with it.
    pub built: bool,
    /// Its devices, in the order of `--gpu-id`.
    pub devices: Vec<DeviceReport>,
}

/// A device and the numbers that it computes with.
#[derive(Debug, Serialize)]
pub struct DeviceReport {
    /// Its name.
    pub name: String,
    /// Whether it computes in f32.
    pub f32: bool,
    /// Whether it computes in f16.
    pub f16: bool,
    /// Whether it computes in bf16.
    pub bf16: bool,
}

/// Where models by name come from.
#[derive(Debug, Serialize)]
pub struct HubReport {
    /// The folder of models that are here already.
    pub cache: PathBuf,
    /// Whether it is there.
    pub cache_exists: bool,
    /// The hub's address.
    pub endpoint: String,
    /// Whether there is a token for it.
    pub has_token: bool,
}

impl Diagnosis {
    /// Looks at this machine, for datasets under `data_path`.
    pub fn make(data_path: &Path) -> Self {
        let backends: Vec<_> = Backend::ALL.map(BackendReport::of).into();
        let in_use = backends.iter().find(|backend| backend.built);
        let gpu = in_use.and_then(|backend| backend.devices.first());
        let default_device =
            gpu.map_or_else(|| device::name(&Device::flex()), |device| device.name.clone());
        let cache = Cache::from_env();
        let folder = cache.path().clone();
        let endpoint = std::env::var("HF_ENDPOINT").ok().filter(|address| !address.is_empty());
        let mut diagnosis = Self {
            version: env!("CARGO_PKG_VERSION").into(),
            machine: Machine::here(),
            available_memory_bytes: available_memory(),
            cpu: DeviceReport::of(&Device::flex()),
            backends,
            default_device,
            sought: search::all(),
            #[cfg(feature = "cuda-backend")]
            nvidia: crate::device::nvidia::Nvidia::ask(),
            nvidia_gpus: search::nvidia_gpus(),
            hub: HubReport {
                cache_exists: folder.is_dir(),
                cache: folder,
                endpoint: endpoint.map_or_else(|| "https://huggingface.co".into(), without_login),
                has_token: cache.token().is_some(),
            },
            variables: VARIABLES.into_iter().filter_map(variable).collect(),
            datasets: data::all(data_path),
            advice: Vec::new(),
        };
        diagnosis.advice = advice::give(&diagnosis);
        diagnosis
    }

    /// Whether a library or program was found.
    fn has(&self, name: &str) -> bool {
        self.sought.iter().any(|sought| sought.name == name && sought.path.is_some())
    }
}

impl BackendReport {
    fn of(backend: Backend) -> Self {
        Self {
            feature: backend.feature(),
            hardware: backend.hardware(),
            built: backend.is_built(),
            devices: backend.devices().iter().map(DeviceReport::of).collect(),
        }
    }
}

impl DeviceReport {
    fn of(device: &Device) -> Self {
        Self {
            name: device::name(device),
            f32: device.supports_dtype(FloatDType::F32),
            f16: device.supports_dtype(FloatDType::F16),
            bf16: device.supports_dtype(FloatDType::BF16),
        }
    }
}

/// A variable that is set.
fn variable(name: &str) -> Option<(String, String)> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    let value = value.to_string_lossy().into_owned();
    let shown = if SHOWN.contains(&name) { value } else { "set".into() };
    Some((name.to_owned(), shown))
}

/// An address without the name and password that may stand in it.
fn without_login(address: String) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => address,
    }
}

#[cfg(test)]
mod tests;
