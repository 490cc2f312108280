//! Gradients computed in pieces, by parts, in half precision and on several devices, against one graph.
#![allow(clippy::unwrap_used)]

#[path = "../../../tests/support/comparisons.rs"]
mod comparisons;
mod gpu;
#[path = "../../../tests/support/gpus.rs"]
mod gpus;
#[path = "../../../tests/support/left_out.rs"]
mod left_out;
mod memory;
mod precision;
mod replicas;
mod setup;
#[path = "../../../tests/support/trials.rs"]
mod trials;

use libtest_mimic::{Arguments, Trial, run};
use trials::trials;

/// Every test of the suite.
pub fn tests() -> Vec<Trial> {
    trials![
        gpu::a_gpu_backend_gives_the_gradients_of_the_processor,
        gpu::a_gpu_backend_drops_the_same_when_a_piece_runs_again,
        memory::pieces_and_parts_give_the_gradients_of_one_graph,
        memory::dropout_draws_the_same_when_a_piece_runs_again,
        precision::half_precision_points_where_single_does,
        precision::half_precision_drops,
        replicas::replicas_give_the_gradients_of_the_global_batch,
        replicas::only_batch_norm_is_local_without_sync_bn,
        replicas::twenty_steps_follow_the_single_device,
        replicas::running_statistics_are_global_with_sync_bn,
        replicas::a_crashed_replica_ends_the_step_of_the_others,
    ]
}

fn main() {
    run(&Arguments::from_args(), tests()).exit();
}
