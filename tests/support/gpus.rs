//! The GPU backends that the test suites run on beside the CPU.

use burn::tensor::{Device, DeviceType};

use super::left_out::missing;

/// The first device of each: wgpu over any Vulkan driver, a software one included, and CUDA where it is
/// built in and has a device.
pub fn gpus() -> Vec<(&'static str, Device)> {
    let first = |kind| Device::enumerate(kind).into_vec().into_iter().next();
    let wgpu = first(DeviceType::Wgpu);
    if wgpu.is_none() {
        missing(
            "no Vulkan adapter: nothing was compared on wgpu. `cargo xtask setup` installs a software one where \
             it can",
        );
    }
    #[cfg(feature = "cuda-backend")]
    let cuda = first(DeviceType::Cuda);
    #[cfg(not(feature = "cuda-backend"))]
    let cuda = None;
    let named = |name, device: Option<Device>| device.map(|device| (name, device));
    [named("wgpu", wgpu), named("cuda", cuda)].into_iter().flatten().collect()
}
