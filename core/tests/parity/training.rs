//! One training step of the whole model, with every gradient.

use burn::module::Module;
use burn::tensor::Tensor;

use avse_core::AvseModel;
use avse_core::config::ModelConfig;
use avse_core::image::sampling::size_augmentation_from;
use avse_core::loss::{Negatives, Regulariser, TripletLoss};
use avse_core::pooling::TokenMask;
use avse_core::similarity::reference::l2_normalise;
use avse_core::weights::{Naming, state_dict_of};

use super::avse::{config, recorded_plan};
use super::compare::{TOWER, values};
use super::comparisons::largest;
use super::devices::{Run, on_each_device};
use super::fixture::Fixture;
use super::gradients::GradientsAsWeights;

/// Losses are sums of many terms: compared relative to their size.
const LOSS_RELATIVE: f64 = 1e-5;
/// Gradients whose true value is zero, see the fixtures' README.
const ZERO_GRADIENT: f64 = 1e-4;

pub fn training_step() {
    on_each_device(|run| {
        let device = &run.device.clone().autodiff();
        let fixture = Fixture::open("avse_train");
        let config = config(&fixture);
        let model = fixture.load(AvseModel::new(&config, device).unwrap(), Naming::OFFICIAL);
        let plan = recorded_plan(&fixture);
        let pixels = fixture.tensor_on::<4>("pixels", device);
        let ids = fixture.ids_on("input_ids", device);
        let lengths = fixture.sizes("lengths");

        run.embedding(&fixture, "img_emb", model.encode_images(pixels.clone(), &plan));
        run.embedding(&fixture, "cap_emb", model.encode_captions(ids.clone(), &lengths));

        // Batch norm: the running statistics after one step.
        for (name, value) in [
            ("bn_after.running_mean", model.text.mlp_norm.running_mean.value_sync()),
            ("bn_after.running_var", model.text.mlp_norm.running_var.value_sync()),
        ] {
            run.embedding(&fixture, name, value);
        }

        let images = model.image.view_tokens(pixels, &plan);
        let images = model.image.head.projection.forward(images);
        let recorded =
            (0..plan.views).map(|view| fixture.tensor_on::<3>(&format!("view{view}.fc"), device));
        let recorded = Tensor::stack::<4>(recorded.collect(), 1).reshape(images.dims());
        let images = run.sorted_as_recorded("view features", images, recorded);
        let [rows, length, width] = images.dims();
        let mask = TokenMask::full(rows, length);
        let images = l2_normalise(model.image.head.pooling.forward(images, &mask));
        let images = images.reshape([plan.batch, plan.views * width]);
        let captions = model.text.features(model.text.bert.forward(ids, &lengths));
        let recorded = fixture.tensor_on("txt_features", device);
        let captions = run.sorted_as_recorded("text features", captions, recorded);
        let mask = TokenMask::from_lengths(&lengths, captions.dims()[1]);
        let captions = model.text.norm.forward(model.text.pooling.forward(captions, &mask));

        let losses = Losses::new(&fixture, &config, images.clone(), captions.clone());
        let total = losses.hardest.clone() + losses.regulariser.clone();
        scalar(run, &fixture, "loss_triplet_sum", losses.all);
        scalar(run, &fixture, "loss_triplet_max", losses.hardest);
        scalar(run, &fixture, "loss_regulariser", losses.regulariser);
        scalar(run, &fixture, "loss_total_max", total.clone());

        let gradients = total.backward();
        let no_gradient = fixture.json["no_gradient"].as_array().unwrap();
        let mut of_module = GradientsAsWeights { gradients: &gradients };
        let named = state_dict_of(&model.map(&mut of_module), Naming::OFFICIAL).unwrap();
        let mut compared = 0;
        for (name, gradient) in named.iter() {
            if no_gradient.iter().any(|n| n == name) || name.contains(".running_") {
                continue;
            }
            let actual: Vec<f32> = gradient.clone().convert::<f32>().try_to_vec().unwrap();
            let recorded = format!("g.{name}");
            let (expected, shape) = fixture.f32(&recorded);
            assert_eq!(gradient.shape().to_vec(), shape, "{name}");
            if name.ends_with("key.bias") || name.ends_with("mlp.layers.0.bias") {
                run.comparisons.add(&recorded, largest(&actual, &expected), ZERO_GRADIENT);
            } else {
                run.gradient(&fixture, &recorded, &actual);
            }
            compared += 1;
        }
        let recorded = fixture.json["tensors"].as_object().unwrap();
        assert_eq!(compared, recorded.keys().filter(|k| k.starts_with("g.")).count());

        // Each loss's gradient at the embeddings.
        let leaf = |tensor: Tensor<2>| tensor.detach().require_grad();
        for part in ["triplet_max", "triplet_sum", "reg"] {
            let (images, captions) = (leaf(images.clone()), leaf(captions.clone()));
            let losses = Losses::new(&fixture, &config, images.clone(), captions.clone());
            let gradients = match part {
                "triplet_max" => losses.hardest,
                "triplet_sum" => losses.all,
                _ => losses.regulariser,
            }
            .backward();
            let compare = |name: String, tensor: &Tensor<2>| {
                run.gradient(&fixture, &name, &values(tensor.grad(&gradients).unwrap()));
            };
            compare(format!("gemb.{part}.img"), &images);
            if part != "reg" {
                compare(format!("gemb.{part}.cap"), &captions);
            }
        }
    });
}

