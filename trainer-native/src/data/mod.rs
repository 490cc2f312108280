//! Datasets: the official Flickr30K and MS-COCO layout, Karpathy's JSON, tables, JSONL and WebDataset
//! shards; a check of them, and the emoji set written in the official layout.

mod braces;
mod dataset;
pub mod emoji;
mod json_lines;
mod karpathy;
mod known;
pub mod layout;
pub mod picture;
mod prepare;
mod problem;
mod record;
mod rows;
mod samples;
mod source;
mod split;
mod table;
mod tar_members;
mod verify;
mod webdataset;

pub use dataset::{Dataset, DatasetSpec};
pub use known::{KNOWN, Known};
pub use layout::Captions;
pub use prepare::{CaptionLimit, PrepareOptions, Prepared, prepare};
pub use problem::{Problem, ProblemKind};
pub use split::{ImageEntry, Split};
pub use verify::{SplitSummary, Verification, VerifyOptions, verify, verify_within};
