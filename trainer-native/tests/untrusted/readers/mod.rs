//! Everything that reads bytes from outside, as functions of these bytes.
//!
//! Whatever the bytes are, a reader must return: no panic, no memory beyond its bound, and nothing read that is not part of
//! the input. The tests in this folder try changed examples; the fuzz targets in `fuzz/` try what they find.

#![allow(clippy::unwrap_used, reason = "a test")]

pub mod captions;
pub mod datasets;
pub mod galleries;
pub mod lists;
pub mod models;
pub mod parts;
pub mod pictures;
pub mod scratch;

/// A reader, and inputs that it understands.
pub struct Reader {
    /// The name of its test and of its fuzz target.
    pub name: &'static str,
    /// Reads; whether it understood the input.
    pub read: fn(&[u8]) -> bool,
    /// Examples of what it reads, to start from.
    pub examples: fn() -> Vec<Vec<u8>>,
    /// How many changed examples a test tries.
    pub rounds: usize,
}

/// All of them.
pub const READERS: &[Reader] = &[
    Reader {
        name: "picture",
        read: pictures::picture,
        examples: pictures::pictures,
        rounds: 20_000,
    },
    Reader { name: "jpeg", read: pictures::picture, examples: pictures::jpegs, rounds: 20_000 },
    Reader {
        name: "caption",
        read: captions::caption,
        examples: captions::captions,
        rounds: 20_000,
    },
    Reader {
        name: "tokenizer",
        read: captions::tokenizer,
        examples: captions::tokenizers,
        rounds: 20_000,
    },
    Reader { name: "network", read: models::network, examples: models::networks, rounds: 20_000 },
    Reader {
        name: "safetensors",
        read: models::safetensors,
        examples: models::safetensors_files,
        rounds: 20_000,
    },
    Reader { name: "torch", read: models::torch, examples: models::torch_files, rounds: 8_000 },
    Reader { name: "pickle", read: models::pickle, examples: models::pickles, rounds: 20_000 },
    Reader { name: "bundle", read: models::bundle, examples: models::bundles, rounds: 1_000 },
    Reader {
        name: "gallery",
        read: galleries::gallery,
        examples: galleries::galleries,
        rounds: 20_000,
    },
    Reader {
        name: "karpathy",
        read: datasets::karpathy,
        examples: datasets::karpathy_files,
        rounds: 8_000,
    },
    Reader { name: "csv", read: datasets::csv, examples: datasets::csv_files, rounds: 8_000 },
    Reader { name: "tsv", read: datasets::tsv, examples: datasets::tsv_files, rounds: 8_000 },
    Reader { name: "jsonl", read: datasets::jsonl, examples: datasets::jsonl_files, rounds: 8_000 },
    Reader { name: "shard", read: datasets::shard, examples: datasets::shards, rounds: 8_000 },
    Reader {
        name: "official",
        read: datasets::official,
        examples: datasets::official_folders,
        rounds: 4_000,
    },
    Reader { name: "items", read: lists::items, examples: lists::item_lists, rounds: 8_000 },
    Reader {
        name: "positives",
        read: lists::positives,
        examples: lists::positive_lists,
        rounds: 8_000,
    },
    Reader { name: "run", read: lists::run, examples: lists::runs, rounds: 8_000 },
];
