//! Galleries of files and datasets: what is in a collection, what of it is new, and what a
//! question finds in it. The format is the core's ([`avse_core::gallery`]).

mod bench;
mod build;
mod bundle;
mod encoder;
mod export;
mod folder;
mod jsonl;
mod listing;
mod pipeline;
mod plan;
mod query;

pub use bench::{BenchOptions, BenchReport, bench};
pub use build::{BuildOptions, BuildReport, SourceChange, build};
pub use bundle::ChosenBundle;
pub use encoder::Encoder;
pub use export::{ExportOptions, ExportReport, export};
pub use listing::{Content, Entry, Listing, Problem, list, picture_path};
pub use query::{Answer, Asked, SearchOptions, search};
