//! What a run runs on and with, beside its configuration.

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::data::{KNOWN, Split};
use crate::device;
use crate::machine::Machine;

/// `run.json`, written when a run begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Version of the program.
    pub version: String,
    /// The devices that train.
    pub devices: Vec<String>,
    /// The machine that they are in.
    pub machine: Machine,
    /// Numbers that are learnt.
    pub parameters: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
    /// What is trained on.
    pub training: SplitInfo,
    /// What picks the best epoch.
    pub validation: SplitInfo,
    /// Whether that is the test split, as in the official code: the best epoch's figures then measure
    /// nothing independently.
    pub selected_on_test: bool,
}

/// A split and its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitInfo {
    /// Its name.
    pub name: String,
    /// Its images.
    pub images: usize,
    /// Its captions.
    pub captions: usize,
}

impl RunInfo {
    pub(super) fn new(
        run: &Run,
        devices: &[Device],
        model: &impl Module,
        validation: &Split,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            devices: devices.iter().map(|it| device::describe(&it.clone().inner())).collect(),
            machine: Machine::here(),
            parameters: model.num_params(),
            steps_per_epoch: run.steps_per_epoch(),
            training: SplitInfo::of(&run.preparation.split),
            validation: SplitInfo::of(validation),
            selected_on_test: is_test(&run.config.dataset, &validation.name),
        }
    }

    /// What validation figures are of, for headings.
    pub fn validation_name(&self) -> &'static str {
        if self.selected_on_test { "test" } else { "validation" }
    }
}

impl SplitInfo {
    /// Of a split that was read.
    pub fn of(split: &Split) -> Self {
        let (images, captions) = (split.images.len(), split.captions.len());
        Self { name: split.name.clone(), images, captions }
    }
}

/// Whether a split is that of the published numbers of a dataset.
pub(super) fn is_test(dataset: &str, split: &str) -> bool {
    KNOWN.iter().any(|known| known.name == dataset && known.test == split)
}

#[cfg(test)]
mod tests {
    use super::is_test;

    #[test]
    fn test_splits_are_known() {
        assert!(is_test("f30k", "test") && is_test("coco", "testall"));
        assert!(!is_test("f30k", "dev") && !is_test("coco", "test") && !is_test("own", "test"));
    }
}
