//! Where the network runs.

use burn::tensor::Device;

use crate::failure::{Failure, Result};

/// A device, what it is called, and what searches galleries on it.
pub struct Place {
    pub device: Device,
    pub name: &'static str,
    pub adapter: String,
    #[cfg(feature = "gpu")]
    pub gpu: Option<avse_core::similarity::gpu::GpuEngine>,
}

impl Place {
    /// `cpu`, or in the build for it `webgpu`.
    pub async fn open(name: &str) -> Result<Self> {
        match name {
            "cpu" => Ok(Self {
                device: Device::flex(),
                name: "cpu",
                adapter: String::new(),
                #[cfg(feature = "gpu")]
                gpu: None,
            }),
            #[cfg(feature = "gpu")]
            "webgpu" => Self::webgpu().await,
            _ => Err(Failure::new("no-device", format!("this build has no device `{name}`"))),
        }
    }

    #[cfg(feature = "gpu")]
    async fn webgpu() -> Result<Self> {
        use avse_core::similarity::gpu::{GpuEngine, GpuOptions, wgpu};
        let (device, setup) = Device::wgpu_options()
            .init_with_setup_async()
            .await
            .map_err(|error| Failure::new("no-device", error.to_string()))?;
        // A device does not tell what the browser's shader language has.
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let packed_dot = tells_language_features() && GpuEngine::has_packed_dot(&instance);
        let options = GpuOptions { packed_dot, ..GpuOptions::default() };
        let gpu = GpuEngine::from_parts(setup.device.clone(), setup.queue.clone(), &options);
        gpu.watch();
        let info = gpu.adapter();
        let adapter = [info.name, info.driver, info.driver_info]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        Ok(Self { device, name: "webgpu", adapter, gpu: Some(gpu) })
    }

    /// The error of what a device could not give: its loss, where that is the reason.
    pub fn failure(&self, message: impl std::fmt::Display) -> Failure {
        #[cfg(feature = "gpu")]
        if let Some(reason) = self.gpu.as_ref().and_then(|gpu| gpu.lost()) {
            return Failure::new("device-lost", format!("the GPU is gone: {reason}"));
        }
        Failure::internal(message)
    }
}

/// Whether the browser tells what its shader language has. Older ones do not, and wgpu would throw.
#[cfg(feature = "gpu")]
fn tells_language_features() -> bool {
    let mut path = ["navigator", "gpu", "wgslLanguageFeatures"].into_iter();
    let found = path.try_fold(js_sys::global().into(), |object: wasm_bindgen::JsValue, name| {
        js_sys::Reflect::get(&object, &name.into())
    });
    found.is_ok_and(|features| features.is_object())
}
