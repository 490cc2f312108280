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
