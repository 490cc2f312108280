//! What is said about machines that these are not.

use super::*;

fn machine_with(libraries: &[&str]) -> Diagnosis {
    let mut found = Diagnosis::make(Path::new("no such folder"));
    for sought in &mut found.sought {
        sought.path = libraries.contains(&sought.name).then(|| sought.name.into());
    }
    for backend in &mut found.backends {
        backend.built = false;
        backend.devices.clear();
    }
    found
}

fn advice(found: &Diagnosis) -> String {
    advice::give(found).join("\n")
}

fn gpu() -> DeviceReport {
    DeviceReport { name: "Some GPU".into(), f32: true, f16: true, bf16: false }
}

#[test]
fn a_plain_build_names_the_feature_that_fits_the_driver() {
    let said = advice(&machine_with(&["npm", "libcuda"]));
    assert!(said.contains("libcuda is there"), "{said}");
    assert!(said.contains("cargo build --release --features cuda"), "{said}");
    assert!(!said.contains("npm") && !said.contains("rocm"), "{said}");
    let said = advice(&machine_with(&["libamdhip64"]));
    assert!(said.contains("--features rocm") && said.contains("npm is not there"), "{said}");
    let said = advice(&machine_with(&[]));
    assert!(said.contains("everything runs on the CPU"), "{said}");
    assert!(said.contains("no GPU driver is there"), "{said}");
    assert!(said.contains("no dataset is there"), "{said}");
}

#[test]
fn a_built_backend_names_its_missing_driver() {
    let mut found = machine_with(&["libvulkan"]);
    found.backends[0].built = true;
    found.backends[3].built = true;
    let said = advice(&found);
    assert!(said.contains("built with cuda, but libcuda is not there"), "{said}");
    assert!(said.contains("built with vulkan, but it finds no device"), "{said}");
    // A GPU that works is enough.
    found.backends[3].devices.push(gpu());
    let said = advice(&found);
    assert!(!said.contains("vulkan") && !said.contains("--features"), "{said}");
    let text = found.to_string();
    assert!(text.contains("vulkan 0") && text.contains("Some GPU: f32, f16\n"), "{text}");
    assert!(text.contains("built in, no device found"), "{text}");
}

#[test]
fn passwords_are_not_shown() {
    assert_eq!(without_login("https://me:secret@host/path".into()), "https://host/path");
    assert_eq!(without_login("https://host".into()), "https://host");
    for name in ["HF_TOKEN", "HTTPS_PROXY", "HF_ENDPOINT"] {
        assert!(!SHOWN.contains(&name));
    }
}
