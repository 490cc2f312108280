//! The datasets that are known by name.

use crate::{Error, Result};

/// What is known about a dataset by its name.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name on the command line, and of its folder.
    pub name: &'static str,
    /// The folder of its pictures, when it stands beside the dataset's folder.
    pub image_folder: Option<&'static str>,
    /// The file of Karpathy's splits of it.
    pub karpathy: Option<&'static str>,
    /// The split trained on.
    pub train: &'static str,
    /// The split on which the best model is chosen.
    pub validation: &'static str,
    /// The split of the published numbers.
    pub test: &'static str,
    /// Further splits.
    pub others: &'static [&'static str],
    /// The test is evaluated in this many folds too, whose metrics are averaged; 1 for none.
    pub test_folds: usize,
}

/// Flickr30K, MS-COCO and the emoji set.
pub const KNOWN: [Known; 3] = [
    Known {
        name: "f30k",
        image_folder: Some("flickr30k-images"),
        karpathy: Some("dataset_flickr30k.json"),
        train: "train",
        validation: "dev",
        test: "test",
        others: &[],
        test_folds: 1,
    },
    Known {
        name: "coco",
        image_folder: Some("coco-images"),
        karpathy: Some("dataset_coco.json"),
        train: "train",
        validation: "dev",
        test: "testall",
        others: &[],
        test_folds: 5,
    },
    Known {
        name: "emoji",
        image_folder: None,
        karpathy: None,
        train: "train",
        validation: "dev",
        test: "test",
        others: &["new"],
        test_folds: 1,
    },
];

impl Known {
    /// The dataset called `name`.
    ///
    /// # Errors
    /// [`Error::Usage`] with the known names.
    pub fn by_name(name: &str) -> Result<&'static Self> {
        KNOWN.iter().find(|known| known.name == name).ok_or_else(|| {
            let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
            Error::Usage(format!("unknown dataset {name:?}; known are {}", names.join(", ")))
        })
    }

    /// The names of all its splits.
    pub fn splits(&self) -> impl Iterator<Item = &'static str> {
        [self.train, self.validation, self.test].into_iter().chain(self.others.iter().copied())
    }
}
