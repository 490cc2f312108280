//! The whole model: configuration, evaluation, sampled patches.

use burn::tensor::Tensor;

use avse_core::AvseModel;
use avse_core::config::{ImageBackboneConfig, ModelConfig, PoolingConfig};
use avse_core::image::sampling::{Grid, RadialBiasSampling, ViewPlan, nearest};
use avse_core::pooling::TokenMask;
use avse_core::weights::Naming;

use super::compare::{SCORE, TOWER};
use super::devices::on_each_device;
use super::fixture::Fixture;

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

/// The patches that the official code kept in each view.
pub fn recorded_plan(fixture: &Fixture) -> ViewPlan {
    let (indices, shape) = fixture.i64("sampled_indices");
    let indices = indices.into_iter().map(|i| i as u32).collect();
    ViewPlan::from_indices(shape[0], shape[1], shape[2], indices).unwrap()
}

pub fn evaluation() {
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

pub fn sampled_patches() {
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

/// `[B * V, T, D] -> [B, T, D]` of one view.
fn view_rows(tokens: Tensor<3>, batch: usize, view: usize) -> Tensor<3> {
    let [rows, length, width] = tokens.dims();
    let views = rows / batch;
    tokens.reshape([batch, views, length, width]).narrow(1, view, 1).reshape([batch, length, width])
}
