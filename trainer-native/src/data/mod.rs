//! Datasets: the official Flickr30K and MS-COCO layout, a check of it, and the
//! emoji set written in it.

pub mod emoji;
mod layout;
mod problem;
mod verify;

pub use layout::{Captions, Dataset, DatasetSpec, ImageEntry, KNOWN, Known, Split};
pub use problem::{Problem, ProblemKind};
pub use verify::{SplitSummary, Verification, VerifyOptions, verify};
