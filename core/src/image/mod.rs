//! The image side: pixels, augmentation.

pub mod augmentation;
pub mod pixels;
