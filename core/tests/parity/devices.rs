//! The devices that the suite runs on.

use std::any::type_name;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Device;

use super::compare::Tolerances;
use super::comparisons::{Comparisons, assert_none};
use super::gpus::gpus;

/// A test on one of its devices.
pub struct Run {
    /// What it computes on.
    pub device: Device,
    /// What it is allowed there.
    pub tolerances: Tolerances,
    /// What it has found.
    pub comparisons: Comparisons,
}

/// Runs `test` on the CPU and on every GPU backend that finds a device, and asserts at the end what
/// it compared: a device that fails does not keep the others from being reported.
pub fn on_each_device<F: Fn(&Run)>(test: F) {
    let runs = std::iter::once(("cpu", Device::flex(), Tolerances::CPU))
        .chain(gpus().into_iter().map(|(name, device)| (name, device, Tolerances::GPU)));
    let mut failures = Vec::new();
    for (name, device, tolerances) in runs {
        let comparisons = Comparisons::new(test_name::<F>(), name);
        let run = Run { device, tolerances, comparisons };
        if catch_unwind(AssertUnwindSafe(|| test(&run))).is_err() {
            run.comparisons.fail("stopped by the panic above".into());
        }
        failures.extend(run.comparisons.failures());
    }
    assert_none(failures);
}

/// `towers::bert` of `parity::towers::bert::{{closure}}`.
fn test_name<F>() -> &'static str {
    let name = type_name::<F>().trim_end_matches("::{{closure}}");
    name.split_once("::").map_or(name, |(_, test)| test)
}
