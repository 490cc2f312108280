//! Datasets: the official Flickr30K and MS-COCO layout, a check of it, and the
//! emoji set written in it.

pub mod emoji;
