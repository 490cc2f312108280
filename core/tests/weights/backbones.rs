//! Backbones from Hugging Face files.

use std::path::Path;

use avse_core::AvseModel;
use avse_core::config::{ImageBackboneConfig, ResNetConfig, ResNetLayerType};
use avse_core::image::{ResNet, Swin, Vit};
use avse_core::text::Bert;
use avse_core::weights::{Naming, StateDict, load_into, state_dict_of};
use burn::tensor::{Device, Tensor, TensorData};

use super::{assert_same, bert, model_config, swin, vit};

fn resnet(layer_type: ResNetLayerType) -> ResNetConfig {
    ResNetConfig {
        embedding_size: 4,
        hidden_sizes: vec![8, 12],
        depths: vec![1, 2],
        layer_type,
        ..Default::default()
    }
}

#[test]
fn backbones_load_from_classifiers_and_bare_files() {
    let device = Device::flex();
    let swin_model = AvseModel::new(&model_config(ImageBackboneConfig::Swin(swin())), &device);
    state_dict_of(&swin_model.unwrap(), Naming::OFFICIAL).unwrap();

    let weights = state_dict_of(&Vit::new(&vit(), &device), Naming::VIT).unwrap();
    let mut wrapped = weights.clone().renamed(|name| Some(format!("vit.{name}")));
    wrapped.insert("classifier.weight", TensorData::zeros::<f32, _>([5, 12]));
    wrapped.insert("vit.pooler.dense.weight", TensorData::zeros::<f32, _>([12, 12]));
    for (file, unused) in [(weights.clone(), 0), (wrapped, 2)] {
        let (loaded, report) = load_into(Vit::new(&vit(), &device), file, Naming::VIT).unwrap();
        assert_same(&weights, &state_dict_of(&loaded, Naming::VIT).unwrap());
        assert_eq!(report.unused.len(), unused);
    }

    let weights = state_dict_of(&Swin::new(&swin(), &device), Naming::SWIN).unwrap();
    let mut wrapped = weights.clone().renamed(|name| Some(format!("swin.{name}")));
    let index = "swin.encoder.layers.1.blocks.0.attention.self.relative_position_index";
    wrapped.insert(index, TensorData::zeros::<i64, _>([16, 16]));
    wrapped.insert("classifier.bias", TensorData::zeros::<f32, _>([5]));
    let (loaded, report) = load_into(Swin::new(&swin(), &device), wrapped, Naming::SWIN).unwrap();
    assert_same(&weights, &state_dict_of(&loaded, Naming::SWIN).unwrap());
    assert_eq!(report.unused.len(), 2);

    // The first BERT files spell their layer norms gamma and beta.
    let weights = state_dict_of(&Bert::new(&bert(), &device), Naming::BERT).unwrap();
    let mut old = weights.clone().renamed(|name| {
        let name = name.replace("LayerNorm.weight", "LayerNorm.gamma");
        Some(format!("bert.{}", name.replace("LayerNorm.bias", "LayerNorm.beta")))
    });
    assert!(old.get("bert.embeddings.LayerNorm.gamma").is_some());
    for name in ["cls.predictions.bias", "cls.predictions.transform.LayerNorm.gamma"] {
        old.insert(name, TensorData::zeros::<f32, _>([8]));
    }
    let (loaded, report) = load_into(Bert::new(&bert(), &device), old, Naming::BERT).unwrap();
    assert_same(&weights, &state_dict_of(&loaded, Naming::BERT).unwrap());
    assert_eq!(report.unused.len(), 2);
}

#[test]
fn residual_networks_are_named_as_in_hugging_face_files() {
    let device = Device::flex();
    for (kind, tensors) in [(ResNetLayerType::Basic, 45), (ResNetLayerType::Bottleneck, 60)] {
        let network = || ResNet::new(&resnet(kind), &device);
        let weights = state_dict_of(&network(), Naming::RESNET).unwrap();
        assert_eq!(weights.len(), tensors);
        for (name, shape) in [
            ("embedder.embedder.convolution.weight", vec![4, 3, 7, 7]),
            ("embedder.embedder.normalization.running_mean", vec![4]),
            (
                "encoder.stages.1.layers.1.layer.1.convolution.weight",
                match kind {
                    ResNetLayerType::Basic => vec![12, 12, 3, 3],
                    ResNetLayerType::Bottleneck => vec![3, 3, 3, 3],
                },
            ),
            ("encoder.stages.1.layers.0.shortcut.normalization.bias", vec![12]),
        ] {
            assert_eq!(weights.get(name).unwrap().shape().to_vec(), shape, "{name}");
        }
        let mut wrapped = weights.clone().renamed(|name| Some(format!("resnet.{name}")));
        let counter = "resnet.encoder.stages.0.layers.0.layer.0.normalization.num_batches_tracked";
        wrapped.insert(counter, TensorData::zeros::<i64, _>([1]));
        wrapped.insert("classifier.1.weight", TensorData::zeros::<f32, _>([5, 12]));
        let (loaded, report) = load_into(network(), wrapped, Naming::RESNET).unwrap();
        assert_same(&weights, &state_dict_of(&loaded, Naming::RESNET).unwrap());
        assert_eq!(report.unused.len(), 2);
        let model =
            AvseModel::new(&model_config(ImageBackboneConfig::ResNet(resnet(kind))), &device);
        let model = model.unwrap();
        state_dict_of(&model, Naming::OFFICIAL).unwrap();
    }
}

/// Numbers of transformers' own `ResNetModel` (tests/README.md).
#[test]
fn residual_networks_compute_what_transformers_does() {
    let device = Device::flex();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/resnet");
    for (file, layer_type, early) in [
        ("basic", ResNetLayerType::Basic, false),
        ("bottleneck", ResNetLayerType::Bottleneck, false),
        ("bottleneck-early", ResNetLayerType::Bottleneck, true),
    ] {
        let path = folder.join(file).with_extension("safetensors");
        let recorded = StateDict::read_safetensors(&path).unwrap();
        let tensor = |name| recorded.get(name).unwrap().clone();
        let weights = recorded.clone().renamed(|name| name.strip_prefix("w.").map(str::to_owned));
        let config = ResNetConfig {
            downsample_in_first_stage: early,
            downsample_in_bottleneck: early,
            ..resnet(layer_type)
        };
        let network = ResNet::new(&config, &device);
        let (network, _) = load_into(network, weights, Naming::RESNET).unwrap();
        let tokens = network.forward(Tensor::from_data(tensor("in.pixels"), &device));
        let expected = Tensor::<4>::from_data(tensor("out.last_hidden_state"), &device);
        let expected = expected.flatten::<3>(2, 3).swap_dims(1, 2);
        assert_eq!(tokens.dims(), expected.dims(), "{file}");
        let difference = (tokens - expected).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-4, "{file}: {difference}");
    }
}
