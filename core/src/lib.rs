//! The AVSE model (Asymmetric Visual Semantic Embedding, AAAI 2025) on
//! [Burn](burn), for every device Burn knows, natively and in a browser.
#![deny(missing_docs)]

mod error;
pub mod image;
pub mod metrics;
pub mod text;

pub use error::{Error, Result};
