//! From pixels to image embeddings.

pub mod augmentation;
pub mod formats;
pub mod pixels;
mod position;
mod resnet;
pub mod sampling;
mod swin;
pub(crate) mod tower;
mod vit;

pub use resnet::{ConvNorm, ResNet, ResNetBlock, ResNetStage};
pub use swin::{PatchMerging, Swin, SwinBlock, SwinStage, WindowAttention};
pub use tower::{Backbone, ImageTower, ViewHead};
pub use vit::{Vit, VitLayer};
