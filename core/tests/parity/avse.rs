//! The whole model: evaluation, and one training step with every gradient.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Gradients, Tensor};

use avse_core::AvseModel;
use avse_core::config::{ImageBackboneConfig, ModelConfig, PoolingConfig};
use avse_core::image::sampling::{
    Grid, RadialBiasSampling, ViewPlan, nearest, size_augmentation_from,
};
use avse_core::loss::{Negatives, Regulariser, TripletLoss};
use avse_core::pooling::TokenMask;
use avse_core::similarity::reference::l2_normalise;
use avse_core::weights::{Naming, state_dict_of};

use super::compare::{SCORE, TOWER, values};
use super::comparisons::largest;
use super::devices::{Run, on_each_device};
use super::fixture::Fixture;

/// Losses are sums of many terms: compared relative to their size.
const LOSS_RELATIVE: f64 = 1e-5;
/// Gradients whose true value is zero, see the fixtures' README.
const ZERO_GRADIENT: f64 = 1e-3;

/// The model configuration that a whole-model fixture was made with.
pub fn config(fixture: &Fixture) -> ModelConfig {
    let json = &fixture.json["config"];
    let size = |key: &str| json[key].as_u64().unwrap_or_else(|| panic!("config.{key}")) as usize;
    let mut vit = json["vit"].clone();
    vit["model_type"] = "vit".into();
    let mut text = json["bert"].clone();
    text["hidden_dropout_prob"] = 0.0.into();
    text["attention_probs_dropout_prob"] = 0.0.into();
    let gpo = &json["gpo"];
    ModelConfig {
        embed_size: size("embed_size"),
        block_size: size("block_dim"),
        image_size: size("img_res"),
        sampling: RadialBiasSampling {
            views: size("n_group"),
            alpha: json["alpha"].as_f64().unwrap(),
            ..Default::default()
        },
        pooling: PoolingConfig {
            position_size: gpo["d_pe"].as_u64().unwrap() as usize,
            hidden_size: gpo["d_hidden"].as_u64().unwrap() as usize,
            temperature: gpo["temperature"].as_f64().unwrap(),
        },
        image: serde_json::from_value::<ImageBackboneConfig>(vit).unwrap(),
        text: serde_json::from_value(text).unwrap(),
        text_dropout: 0.0,
    }
}

fn recorded_plan(fixture: &Fixture) -> ViewPlan {
    let (indices, shape) = fixture.i64("sampled_indices");
    let indices = indices.into_iter().map(|i| i as u32).collect();
    ViewPlan::from_indices(shape[0], shape[1], shape[2], indices).unwrap()
}

#[test]
fn evaluation() {
    on_each_device(|run| {
        let device = &run.device;
        let fixture = Fixture::open("avse_eval");
        let config = config(&fixture);
        let model = fixture.load(AvseModel::new(&config, device).unwrap(), Naming::OFFICIAL);
        let plan = recorded_plan(&fixture);
        let pixels = fixture.tensor_on::<4>("pixels", device);

        let tokens = model.image.view_tokens(pixels.clone(), &plan);
        for view in 0..config.sampling.views {
            let rows = view_rows(tokens.clone(), plan.batch, view);
            let [batch, length, _] = rows.dims();
            run.close(&fixture, &format!("view{view}.encoder"), rows.clone(), TOWER);
            let mask = TokenMask::full(batch, length);
            let projected = model.image.head.projection.forward(rows.clone());
            run.close(&fixture, &format!("view{view}.fc"), projected, TOWER);
            let weights = model.image.head.pooling.weights(&mask, device).unsqueeze_dim::<3>(2);
            run.embedding(&fixture, &format!("view{view}.pool_weights"), weights);
            let pooled = model.image.head.forward(rows, &mask);
            run.embedding(&fixture, &format!("view{view}.pooled"), pooled);
        }
        let images = model.encode_images(pixels, &plan);
        run.embedding(&fixture, "img_emb", images.clone());

        let ids = fixture.ids_on("input_ids", device);
        let lengths = fixture.sizes("lengths");
        let states = model.text.bert.forward(ids.clone(), &lengths);
        run.close(&fixture, "bert_last_hidden", states.clone(), TOWER);
        let features = model.text.features(states);
        run.close(&fixture, "txt_features", features.clone(), TOWER);
        let mask = TokenMask::from_lengths(&lengths, ids.dims()[1]);
        let pooled = model.text.pooling.forward(features, &mask);
        run.close(&fixture, "txt_pooled", pooled, TOWER);
        let captions = model.encode_captions(ids, &lengths);
        run.embedding(&fixture, "cap_emb", captions.clone());
        run.close(&fixture, "sims", AvseModel::similarity(images, captions, &config), SCORE);
    });
}

#[test]
fn sampled_patches() {
    for name in ["avse_eval", "avse_train"] {
        let fixture = Fixture::open(name);
        let config = config(&fixture);
        let grid = Grid { side: config.image.grid_side(config.image_size), class_token: true };
        let plan = recorded_plan(&fixture);
        assert_eq!(plan.kept, config.sampling.kept(grid, name == "avse_train"), "{name}: kept");
        let centres = fixture.sizes("center_indices");
        let unique = fixture.sizes("sampled_set_unique");
        let distance = |a: usize, b: usize| {
            let d = |a: usize, b: usize| a.abs_diff(b).pow(2);
            d(a / grid.side, b / grid.side) + d(a % grid.side, b % grid.side)
        };
        for (view, recorded) in plan.indices.chunks(plan.kept).enumerate() {
            let centre = centres[view];
            let mut ours = nearest(grid.side, centre, plan.kept);
            let mut theirs = recorded.to_vec();
            let key = |patch: &u32| distance(*patch as usize, centre);
            // The multiset of distances is always determined, the set where nothing ties at the cut.
            let mut a: Vec<_> = ours.iter().map(key).collect();
            let mut b: Vec<_> = theirs.iter().map(key).collect();
            a.sort_unstable();
            b.sort_unstable();
            assert_eq!(a, b, "{name}: distances of view {view}");
            if unique[view] == 1 {
                ours.sort_unstable();
                theirs.sort_unstable();
                assert_eq!(ours, theirs, "{name}: patches of view {view}");
            }
        }
    }
}

#[test]
fn training_step() {
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
            (0..plan.views).map(|view| fixture.tensor_on(&format!("view{view}.fc"), device));
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

#[test]
fn size_augmentation() {
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

/// Replaces every parameter by its gradient, zero where it has none.
struct GradientsAsWeights<'a> {
    gradients: &'a Gradients,
}

impl ModuleMapper for GradientsAsWeights<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradients = self.gradients;
        param.map(|tensor| match tensor.grad(gradients) {
            Some(gradient) => gradient,
            None => tensor.inner().zeros_like(),
        })
    }
}

fn scalar(run: &Run, fixture: &Fixture, name: &str, actual: Tensor<1>) {
    let expected = f64::from(fixture.f32(name).0[0]);
    let error = (actual.into_scalar::<f64>() - expected).abs() / expected.abs().max(1.0);
    run.comparisons.add(name, error, LOSS_RELATIVE);
}

/// `[B * V, T, D] -> [B, T, D]` of one view.
fn view_rows(tokens: Tensor<3>, batch: usize, view: usize) -> Tensor<3> {
    let [rows, length, width] = tokens.dims();
    let views = rows / batch;
    tokens.reshape([batch, views, length, width]).narrow(1, view, 1).reshape([batch, length, width])
}
