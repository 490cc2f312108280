//! Parity with the official code: every fixture of `tests/fixtures/parity`, or of the
//! folder in `AVSE_PARITY_DIR`, on the CPU, on a Vulkan adapter (a
//! software one will do) and on CUDA. `AVSE_PARITY_REPORT` names a file for each tensor's error.

#![allow(clippy::unwrap_used)]

mod aeom;
mod avse;
mod checkpoint;
mod compare;
#[path = "../../../tests/support/comparisons.rs"]
mod comparisons;
mod devices;
mod fixture;
mod gelu;
#[path = "../../../tests/support/gpus.rs"]
mod gpus;
#[path = "../../../tests/support/gradients.rs"]
mod gradients;
#[path = "../../../tests/support/left_out.rs"]
mod left_out;
mod metrics;
mod pooling;
mod preprocess;
mod tokenization;
mod towers;
mod training;
#[path = "../../../tests/support/trials.rs"]
mod trials;

use libtest_mimic::{Arguments, Trial, run};
use trials::trials;

/// Every test of the suite.
pub fn tests() -> Vec<Trial> {
    trials![
        aeom::scores_of_all_cases,
        avse::evaluation,
        avse::sampled_patches,
        checkpoint::the_official_checkpoint_is_read_as_it_was_saved,
        checkpoint::the_official_checkpoint_holds_the_weights_of_the_evaluation_fixture,
        checkpoint::the_official_checkpoint_fills_the_model_and_comes_out_again,
        checkpoint::the_names_are_a_bijection,
        checkpoint::the_towers_load_by_their_hugging_face_names,
        gelu::exact_form,
        gelu::tanh_form,
        metrics::ranks_and_recalls_are_the_official_ones,
        pooling::pooled_values_weights_and_gradients,
        pooling::states_of_any_width_are_those_of_the_processor,
        pooling::equal_values_keep_their_order,
        preprocess::resized_and_normalised_as_officially,
        tokenization::captions_and_corner_cases_have_the_official_ids,
        towers::vit_at_native_and_enlarged_resolution,
        towers::swin_in_every_padding_case,
        towers::swin_smaller_than_its_window,
        towers::bert_with_and_without_padding,
        towers::hugging_face_configs,
        training::training_step,
        training::size_augmentation,
    ]
}

fn main() {
    run(&Arguments::from_args(), tests()).exit();
}