pub fn size_augmentation() {
    on_each_device(|run| {
        let device = &run.device.clone().autodiff();
        let fixture = Fixture::open("avse_train");
        let config = config(&fixture);
        let model = fixture.load(AvseModel::new(&config, device).unwrap(), Naming::OFFICIAL);
        let mut plan = recorded_plan(&fixture);
        let (token_draws, _) = fixture.f32("aug.rand1");
        let (view_draws, _) = fixture.f32("aug.rand2");
        let tokens = plan.kept + 1;
        let mut keep = Vec::new();
        for image in 0..plan.batch {
            for view in 0..plan.views {
                let at = view * plan.batch + image;
                let draws: Vec<f64> =
                    token_draws[at * tokens..][..tokens].iter().map(|d| f64::from(*d)).collect();
                let ours = size_augmentation_from(f64::from(view_draws[at]), &draws);
                let recorded = &fixture.sizes(&format!("aug.view{view}.keep"))[image * tokens..];
                let recorded: Vec<bool> = recorded[..tokens].iter().map(|k| *k == 1).collect();
                assert_eq!(ours, recorded, "image {image}, view {view}");
                keep.extend(ours);
            }
        }
        plan.token_keep = Some(keep);
        let images = model.encode_images(fixture.tensor_on("pixels", device), &plan);
        run.embedding(&fixture, "aug.img_emb", images.clone());
        let lengths = fixture.sizes("lengths");
        let captions = model.encode_captions(fixture.ids_on("input_ids", device), &lengths);
        let losses = Losses::new(&fixture, &config, images, captions);
        scalar(run, &fixture, "aug.loss_total_max", losses.hardest + losses.regulariser);
    });
}

impl Run {
    /// Features before they are sorted: ours, with the recorded values. Of two that almost tie, the least rounding decides which comes
    /// first, and so which token gets which gradient; even two versions of PyTorch differ by 2e-4 for that alone.
    fn sorted_as_recorded(&self, name: &str, ours: Tensor<3>, recorded: Tensor<3>) -> Tensor<3> {
        let error = largest(&values(ours.clone()), &values(recorded.clone()));
        self.comparisons.add(name, error, TOWER);
        ours.clone() + (recorded - ours.detach())
    }
}

/// The parts of the loss at given embeddings.
struct Losses {
    all: Tensor<1>,
    hardest: Tensor<1>,
    regulariser: Tensor<1>,
}

impl Losses {
    fn new(
        fixture: &Fixture,
        config: &ModelConfig,
        images: Tensor<2>,
        captions: Tensor<2>,
    ) -> Self {
        let json = &fixture.json["config"];
        let scores = AvseModel::similarity(images.clone(), captions, config);
        let triplet = TripletLoss { margin: json["margin"].as_f64().unwrap() };
        let regulariser = Regulariser {
            off_diagonal: json["reg_offdiag_weight"].as_f64().unwrap(),
            ..Default::default()
        };
        Self {
            all: triplet.forward(scores.clone(), Negatives::All),
            hardest: triplet.forward(scores, Negatives::Hardest),
            regulariser: regulariser.forward(images, config.sampling.views),
        }
    }
}

fn scalar(run: &Run, fixture: &Fixture, name: &str, actual: Tensor<1>) {
    let expected = f64::from(fixture.f32(name).0[0]);
    let error = (actual.into_scalar::<f64>() - expected).abs() / expected.abs().max(1.0);
    run.comparisons.add(name, error, LOSS_RELATIVE);
}
