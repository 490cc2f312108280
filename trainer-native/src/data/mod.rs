//! Datasets: the official Flickr30K and MS-COCO layout, a check of it, and the
//! emoji set written in it.

pub mod emoji;
mod known;
pub mod layout;
mod problem;
mod verify;

pub use known::{KNOWN, Known};
pub use layout::{Captions, Dataset, DatasetSpec, ImageEntry, Split};
pub use problem::{Problem, ProblemKind};
pub use verify::{SplitSummary, Verification, VerifyOptions, verify};
