//! The text side: tokens, augmentation.

pub mod augmentation;
pub mod tokenizer;
