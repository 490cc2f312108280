//! Gradients on GPU backends, wgpu over whatever Vulkan adapter there is and CUDA: the layers made of tensor
//! operations, which the CPU leaves to fused ones, and draws made on a device.

use burn::tensor::Device;
use trainer_native::train::{Factor, HostCollective, Method, Place, replicate};

use super::comparisons::{Comparisons, assert_none};
use super::gpus::gpus;
use super::setup::{Check, SEED, alone, batch, config, loss, network, objective};

/// Largest relative difference of a tensor's gradient.
const LIMIT: f64 = 1e-4;

/// Runs `test` on each of them, and asserts at the end what it compared.
fn on_each_gpu(name: &str, test: impl Fn(&Device, &Comparisons)) {
    let mut failures = Vec::new();
    for (backend, device) in gpus() {
        let comparisons = Comparisons::new(name, backend);
        test(&device.autodiff(), &comparisons);
        failures.extend(comparisons.failures());
    }
    assert_none(failures);
}

/// The one place of a step on this device.
fn place<'a>(device: &'a Device, group: &'a HostCollective) -> Place<'a> {
    Place { device, collective: group, rank: 0, seed: SEED, scale: Factor::Number(1.0) }
}

/// Backbones in pieces whose layers are computed again.
fn cut() -> Method {
    Method { micro_batch: 3, recompute: true, ..Method::default() }
}

pub fn a_gpu_backend_gives_the_gradients_of_the_processor() {
    on_each_gpu("gradients of the processor", |device, comparisons| {
        for backbone in ["vit", "swin"] {
            let config = config(backbone, 0.0);
            let (model, batch) = (network(&config), batch(&config, 1));
            let expected = alone(Method::default(), &model, &batch, &config);
            let there = replicate(&model, &config, device).unwrap();
            let (loss, group) = (loss(), HostCollective::new(1));
            let place = place(device, &group);
            for (how, method) in [("whole", Method::default()), ("cut", cut())] {
                let objective = objective(&config, &loss);
                let found = method.compute(&there, &batch, &objective, &place).unwrap();
                let case = format!("{backbone}, {how}");
                let check = Check { comparisons, case, limit: LIMIT };
                check.loss(found.loss, expected.loss, 1e-5);
                check.gradients(&model, &found.gradients, &expected.gradients);
            }
        }
    });
}

/// A device that queues its operations must draw the same masks when a piece runs again.
pub fn a_gpu_backend_drops_the_same_when_a_piece_runs_again() {
    on_each_gpu("dropout again", |device, comparisons| {
        for backbone in ["vit", "swin"] {
            let config = config(backbone, 0.3);
            let batch = batch(&config, 2);
            let model = replicate(&network(&config), &config, device).unwrap();
            let (loss, group) = (loss(), HostCollective::new(1));
            let place = place(device, &group);
            let objective = objective(&config, &loss);
            let whole = cut().compute_whole(&model, &batch, &objective, &place);
            let again = cut().compute(&model, &batch, &objective, &place).unwrap();
            let check = Check { comparisons, case: backbone.into(), limit: LIMIT };
            check.loss(again.loss, whole.loss, 1e-5);
            check.gradients(&model, &again.gradients, &whole.gradients);
        }
    });
}
