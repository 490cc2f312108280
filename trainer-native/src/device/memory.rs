//! How much memory a GPU has.

use burn::tensor::Device;

/// Memory of a GPU in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Taken by nobody.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// What NVIDIA's driver says about a GPU of this build; nothing is known of other devices. Opens a context on the GPU,
/// which takes a moment.
pub fn memory(device: &Device) -> Option<DeviceMemory> {
    #[cfg(feature = "cuda-backend")]
    {
        let device = device.clone().inner();
        let number = super::Backend::Cuda.devices().iter().position(|found| *found == device)?;
        super::nvidia::memory(number)
    }
    #[cfg(not(feature = "cuda-backend"))]
    {
        let _ = device;
        None
    }
}

/// Bytes of a device's memory that this process holds, over all streams, where its backend tells.
pub fn held(device: &Device) -> Option<u64> {
    device.clone().inner().memory_pool_usage().map(|usage| usage.bytes_reserved)
}
