//! NVIDIA's driver and what Burn's kernels need beside it: looked at before the first kernel, which would
//! fail with less to say.

mod libdevice;

use std::fmt;

use cudarc::driver::CudaContext;
use cudarc::driver::result::{DriverError, device, init};
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute};
use serde::{Serialize, Serializer};

use super::DeviceMemory;
use crate::{Error, Result};

pub use libdevice::{Libdevice, use_what_is_found};

/// A version of CUDA, as the driver counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CudaVersion {
    /// 12 of 12.8.
    pub major: u32,
    /// 8 of 12.8.
    pub minor: u32,
}

impl CudaVersion {
    const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// From the driver's number: 12080 is 12.8.
    fn of_driver(number: i32) -> Self {
        let number = u32::try_from(number).unwrap_or(0);
        Self::new(number / 1000, number % 1000 / 10)
    }
}

impl fmt::Display for CudaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Serialize for CudaVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The first CUDA version whose driver loads kernels for a compute capability (NVIDIA's PTX manual: each
/// capability came with a version of PTX, and each of these with a version of CUDA). Older GPUs need 12.0 as well:
/// Burn asks for functions that came with it, and for 11.8 LLVM refuses kernels of capability 9.0.
const FIRST_DRIVERS: [((u32, u32), CudaVersion); 6] = [
    ((12, 1), CudaVersion::new(12, 9)),
    ((12, 0), CudaVersion::new(12, 8)),
    ((11, 0), CudaVersion::new(13, 0)),
    ((10, 3), CudaVersion::new(12, 9)),
    ((10, 0), CudaVersion::new(12, 8)),
    ((0, 0), CudaVersion::new(12, 0)),
];

/// What NVIDIA's driver says.
#[derive(Clone, Debug, Serialize)]
pub struct Nvidia {
    /// The newest CUDA version that the driver knows; `None` where there is no driver.
    pub driver: Option<CudaVersion>,
    /// Why the driver cannot be used.
    pub failure: Option<String>,
    /// Its GPUs, in the order of `--gpu-id`.
    pub gpus: Vec<Gpu>,
    /// The file of mathematical functions that kernels are linked with.
    pub libdevice: Libdevice,
    /// Whether NCCL is there, by which several GPUs exchange gradients.
    pub nccl: bool,
}

/// A GPU of NVIDIA's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Its compute capability, such as (9, 0).
    pub capability: (u32, u32),
    /// All its memory, in bytes.
    pub memory_bytes: u64,
    /// Memory that no program has taken, in bytes; `None` where the driver does not say.
    pub free_bytes: Option<u64>,
}

impl Gpu {
    /// Why this driver cannot load its kernels, if so.
    pub fn unusable_with(&self, driver: CudaVersion) -> Option<String> {
        let needed = self.first_driver();
        let (name, (major, minor)) = (&self.name, self.capability);
        (driver < needed).then(|| {
            format!(
                "the driver is too old for {name} (capability {major}.{minor}): it knows CUDA {driver}, the GPU's \
                 kernels need {needed}. Install a newer driver"
            )
        })
    }

    /// The first CUDA version whose driver loads this GPU's kernels.
    fn first_driver(&self) -> CudaVersion {
        let known = FIRST_DRIVERS.iter().find(|(first, _)| self.capability >= *first);
        known.map_or(CudaVersion::new(12, 0), |(_, version)| *version)
    }
}

impl Nvidia {
    /// Asks the driver, also for the memory that is free. That takes a moment a GPU: it needs a context.
    pub fn ask() -> Self {
        let mut found = Self::ask_quickly();
        for (number, gpu) in found.gpus.iter_mut().enumerate() {
            gpu.free_bytes = memory(number).map(|memory| memory.free);
        }
        found
    }

