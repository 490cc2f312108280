//! Datasets in other forms than the official layout: Karpathy's JSON, tables, JSONL, shards; and the
//! official layout written out of the first.
#![allow(clippy::unwrap_used)]

mod encodings;
mod json_lines;
mod karpathy;
mod left_out;
mod odd_shards;
mod prepare;
mod shards;
mod support;
mod tables;
mod tar_writer;
