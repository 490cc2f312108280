//! Which families the tests beside this one meet: what they prove is proven of these.

use super::*;

#[test]
fn the_best_family_is_the_processors_own() {
    let own: &[Kernel] = if cfg!(target_arch = "x86_64") {
        &[Kernel::Scalar, Kernel::Avx2, Kernel::Avx512, Kernel::Avx512Vnni]
    } else if cfg!(target_arch = "aarch64") {
        &[Kernel::Scalar, Kernel::Neon]
    } else if cfg!(all(target_arch = "wasm32", target_feature = "simd128")) {
        &[Kernel::Scalar, Kernel::Simd128]
    } else {
        &[Kernel::Scalar]
    };
    let found: Vec<Kernel> = engines().map(|engine| engine.kernel()).collect();
    // Only x86 comes with more and with less; elsewhere the build has decided.
    let least = if cfg!(target_arch = "x86_64") { 1 } else { own.len() };
    assert!(own.starts_with(&found) && found.len() >= least, "{found:?}");
    assert_eq!(Engine::new().kernel(), found[found.len() - 1]);
}
