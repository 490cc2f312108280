//! Agreement with the official code, by the fixtures it produced.

mod fixture;
mod metrics;
mod preprocess;
mod tokenization;
