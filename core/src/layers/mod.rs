//! Parts that several towers share.

mod attention;
mod batch_norm;
mod drop_path;
mod feed_forward;
mod fused;
mod gelu;
pub(crate) mod init;
mod layer_norm;

pub use attention::{AttentionSizes, SelfAttention};
pub(crate) use attention::{attend, merge_heads, split_heads};
pub use batch_norm::token_batch_norm;
pub use drop_path::drop_path;
pub use feed_forward::{FeedForward, FeedForwardSizes};
pub(crate) use fused::{
    EncoderLayer, NormPlacement, channels_last, convolve, convolve_normalised, host,
};
pub use gelu::{gelu, gelu_tanh};
pub use layer_norm::normalise;
