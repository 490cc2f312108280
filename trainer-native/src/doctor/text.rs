//! The diagnosis in words.

use std::fmt;

use super::{DeviceReport, Diagnosis};

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, hub, .. } = self;
        writeln!(f, "avse {} on {}", self.version, machine.platform)?;
        writeln!(f, "\nProcessor and memory")?;
        row(f, "processor", machine.cpu.as_deref().unwrap_or("unknown"))?;
        row(f, "cores, threads", &format!("{}, {}", machine.cores, machine.threads))?;
        row(f, "vectors", &machine.simd)?;
        let (total, free) = (size(machine.memory_bytes), size(self.available_memory_bytes));
        row(f, "memory", &format!("{total}, {free} available"))?;

        writeln!(f, "\nDevices")?;
        device(f, "CPU", &self.cpu)?;
        for backend in &self.backends {
            if !backend.built {
                row(f, backend.feature, &format!("not built in ({})", backend.hardware))?;
            } else if backend.devices.is_empty() {
                row(f, backend.feature, "built in, no device found")?;
            }
            for (number, found) in backend.devices.iter().enumerate() {
                device(f, &format!("{} {number}", backend.feature), found)?;
            }
        }
        #[cfg(feature = "cuda-backend")]
        super::nvidia::rows(&self.nvidia, f)?;
        for gpu in &self.nvidia_gpus {
            let memory = size(gpu.memory_bytes);
            row(f, "nvidia-smi", &format!("{}, {memory}, driver {}", gpu.name, gpu.driver))?;
        }
        row(f, "used by default", &self.default_device)?;

        writeln!(f, "\nDrivers and programs")?;
        for sought in &self.sought {
            let place = sought.path.as_ref().map(|path| path.display().to_string());
            let place = place.unwrap_or_else(|| "not found".into());
            row(f, sought.name, &format!("{place} ({})", sought.purpose))?;
        }

        #[cfg(feature = "gpu")]
        if let Some(folder) = crate::device::kernels::folder() {
            let size = size(Some(folder_size(&folder)));
            row(f, "compiled kernels", &format!("{} ({size}; may be deleted)", folder.display()))?;
        }

        writeln!(f, "\nModels and data")?;
        let there = if hub.cache_exists { "" } else { " (not there yet)" };
        row(f, "hub's cache", &format!("{}{there}", hub.cache.display()))?;
        let token = if hub.has_token { "with a token" } else { "without a token" };
        row(f, "hub", &format!("{}, {token}", hub.endpoint))?;
        for dataset in &self.datasets {
            let place = match (&dataset.folder, &dataset.problem) {
                (Some(_), Some(problem)) => problem.clone(),
                (Some(folder), None) => folder.display().to_string(),
                (None, _) => "not there".into(),
            };
            row(f, &format!("dataset {}", dataset.name), &place)?;
        }
        for (name, value) in &self.variables {
            row(f, name, value)?;
        }

        if !self.advice.is_empty() {
            writeln!(f, "\nMissing")?;
            for advice in &self.advice {
                writeln!(f, "  - {advice}")?;
            }
        }
        Ok(())
    }
}

/// A name and its value.
pub fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {name:<22} {value}")
}

fn device(f: &mut fmt::Formatter<'_>, name: &str, device: &DeviceReport) -> fmt::Result {
    let types = [(device.f32, "f32"), (device.f16, "f16"), (device.bf16, "bf16")];
    let types: Vec<_> = types.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
    row(f, name, &format!("{}: {}", device.name, types.join(", ")))
}

/// Bytes in words.
pub fn size(bytes: Option<u64>) -> String {
    match bytes {
        Some(bytes) => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
        None => "unknown size".into(),
    }
}

/// Bytes of the files in a folder; 0 where it is not there.
#[cfg(feature = "gpu")]
fn folder_size(folder: &std::path::Path) -> u64 {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten();
    files.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}
