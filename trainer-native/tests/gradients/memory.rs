//! `--micro-batch` and `--recompute`.

use trainer_native::train::{HostCollective, Method};

use super::comparisons::{Comparisons, assert_none};
use super::setup::{
    Check, GRADIENT, LOSS, alone, batch, config, loss, network, objective, with_place,
};

fn methods() -> [Method; 4] {
    let method = |micro_batch, recompute| Method { micro_batch, recompute, ..Method::default() };
    // Three does not divide the batch.
    [method(2, false), method(3, false), method(0, true), method(3, true)]
}

pub fn pieces_and_parts_give_the_gradients_of_one_graph() {
    let comparisons = &Comparisons::new("pieces and parts", "cpu");
    for backbone in ["vit", "swin"] {
        let config = config(backbone, 0.0);
        let (model, batch) = (network(&config), batch(&config, 1));
        let plain = alone(Method::default(), &model, &batch, &config);
        for method in methods() {
            let cut = alone(method, &model, &batch, &config);
            let case = format!("{backbone}, {method:?}");
            let check = Check { comparisons, case, limit: GRADIENT };
            check.loss(cut.loss, plain.loss, LOSS);
            check.gradients(&model, &cut.gradients, &plain.gradients);
        }
    }
    assert_none(comparisons.failures());
}

/// With dropout everywhere, and the same masks.
pub fn dropout_draws_the_same_when_a_piece_runs_again() {
    let comparisons = &Comparisons::new("dropout again", "cpu");
    for backbone in ["vit", "swin"] {
        let config = config(backbone, 0.3);
        let (model, batch) = (network(&config), batch(&config, 2));
        let (loss, group) = (loss(), HostCollective::new(1));
        for method in methods() {
            let whole = with_place(&group, 0, 1.0, |place| {
                method.compute_whole(&model, &batch, &objective(&config, &loss), place)
            });
            let cut = alone(method, &model, &batch, &config);
            let case = format!("{backbone}, {method:?}");
            let check = Check { comparisons, case, limit: GRADIENT };
            check.loss(cut.loss, whole.loss, LOSS);
            check.gradients(&model, &cut.gradients, &whole.gradients);
        }
        // Other draws would be noticed.
        let [two, three, ..] = methods().map(|method| alone(method, &model, &batch, &config).loss);
        assert!((two - three).abs() > 1e-6, "dropout does nothing");
    }
    assert_none(comparisons.failures());
}
