//! The devices that the suite runs on.

use burn::tensor::{Device, DeviceType};

use super::left_out::missing;

/// Runs `test` on the CPU and, where there is an adapter, on Burn's wgpu backend.
pub fn on_each_device(test: impl Fn(&Device)) {
    test(&Device::flex());
    match wgpu() {
        Some(device) => test(&device),
        None => missing(
            "no Vulkan adapter: the wgpu half of the parity suite did not run. `cargo xtask setup` installs a \
             software one where it can",
        ),
    }
}

fn wgpu() -> Option<Device> {
    Device::enumerate(DeviceType::Wgpu).into_vec().into_iter().next()
}
