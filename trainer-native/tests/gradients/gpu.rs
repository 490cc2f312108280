//! Gradients on Burn's wgpu backend, over whatever Vulkan adapter there is: the layers made of tensor
//! operations, which the CPU leaves to fused ones, and draws made on a device.

use burn::tensor::{Device, DeviceType};
use trainer_native::train::{HostCollective, Method, Place, replicate};

use super::left_out::missing;
use super::setup::{SEED, alone, assert_close, batch, config, loss, network, objective};

/// The adapter, or a line that says there is none.
fn adapter() -> Option<Device> {
    let found = Device::enumerate(DeviceType::Wgpu).into_vec().into_iter().next();
    if found.is_none() {
        missing(
            "no Vulkan adapter: gradients were not computed on wgpu. `cargo xtask setup` installs a software \
             one where it can",
        );
    }
    found.map(Device::autodiff)
}

/// Backbones in pieces whose layers are computed again.
fn cut() -> Method {
    Method { micro_batch: 3, recompute: true, ..Method::default() }
}

#[test]
fn a_gpu_backend_gives_the_gradients_of_the_processor() {
    let Some(device) = adapter() else { return };
    for backbone in ["vit", "swin"] {
        let config = config(backbone, 0.0);
        let (model, batch) = (network(&config), batch(&config, 1));
        let expected = alone(Method::default(), &model, &batch, &config);
        let there = replicate(&model, &config, &device).unwrap();
        let (loss, group) = (loss(), HostCollective::new(1));
        let place = Place { device: &device, collective: &group, rank: 0, seed: SEED, scale: 1.0 };
        for method in [Method::default(), cut()] {
            let found = method.compute(&there, &batch, &objective(&config, &loss), &place).unwrap();
            assert!((found.loss - expected.loss).abs() < 1e-4 * expected.loss, "{method:?}");
            assert_close(&model, &found.gradients, &expected.gradients, 1e-3);
        }
    }
}

/// A device that queues its operations must draw the same masks when a piece runs again.
#[test]
fn a_gpu_backend_drops_the_same_when_a_piece_runs_again() {
    let Some(device) = adapter() else { return };
    for backbone in ["vit", "swin"] {
        let config = config(backbone, 0.3);
        let batch = batch(&config, 2);
        let model = replicate(&network(&config), &config, &device).unwrap();
        let (loss, group) = (loss(), HostCollective::new(1));
        let place = Place { device: &device, collective: &group, rank: 0, seed: SEED, scale: 1.0 };
        let objective = objective(&config, &loss);
        let whole = cut().compute_whole(&model, &batch, &objective, &place);
        let again = cut().compute(&model, &batch, &objective, &place).unwrap();
        assert!((again.loss - whole.loss).abs() < 1e-4 * whole.loss, "{backbone}");
        assert_close(&model, &again.gradients, &whole.gradients, 1e-3);
    }
}
