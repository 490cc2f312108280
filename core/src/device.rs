//! Which device is the CPU.

use burn::tensor::Device;

/// Whether a device is the CPU, with gradients or without: there operations are cheap to begin and results need not
/// be waited for.
pub fn is_cpu(device: &Device) -> bool {
    // The comparison ignores gradients.
    *device == Device::flex()
}

#[cfg(all(test, feature = "training"))]
mod tests {
    use super::*;

    #[test]
    fn with_gradients_it_is_the_same_device() {
        assert!(is_cpu(&Device::flex()) && is_cpu(&Device::flex().autodiff()));
    }
}
