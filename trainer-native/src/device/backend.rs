//! What computes on GPUs: the backends that a program can be built with, and their devices.

use burn::tensor::Device;

/// A GPU backend. Each is a cargo feature of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// NVIDIA.
    Cuda,
    /// AMD.
    Rocm,
    /// Apple.
    Metal,
    /// Any Vulkan driver, in SPIR-V.
    Vulkan,
    /// What WebGPU finds, in its own shader language.
    Wgpu,
}

impl Backend {
    /// All, the fastest on their own hardware first: of those that are built in, the first is used.
    pub const ALL: [Self; 5] = [Self::Cuda, Self::Rocm, Self::Metal, Self::Vulkan, Self::Wgpu];

    /// Its cargo feature.
    pub fn feature(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
            Self::Wgpu => "wgpu",
        }
    }

    /// Whose GPUs it is for.
    pub fn hardware(self) -> &'static str {
        match self {
            Self::Cuda => "NVIDIA",
            Self::Rocm => "AMD",
            Self::Metal => "Apple",
            Self::Vulkan => "any with a Vulkan driver",
            Self::Wgpu => "any that WebGPU finds",
        }
    }

    /// The command that builds this program with it.
    pub fn build_command(self) -> String {
        format!("cargo build --release --features {}", self.feature())
    }

    /// Whether this program was built with it.
    pub fn is_built(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda-backend"),
            Self::Rocm => cfg!(feature = "rocm"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Wgpu => cfg!(feature = "wgpu"),
        }
    }

    /// The one whose devices `--gpu-id` counts.
    pub fn in_use() -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.is_built())
    }

    /// Its devices on this machine, none where it is not built in or its driver is missing.
    pub fn devices(self) -> Vec<Device> {
        // With all features on, no arm is left for the last one.
        #[allow(unreachable_patterns)]
        match self {
            #[cfg(feature = "cuda-backend")]
            Self::Cuda => Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec(),
            #[cfg(feature = "rocm")]
            Self::Rocm => Device::enumerate(burn::tensor::DeviceType::Rocm).into_vec(),
            #[cfg(feature = "metal")]
            Self::Metal => Device::enumerate(burn::tensor::DeviceType::Metal).into_vec(),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Device::enumerate(burn::tensor::DeviceType::Vulkan).into_vec(),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_in_has_no_devices() {
        for backend in Backend::ALL {
            assert!(backend.is_built() || backend.devices().is_empty(), "{backend:?}");
            assert!(backend.build_command().ends_with(backend.feature()));
        }
        let built = Backend::ALL.into_iter().any(Backend::is_built);
        assert_eq!(Backend::in_use().is_some(), built);
    }
}
