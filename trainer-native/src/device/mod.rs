//! Which device a command runs on.

mod backend;
#[cfg(feature = "gpu")]
pub mod kernels;
mod memory;
#[cfg(feature = "cuda-backend")]
pub mod nvidia;

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;

use crate::terminal::note;
use crate::{Error, Result};

pub use avse_core::is_cpu;
pub use backend::Backend;
pub use memory::{DeviceMemory, held, memory};

/// The GPUs that this program has begun to use.
static CHOSEN: Mutex<Vec<Device>> = Mutex::new(Vec::new());

/// Waits for what the GPUs still do, at the program's end: their threads compile kernels, and must not be at it when
/// the compiler's own data is taken apart.
pub fn finish() {
    let chosen = std::mem::take(&mut *CHOSEN.lock().unwrap_or_else(PoisonError::into_inner));
    for device in chosen {
        // What fails here was queued and is wanted by nobody.
        let _ = device.sync();
    }
}

/// The device for `--gpu-id`: the GPU with that number, or the first one for `auto`, when this program was
/// built with a GPU backend; else the CPU.
///
/// # Errors
/// [`Error::Usage`] when `name` is no device name, or no GPU has that number.
pub fn choose(name: &str) -> Result<Device> {
    let number = match name {
        "cpu" => return Ok(Device::flex()),
        "auto" => None,
        number => match number.parse::<usize>() {
            Ok(index) => Some(index),
            Err(_) => {
                return Err(Error::Usage(format!("--gpu-id {number}: a number, `auto` or `cpu`")));
            }
        },
    };
    let Some(backend) = Backend::in_use() else {
        if let Some(number) = number {
            note!(
                "note: --gpu-id {number}: this program was built without a GPU backend and runs on the CPU; \
                 `avse doctor` says how to change that"
            );
        }
        return Ok(Device::flex());
    };
    let devices = backend.devices();
    if number.is_none() && devices.is_empty() {
        note!("note: {} finds no GPU: running on the CPU", backend.feature());
        return Ok(Device::flex());
    }
    let number = number.unwrap_or(0);
    let Some(device) = devices.get(number) else {
        // Names are asked for only here: that opens the devices.
        let names: Vec<_> = devices.iter().map(self::name).collect();
        return Err(no_such_gpu(number, backend, &names));
    };
    #[cfg(feature = "cuda-backend")]
    if backend == Backend::Cuda {
        nvidia::check(number)?;
    }
    CHOSEN.lock().unwrap_or_else(PoisonError::into_inner).push(device.clone());
    Ok(device.clone())
}

/// The devices for `--gpu-id`, a list such as `0,2`; without `several` the first of them. With `several`,
/// `auto` means every GPU there is.
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
        note!(
            "warning: --gpu-id names {} devices, --multi_gpu 1 is not given: the first is used",
            names.len()
        );
    }
    if several && names == ["auto"] {
        let all = Backend::in_use().map(Backend::devices).unwrap_or_default();
        if all.len() > 1 {
            return (0..all.len()).map(|number| choose(&number.to_string())).collect();
        }
    }
    let count = if several { names.len() } else { 1 };
    let devices = names.into_iter().take(count).map(choose).collect::<Result<Vec<_>>>()?;
    // `0,auto` has two names for one.
    for (at, device) in devices.iter().enumerate() {
        if !is_cpu(device) && devices[..at].contains(device) {
            let name = describe(device);
            return Err(Error::Usage(format!("--gpu-id: {name} is named twice")));
        }
    }
    Ok(devices)
}

/// The error for a number that no GPU has, which names those that there are.
fn no_such_gpu(number: usize, backend: Backend, found: &[String]) -> Error {
    let there_is = match found {
        [] => format!(
            "{} finds none (`avse doctor` says what is missing; --gpu-id cpu runs on the CPU)",
            backend.feature()
        ),
        found => {
            let named = found.iter().enumerate().map(|(at, name)| format!("{at} ({name})"));
            format!("there is {}", named.collect::<Vec<_>>().join(", "))
        }
    };
    Error::Usage(format!("--gpu-id {number}: no such GPU; {there_is}"))
}

/// How the device is called in reports: a GPU by its name and its number.
pub fn describe(device: &Device) -> String {
    let devices = Backend::in_use().map(Backend::devices).unwrap_or_default();
    match devices.iter().position(|other| other == device) {
        Some(number) => format!("{} (GPU {number})", name(device)),
        None => name(device),
    }
}

/// What its maker calls it.
pub fn name(device: &Device) -> String {
    if is_cpu(device) {
        return "CPU (flex)".into();
    }
    #[cfg(any(feature = "gpu", feature = "cuda-backend"))]
    if let Some(identity) = device.identity() {
        return identity.name;
    }
    format!("{device:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_gpu_are_refused_by_name() {
        let found = ["First", "Second"].map(String::from);
        let error = no_such_gpu(2, Backend::Cuda, &found).to_string();
        assert_eq!(error, "--gpu-id 2: no such GPU; there is 0 (First), 1 (Second)");
        let error = no_such_gpu(0, Backend::Vulkan, &[]).to_string();
        assert!(error.contains("vulkan finds none") && error.contains("cpu"), "{error}");
    }

    #[test]
    fn the_processor_has_a_plain_name() {
        assert_eq!(describe(&Device::flex()), "CPU (flex)");
        assert_eq!(describe(&Device::flex().autodiff().inner()), "CPU (flex)");
    }

    #[test]
    fn lists_of_devices() {
        assert_eq!(choose_all("cpu,cpu", true).unwrap().len(), 2);
        assert_eq!(choose_all("cpu,cpu", false).unwrap().len(), 1);
        assert!(choose_all("1,1", true).unwrap_err().to_string().contains("named twice"));
        assert!(choose("first").unwrap_err().to_string().contains("`auto` or `cpu`"));
    }
}
