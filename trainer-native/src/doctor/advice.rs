//! What is missing, and how to get it.

use super::Diagnosis;
use crate::device::Backend;

/// What a backend's driver is, and how it is installed.
fn driver(backend: Backend) -> (&'static str, &'static str) {
    match backend {
        Backend::Cuda => ("libcuda", "install NVIDIA's driver"),
        Backend::Rocm => ("libamdhip64", "install AMD's ROCm"),
        Backend::Vulkan | Backend::Wgpu => {
            ("libvulkan", "install the GPU's Vulkan driver (on Debian its loader is libvulkan1)")
        }
        // Part of the system.
        Backend::Metal => ("", "Metal is there on Apple's systems only"),
    }
}

/// A line for each thing that is missing; the GPU first.
pub fn give(found: &Diagnosis) -> Vec<String> {
    let mut advice = gpu(found);
    #[cfg(feature = "cuda-backend")]
    advice.extend(super::nvidia::advice(&found.nvidia));
    if !found.has("npm") {
        advice.push(
            "npm is not there: `avse demo` and `avse data emoji` install drawings with it (https://nodejs.org)"
                .into(),
        );
    }
    if found.datasets.iter().all(|dataset| dataset.folder.is_none()) {
        advice.push(
            "no dataset is there: `avse data emoji` makes one; README.md says where others go"
                .into(),
        );
    }
    for dataset in &found.datasets {
        if let Some(problem) = &dataset.problem {
            let name = dataset.name;
            advice
                .push(format!("{problem} (`avse data verify --dataset {name}` lists everything)"));
        }
    }
    advice
}

fn gpu(found: &Diagnosis) -> Vec<String> {
    let mut advice = Vec::new();
    let of = |backend: Backend| {
        found.backends.iter().find(move |report| report.feature == backend.feature())
    };
    for backend in Backend::ALL {
        let Some(report) = of(backend) else { continue };
        if !report.built || !report.devices.is_empty() {
            continue;
        }
        let (library, install) = driver(backend);
        let reason = match found.has(library) {
            true => "it finds no device that works with it".to_owned(),
            false => format!(
                "{} is not there: {install}",
                if library.is_empty() { "Metal" } else { library }
            ),
        };
        advice.push(format!("built with {}, but {reason}", backend.feature()));
    }
    let works = found.backends.iter().any(|report| !report.devices.is_empty());
    if works {
        return advice;
    }
    advice.push("no GPU can be used: everything runs on the CPU".into());
    let so_far = advice.len();
    let built = |backend| of(backend).is_some_and(|report| report.built);
    for backend in [Backend::Cuda, Backend::Rocm, Backend::Vulkan] {
        if !built(backend) && found.has(driver(backend).0) {
            let (library, command) = (driver(backend).0, backend.build_command());
            let hardware = backend.hardware();
            advice.push(format!("{library} is there: if there is a GPU ({hardware}), `{command}`"));
        }
    }
    if cfg!(target_os = "macos") && !built(Backend::Metal) {
        advice.push(format!("for the GPU of a Mac, `{}`", Backend::Metal.build_command()));
    }
    if advice.len() == so_far && !Backend::ALL.into_iter().any(built) {
        let commands = [Backend::Cuda, Backend::Rocm, Backend::Vulkan];
        let commands = commands.map(|it| format!("`{}` ({})", it.build_command(), it.hardware()));
        advice.push(format!(
            "no GPU driver is there (libcuda, libamdhip64, libvulkan); once one is: {}",
            commands.join(", ")
        ));
    }
    advice
}
