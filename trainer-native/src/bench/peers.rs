//! What the official code took for the same work.

use serde::{Deserialize, Serialize};

use super::Phase;

/// A figure of other software.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// The work.
    pub phase: Phase,
    /// Fastest and slowest run, seconds an item ([`Phase::items`]).
    pub seconds: [f64; 2],
    /// Peak memory in bytes, where it was recorded.
    pub peak_bytes: Option<u64>,
}

/// The official code (commit b02e885) with ViT-B/16 and BERT-base at 256 px in PyTorch 2.15,
/// f32, 2 threads, on 2 cores of a Zen 3: another machine and another run than this one.
pub const PEERS: [Peer; 3] = [
    Peer { phase: Phase::Images, seconds: [0.60, 0.60], peak_bytes: Some(1_720_000_000) },
    Peer { phase: Phase::Captions, seconds: [0.020, 0.020], peak_bytes: None },
    Peer { phase: Phase::Step, seconds: [8.3, 9.8], peak_bytes: Some(5_160_000_000) },
];

/// Where [`PEERS`] come from, for the reader of a table.
pub const ORIGIN: &str = "\
Peer: the official code in PyTorch 2.15, 2 threads, on 2 cores of a Zen 3. It was measured on\n\
another machine in another run, so the ratios (ours / peer, below 1 is better here) are rough.\n\
Where the peer has a range, the ratio is to its faster end.";
