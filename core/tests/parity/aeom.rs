//! The similarity alone.

use avse_core::similarity::reference::similarity;

use super::compare::SCORE;
use super::devices::on_each_device;
use super::fixture::Fixture;

pub fn scores_of_all_cases() {
    on_each_device(|run| {
        let fixture = Fixture::open("aeom");
        let width = fixture.json["config"]["block_dim"].as_u64().unwrap() as usize;
        for case in fixture.json["config"]["cases"].as_object().unwrap().keys() {
            let images = fixture.tensor_on(&format!("{case}.img"), &run.device);
            let captions = fixture.tensor_on(&format!("{case}.cap"), &run.device);
            let scores = similarity(images, captions, width);
            run.close(&fixture, &format!("{case}.sims"), scores.clone(), SCORE);
            run.close(&fixture, &format!("{case}.sims_forward_sim"), scores, SCORE);
        }
    });
}
