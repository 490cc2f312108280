//! The AVSE model (Asymmetric Visual Semantic Embedding, AAAI 2025) on
//! [Burn](burn), for every device Burn knows, natively and in a browser.
#![deny(missing_docs)]

mod avse;
pub mod chain;
pub mod config;
mod device;
mod error;
pub mod gallery;
pub mod image;
pub mod input;
pub mod layers;
pub mod loss;
pub mod metrics;
pub mod model;
pub mod pooling;
pub mod similarity;
pub mod text;
pub mod weights;

pub use avse::{Avse, token_tensor};
pub use device::is_cpu;
pub use error::{Error, GpuFailure, Result};
pub use model::AvseModel;
