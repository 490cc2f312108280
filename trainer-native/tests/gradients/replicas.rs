//! Several replicas against one device.

use avse_core::AvseModel;
use avse_core::config::ModelConfig;
use burn::module::Module;
use burn::tensor::Tensor;
use trainer_native::train::{
    Batch, Computed, HostCollective, LossScale, Membership, Method, Optimiser, OptimiserConfig,
    Precision, Replica, StepPlan, StepReport, replicate,
};

use super::comparisons::{Comparisons, assert_none};
use super::setup::{
    Check, GRADIENT, LOSS, SEED, alone, batch, config, device, loss, network, objective, shard,
    with_place,
};

/// Every replica's gradients for its part of the batch.
fn together(
    world: usize,
    method: Method,
    model: &AvseModel,
    batch: &Batch,
    config: &ModelConfig,
) -> Vec<Computed> {
    let group = HostCollective::new(world);
    let loss = loss();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..world)
            .map(|rank| {
                let (group, loss) = (&group, &loss);
                scope.spawn(move || {
                    let model = replicate(model, config, &device()).unwrap();
                    let shard = shard(batch, rank, world);
                    with_place(group, rank, 1.0, |place| {
                        method.compute(&model, &shard, &objective(config, loss), place).unwrap()
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

pub fn replicas_give_the_gradients_of_the_global_batch() {
    let comparisons = &Comparisons::new("replicas", "cpu");
    for backbone in ["vit", "swin"] {
        let config = config(backbone, 0.0);
        let (model, batch) = (network(&config), batch(&config, 4));
        let single = alone(Method::default(), &model, &batch, &config);
        for world in [2, 4] {
            for micro_batch in [0, 1] {
                let method = Method { sync_bn: true, micro_batch, ..Method::default() };
                for replica in together(world, method, &model, &batch, &config) {
                    let case = format!("{backbone}, {world} replicas, pieces of {micro_batch}");
                    let check = Check { comparisons, case, limit: GRADIENT };
                    check.loss(replica.loss, single.loss, LOSS);
                    check.gradients(&model, &replica.gradients, &single.gradients);
                }
            }
        }
    }
    assert_none(comparisons.failures());
}

/// Without `sync_bn` batch norm sees each replica's captions alone, padded to their own longest; the hardest negatives are still those
/// of all.
pub fn only_batch_norm_is_local_without_sync_bn() {
    let comparisons = &Comparisons::new("replicas without sync_bn", "cpu");
    let config = config("vit", 0.0);
    let (model, batch) = (network(&config), batch(&config, 5));
    let loss = loss();
    let objective = objective(&config, &loss);
    for world in [2, 4] {
        let (mut images, mut captions) = (Vec::new(), Vec::new());
        for rank in 0..world {
            let shard = shard(&batch, rank, world);
            images.push(model.encode_images(objective.pixels(&shard, &device()), &shard.plan));
            let ids = avse_core::token_tensor(&shard.tokens, &device());
            captions.push(model.encode_captions(ids, &shard.tokens.lengths));
        }
        let total = objective.of_embeddings(Tensor::cat(images, 0), Tensor::cat(captions, 0));
        let value = f64::from(total.clone().into_scalar::<f32>());
        let expected = burn::optim::GradientsParams::from_grads(total.backward(), &model);
        for micro_batch in [0, 1] {
            let method = Method { micro_batch, ..Method::default() };
            for replica in together(world, method, &model, &batch, &config) {
                let case = format!("{world} replicas, pieces of {micro_batch}");
                let check = Check { comparisons, case, limit: GRADIENT };
                check.loss(replica.loss, value, LOSS);
                check.gradients(&model, &replica.gradients, &expected);
            }
        }
    }
    assert_none(comparisons.failures());
}

fn steps(world: usize, model: &AvseModel, config: &ModelConfig) -> Vec<Vec<f64>> {
    let group = HostCollective::new(world);
    let loss = loss();
    let settings = OptimiserConfig { learning_rate: 1e-3, ..OptimiserConfig::default() };
    let method = Method { sync_bn: true, ..Method::default() };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..world)
            .map(|rank| {
                let (group, loss, settings) = (&group, &loss, &settings);
                scope.spawn(move || {
                    let model = replicate(model, config, &device()).unwrap();
                    let optimiser = Optimiser::new(&model, settings);
                    let scale = LossScale::new(Precision::F32);
                    let replica = Replica::new((rank, device()), model, optimiser, scale, 1);
                    let step = |(replica, mut losses): (Replica, Vec<f64>), at: u64| {
                        let batch = shard(&batch(config, 100 + at % 3), rank, world);
                        let objective = objective(config, loss);
                        let (step, seed) = (1 + at as usize, SEED + at);
                        let plan = StepPlan { step, objective, method, rate: 1e-3, seed };
                        let mut replica = replica.step(&batch, &plan, group).unwrap();
                        let mut each = |report: &StepReport| {
                            losses.push(report.loss);
                            Ok(())
                        };
                        replica.read(&mut each).unwrap();
                        (replica, losses)
                    };
                    (0..20).fold((replica, Vec::new()), step).1
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

pub fn twenty_steps_follow_the_single_device() {
    let config = config("vit", 0.0);
    let model = network(&config);
    let single = steps(1, &model, &config).remove(0);
    assert!(single[19] < single[0], "nothing is learnt: {single:?}");
    for world in [2, 4] {
        let replicas = steps(world, &model, &config);
        assert!(replicas.iter().all(|losses| *losses == replicas[0]), "the replicas differ");
        assert!((replicas[0][0] - single[0]).abs() < 1e-5);
        for (at, (found, expected)) in replicas[0].iter().zip(&single).enumerate() {
            assert!((found - expected).abs() < 1e-3, "step {at}: {found} {expected}");
        }
    }
}

/// Running statistics with `sync_bn` are those of the global batch.
pub fn running_statistics_are_global_with_sync_bn() {
    let config = config("vit", 0.0);
    let (model, batch) = (network(&config), batch(&config, 6));
    let running = |model: &AvseModel| -> Vec<f32> {
        model.valid().text.mlp_norm.running_var.value().into_data().try_to_vec().unwrap()
    };
    let copy = replicate(&model, &config, &device()).unwrap();
    alone(Method::default(), &copy, &batch, &config);
    let expected = running(&copy);
    let group = HostCollective::new(2);
    let loss = loss();
    std::thread::scope(|scope| {
        for rank in 0..2 {
            let (model, config, batch, group, loss, expected) =
                (&model, &config, &batch, &group, &loss, &expected);
            scope.spawn(move || {
                let copy = replicate(model, config, &device()).unwrap();
                let method = Method { sync_bn: true, ..Method::default() };
                let shard = shard(batch, rank, 2);
                with_place(group, rank, 1.0, |place| {
                    method.compute(&copy, &shard, &objective(config, loss), place).unwrap()
                });
                for (found, expected) in running(&copy).iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0));
                }
            });
        }
    });
}

pub fn a_crashed_replica_ends_the_step_of_the_others() {
    let config = config("vit", 0.0);
    let (model, batch) = (network(&config), batch(&config, 7));
    let group = HostCollective::new(2);
    let loss = loss();
    let outcome = std::thread::scope(|scope| {
        let [first, second] = [0, 1].map(|rank| {
            let (model, config, batch, group, loss) = (&model, &config, &batch, &group, &loss);
            scope.spawn(move || {
                let _membership = Membership::new(group, rank);
                let mut shard = shard(batch, rank, 2);
                if rank == 1 {
                    // A view that looks for a patch that is not there.
                    shard.plan.indices[0] = u32::MAX >> 8;
                }
                with_place(group, rank, 1.0, |place| {
                    Method::default().compute(model, &shard, &objective(config, loss), place)
                })
            })
        });
        assert!(second.join().is_err(), "nothing crashed");
        first.join().expect("the first replica is told")
    });
    let error = outcome.err().expect("an error").to_string();
    assert!(error.contains("replica 1"), "{error}");
}
