//! Which device a command runs on.

use burn::tensor::Device;

use crate::{Error, Result};

/// The device for `--gpu-id`: the GPU with that number when this build has one of the
/// GPU features, else the CPU.
///
/// # Errors
/// [`Error::Usage`] when `name` is no device name.
pub fn choose(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::flex()),
        "auto" => Ok(automatic(0)),
        number => match number.parse::<usize>() {
            Ok(index) => Ok(automatic(index)),
            Err(_) => Err(Error::Usage(format!("--gpu-id {number}: a number, `auto` or `cpu`"))),
        },
    }
}

/// The devices for `--gpu-id`, a list such as `0,2`; without `several` the first of them.
///
/// `cpu` may stand several times: each is a replica of its own, which is how training on several
/// devices is tried without any.
///
/// # Errors
/// [`Error::Usage`] when a name is no device's, or a GPU is named twice.
pub fn choose_all(names: &str, several: bool) -> Result<Vec<Device>> {
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    for (at, name) in names.iter().enumerate() {
        if *name != "cpu" && names[..at].contains(name) {
            return Err(Error::Usage(format!("--gpu-id: {name} is named twice")));
        }
    }
    if names.len() > 1 && !several {
        eprintln!(
            "warning: --gpu-id names {} devices, --multi_gpu 1 is not given: the first is used",
            names.len()
        );
    }
    let count = if several { names.len() } else { 1 };
    names.into_iter().take(count).map(choose).collect()
}

#[cfg(feature = "cuda")]
fn automatic(index: usize) -> Device {
    Device::cuda(index)
}

#[cfg(all(feature = "rocm", not(feature = "cuda")))]
fn automatic(index: usize) -> Device {
    Device::rocm(index)
}

#[cfg(all(feature = "wgpu", not(any(feature = "cuda", feature = "rocm"))))]
fn automatic(index: usize) -> Device {
    use burn::tensor::{DeviceKind, DeviceType};
    match Device::enumerate(DeviceType::Wgpu).into_vec().into_iter().nth(index) {
        Some(device) => device,
        None => Device::wgpu(DeviceKind::DefaultDevice),
    }
}

#[cfg(not(any(feature = "cuda", feature = "rocm", feature = "wgpu")))]
fn automatic(_index: usize) -> Device {
    Device::flex()
}

/// How the device is called in reports.
pub fn describe(device: &Device) -> String {
    format!("{device:?}")
}
