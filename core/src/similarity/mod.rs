//! Asymmetric embedding optimal matching (AEOM): the similarity of an image and a caption.

pub mod reference;
