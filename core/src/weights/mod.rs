//! Weights: where they come from, how they are called, where they go.
//!
//! Everything meets in a [`StateDict`], tensors by name in PyTorch's layout.
//! It is read from safetensors ([`StateDict::read_safetensors`]), from PyTorch
//! files (`read_torch`, native only) or from a module ([`state_dict_of`]), and
//! goes into a module ([`load_into`]), a safetensors file or a [`Bundle`].

mod bundle;
pub(crate) mod file_entry;
pub(crate) mod files;
mod infer;
mod load;
mod names;
mod official;
#[cfg(not(target_family = "wasm"))]
pub mod pickle;
mod precision;
mod quantised;
#[cfg(not(target_family = "wasm"))]
mod source;
mod state_dict;
#[cfg(not(target_family = "wasm"))]
mod torch;
mod towers;

pub use bundle::{Bundle, BundleContents, BundleFiles, Manifest, VerifiedFiles};
pub use file_entry::FileEntry;
pub use files::{is_special, target};
pub use infer::infer_config;
pub use load::{LoadReport, canonical, first_few, load_into, state_dict_of, undrawn};
pub use names::{AVERAGED_STEPS, Naming};
pub use official::complete_official;
pub use precision::Precision;
#[cfg(not(target_family = "wasm"))]
pub use source::{HUGGING_FACE_FILES, read_checkpoint, read_weights, shards};
pub use state_dict::StateDict;
#[cfg(not(target_family = "wasm"))]
pub use torch::{Checkpoint, read_torch};
pub use towers::Towers;