    /// Asks the driver for what it answers at once: all but the memory that is free.
    fn ask_quickly() -> Self {
        let mut found = Self {
            driver: None,
            failure: None,
            gpus: Vec::new(),
            libdevice: Libdevice::find(),
            nccl: has_nccl(),
        };
        // SAFETY: only tries to load the library by its names. Any other call panics where it is missing.
        if !unsafe { sys::is_culib_present() } {
            return found;
        }
        let mut number = 0;
        // SAFETY: the driver writes one number, to a place that outlives the call.
        if unsafe { sys::cuDriverGetVersion(&mut number) }.result().is_ok() {
            found.driver = Some(CudaVersion::of_driver(number));
        }
        match init()
            .and_then(|()| device::get_count())
            .and_then(|count| (0..count).map(gpu).collect())
        {
            Ok(gpus) => found.gpus = gpus,
            Err(error) => found.failure = Some(named(error)),
        }
        found
    }
}

/// Whether kernels can run on the GPU with this number, as far as that is known before the first one.
///
/// # Errors
/// [`Error::Usage`] naming what is missing: a newer driver, or the file of mathematical functions.
pub fn check(number: usize) -> Result<()> {
    let found = Nvidia::ask_quickly();
    let driver = found.gpus.get(number).zip(found.driver);
    let too_old = driver.and_then(|(gpu, driver)| gpu.unusable_with(driver));
    match too_old.or_else(|| found.libdevice.problem()) {
        None => Ok(()),
        Some(problem) => Err(Error::Usage(format!(
            "--gpu-id {number}: {problem} (`avse doctor` looks again; --gpu-id cpu runs on the CPU)"
        ))),
    }
}

/// Whether NCCL is there, under one of the names that Burn tries (`libnccl.so.2` is not among them).
pub fn has_nccl() -> bool {
    // SAFETY: only tries to load the library by its names.
    unsafe { cudarc::nccl::sys::is_culib_present() }
}

fn gpu(number: i32) -> Result<Gpu, DriverError> {
    let device = device::get(number)?;
    let attribute = |attribute| {
        // SAFETY: `device` is one of the driver's.
        unsafe { device::get_attribute(device, attribute) }
            .map(|value| u32::try_from(value).unwrap_or(0))
    };
    let capability = (
        attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
    );
    // SAFETY: the same.
    let memory_bytes = unsafe { device::total_mem(device) }? as u64;
    Ok(Gpu { name: device::get_name(device)?, capability, memory_bytes, free_bytes: None })
}

/// The memory of the GPU with this number. The question needs a context, which takes a moment.
pub fn memory(number: usize) -> Option<DeviceMemory> {
    let (free, total) = CudaContext::new(number).ok()?.mem_get_info().ok()?;
    Some(DeviceMemory { free: free as u64, total: total as u64 })
}

/// The driver's name for an error, and its sentence about it.
fn named(error: DriverError) -> String {
    let text = |part: Result<&std::ffi::CStr, DriverError>| {
        part.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    };
    format!("{} ({})", text(error.error_name()), text(error.error_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_the_driver_counts_them() {
        assert_eq!(CudaVersion::of_driver(12080).to_string(), "12.8");
        assert_eq!(CudaVersion::of_driver(13000), CudaVersion::new(13, 0));
        assert!(CudaVersion::of_driver(11080) < CudaVersion::of_driver(12000));
    }

    #[test]
    fn each_gpu_has_a_first_driver() {
        let first = |capability| {
            let gpu = Gpu { name: String::new(), capability, memory_bytes: 0, free_bytes: None };
            gpu.first_driver().to_string()
        };
        assert_eq!(first((8, 0)), "12.0");
        assert_eq!(first((9, 0)), "12.0");
        assert_eq!(first((10, 0)), "12.8");
        assert_eq!(first((12, 1)), "12.9");
    }

    #[test]
    fn a_driver_that_is_too_old_is_named() {
        let gpu =
            Gpu { name: "Some GPU".into(), capability: (10, 0), memory_bytes: 0, free_bytes: None };
        let said = gpu.unusable_with(CudaVersion::new(12, 4)).unwrap();
        assert!(
            said.contains("Some GPU") && said.contains("12.4") && said.contains("12.8"),
            "{said}"
        );
        assert_eq!(gpu.unusable_with(CudaVersion::new(12, 8)), None);
    }
}
