//! The `avse` command as a user runs it, from end to end on a tiny dataset.
#![allow(clippy::disallowed_macros)]
#![allow(clippy::unwrap_used)]

mod bad_bundles;
mod bad_data;
mod bad_options;
mod broken_records;
#[cfg(all(feature = "cuda-backend", target_os = "linux"))]
mod cuda;
mod data_forms;
mod demo;
mod doctor;
mod dry_run;
mod evaluation;
mod export_web;
mod full_size;
mod gallery;
#[path = "../../../tests/support/gradients.rs"]
mod gradients;
#[cfg(all(feature = "cuda-backend", target_os = "linux"))]
#[path = "../support/mod.rs"]
mod hub;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod killed;
#[path = "../../../tests/support/left_out.rs"]
mod left_out;
mod log_every;
mod odd_input;
mod pictures;
mod pretrained;
mod published;
mod report;
mod resume;
mod skipped;
mod sources;
mod support;
mod tensorboard;
#[cfg(target_os = "linux")]
mod terminal;
mod training;
mod validation;
