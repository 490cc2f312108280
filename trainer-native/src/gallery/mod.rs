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
mod page;
mod plan;
mod query;
mod sources;

pub use bench::{BenchOptions, BenchReport, bench};
pub use build::{BuildOptions, BuildReport, SourceChange, build, describe};
pub use bundle::ChosenBundle;
pub(crate) use encoder::{Broken, Encoder, Seen, read_picture};
pub use export::{ExportOptions, ExportReport, export};
pub(crate) use listing::slashes;
pub use listing::{Content, Entry, Listing, Problem, UnreadFormat, picture_path};
pub use page::hits_page;
pub(crate) use page::thumbnail;
pub use query::{Answer, Asked, SearchOptions, Seconds, open, search};
pub use sources::{list, usual_kind};
