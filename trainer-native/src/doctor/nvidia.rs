//! What NVIDIA's driver said, in words, and what is missing beside it.

use std::fmt;

use super::text::{row, size};
use crate::device::nvidia::{Gpu, Nvidia};

/// The oldest compute capability for which the kernels are checked (`cargo xtask cuda check`).
const CHECKED: (u32, u32) = (8, 0);
/// Share of a GPU's memory that other programs may hold without a word.
const UNSAID: f64 = 0.1;

/// The rows about the driver.
pub fn rows(found: &Nvidia, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let driver = match (found.driver, &found.failure) {
        (None, _) => "not there".to_owned(),
        (Some(version), None) => format!("CUDA {version}"),
        (Some(version), Some(failure)) => format!("CUDA {version}, cannot be used: {failure}"),
    };
    row(f, "cuda driver", &driver)?;
    for (number, gpu) in found.gpus.iter().enumerate() {
        let (major, minor) = gpu.capability;
        let (free, total) = (size(gpu.free_bytes), size(Some(gpu.memory_bytes)));
        let text = format!("{}, capability {major}.{minor}, {free} of {total} free", gpu.name);
        row(f, &format!("gpu {number}"), &text)?;
    }
    let libdevice = found.libdevice.used.as_ref().map(|path| path.display().to_string());
    row(f, "libdevice", &libdevice.unwrap_or_else(|| "not found (kernels need it)".into()))?;
    row(f, "NCCL", if found.nccl { "found" } else { "not found (several GPUs)" })
}

/// What is missing, with the way out.
pub fn advice(found: &Nvidia) -> Vec<String> {
    // Without a driver nothing else matters; that it is missing is said elsewhere.
    if found.driver.is_none() {
        return Vec::new();
    }
    let mut advice = Vec::new();
    if let Some(failure) = &found.failure {
        advice.push(format!(
            "NVIDIA's driver cannot be used: {failure}. See what `nvidia-smi` says; a container needs \
             `--gpus all`, a driver that was just updated a restart"
        ));
    }
    advice.extend(found.gpus.iter().enumerate().flat_map(|(at, gpu)| of_gpu(at, gpu, found)));
    advice.extend(found.libdevice.problem());
    if found.gpus.len() > 1 && !found.nccl {
        advice.push(
            "NCCL is not there: several GPUs exchange gradients through main memory, which is slow. Install it \
             (`pip install nvidia-nccl-cu12` will do) and put a link `libnccl.so` to its libnccl.so.2 into a \
             folder that LD_LIBRARY_PATH names"
                .into(),
        );
    }
    advice
}

fn of_gpu(at: usize, gpu: &Gpu, found: &Nvidia) -> Vec<String> {
    let (name, (major, minor)) = (&gpu.name, gpu.capability);
    let mut advice = Vec::new();
    advice.extend(found.driver.and_then(|driver| gpu.unusable_with(driver)));
    if gpu.capability < CHECKED {
        advice.push(format!(
            "GPU {at} ({name}) has compute capability {major}.{minor}; the kernels are checked from {}.{} on",
            CHECKED.0, CHECKED.1
        ));
    }
    if let Some(free) = gpu.free_bytes
        && let taken = gpu.memory_bytes.saturating_sub(free)
        && taken as f64 > UNSAID * gpu.memory_bytes as f64
    {
        advice.push(format!(
            "other programs hold {} of the {} of GPU {at} (`nvidia-smi` names them): a run may need a smaller \
             --micro-batch, or another GPU",
            size(Some(taken)),
            size(Some(gpu.memory_bytes))
        ));
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::nvidia::{CudaVersion, Libdevice};

    fn machine(driver: (u32, u32), capability: (u32, u32)) -> Nvidia {
        let memory_bytes = 80 << 30;
        let gpu = Gpu {
            name: "Some GPU".into(),
            capability,
            memory_bytes,
            free_bytes: Some(memory_bytes - (1 << 30)),
        };
        Nvidia {
            driver: Some(CudaVersion { major: driver.0, minor: driver.1 }),
            failure: None,
            gpus: vec![gpu],
            libdevice: Libdevice { used: Some("libdevice.10.bc".into()), elsewhere: Vec::new() },
            nccl: false,
        }
    }

    #[test]
    fn a_sound_machine_needs_no_advice() {
        assert!(advice(&machine((12, 8), (9, 0))).is_empty());
    }

    #[test]
    fn old_drivers_and_old_gpus_are_named() {
        let said = advice(&machine((12, 4), (10, 0))).join("\n");
        assert!(said.contains("knows CUDA 12.4") && said.contains("need 12.8"), "{said}");
        let said = advice(&machine((12, 8), (7, 5))).join("\n");
        assert!(said.contains("capability 7.5") && said.contains("from 8.0 on"), "{said}");
    }

    #[test]
    fn memory_of_others_is_named() {
        let mut found = machine((12, 8), (9, 0));
        found.gpus[0].free_bytes = Some(20 << 30);
        let said = advice(&found).join("\n");
        assert!(said.contains("60.0 GiB of the 80.0 GiB of GPU 0"), "{said}");
    }

    #[test]
    fn missing_files_come_with_a_way_out() {
        let mut found = machine((12, 8), (9, 0));
        found.libdevice.used = None;
        assert!(advice(&found).join("\n").contains("pip install nvidia-cuda-nvcc-cu12"));
        found.libdevice.elsewhere = vec!["/opt/toolkit".into()];
        assert!(advice(&found).join("\n").contains("CUDA_PATH=/opt/toolkit"));
        // One GPU needs no NCCL, two do.
        assert!(!advice(&found).join("\n").contains("NCCL"));
        found.gpus.push(found.gpus[0].clone());
        assert!(advice(&found).join("\n").contains("libnccl.so"));
    }

    #[test]
    fn a_driver_without_devices_says_why() {
        let mut found = machine((12, 8), (9, 0));
        (found.gpus, found.failure) = (Vec::new(), Some("CUDA_ERROR_NO_DEVICE (no device)".into()));
        let said = advice(&found).join("\n");
        assert!(said.contains("CUDA_ERROR_NO_DEVICE") && said.contains("--gpus all"), "{said}");
        found.driver = None;
        assert!(advice(&found).is_empty(), "the missing driver is said elsewhere");
    }
}
