//! The similarity on a GPU: score matrices, search with fused top-k, int8 candidates, in plain wgpu and
//! the WGSL files of `shaders/`, natively and in browsers.
//!
//! ```no_run
//! # async fn example(images: avse_core::similarity::Blocks<'_>, caption: avse_core::similarity::Blocks<'_>)
//! # -> avse_core::Result<()> {
//! use avse_core::similarity::Direction;
//! use avse_core::similarity::gpu::{GpuEngine, GpuOptions, Storage};
//!
//! let engine = GpuEngine::new(&GpuOptions::default()).await?;
//! let gallery = engine.upload(images, Storage::F16).await?;
//! let hits = engine.search(&gallery, caption, Direction::ImagesForCaption, 10).await?;
//! # Ok(())
//! # }
//! ```

mod buffers;
mod candidates;
mod engine;
mod format;
mod gallery;
mod kernel;
mod matrix;
mod normalise;
mod pool;
mod search;
mod search_shape;
mod template;
mod texels;
mod tuning;
mod upload;

pub use candidates::Candidate;
pub use engine::{GpuEngine, GpuOptions, Tiles};
pub use gallery::{GpuGallery, Storage};

// The types of devices and adapters, in the version they are used with.
pub use wgpu;
