//! Bundles as pages load them: 8-bit weights, and the text tower alone.

use avse_core::config::ImageBackboneConfig;
use avse_core::image::pixels::RgbImage;
use avse_core::text::tokenizer::CaptionTokenizer;
use avse_core::weights::{Bundle, BundleFiles, Manifest, Precision, StateDict, Towers, undrawn};
use avse_core::{Avse, AvseModel};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Device, Tensor};
use std::path::Path;

use super::{model_config, swin, vit};

/// A model with random weights as a bundle in `folder`.
fn write(folder: &Path, image: ImageBackboneConfig, precision: Precision) {
    let mut config = model_config(image);
    let letters: String = ('a'..='h').map(|letter| format!("{letter}\n##{letter}\n")).collect();
    let vocabulary = format!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n{letters}");
    let tokenizer = CaptionTokenizer::from_vocab(&vocabulary).unwrap();
    config.text.vocab_size = tokenizer.vocab_size();
    let model = AvseModel::new(&config, &Device::flex()).unwrap();
    Avse::new(config, model, tokenizer).unwrap().save(folder, precision).unwrap();
}

/// The same bundle with other towers or precision.
fn rewrite(from: &Path, to: &Path, precision: Precision, towers: Towers) -> Bundle {
    let bundle = Bundle::open(from).unwrap();
    let contents = avse_core::weights::BundleContents {
        config: &bundle.config().unwrap(),
        weights: &towers.select(bundle.weights().unwrap()),
        tokenizer: &bundle.tokenizer().unwrap(),
        precision,
        towers,
    };
    Bundle::write(to, contents).unwrap()
}

fn sentences(avse: &Avse) -> Vec<f32> {
    avse.encode_texts(&["a bad cab", "dead"]).into_data().try_to_vec().unwrap()
}

/// A bundle's files as a browser hands them over.
fn contents(folder: &Path) -> BundleFiles {
    let file = |name: &str| std::fs::read(folder.join(name)).unwrap();
    BundleFiles {
        manifest: file("manifest.json"),
        config: file("config.json"),
        weights: file("model.safetensors"),
        tokenizer: file("tokenizer.json"),
    }
}

/// Parameters that have been made.
#[derive(Default)]
struct Made(usize);

impl ModuleVisitor for Made {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 += usize::from(param.is_initialized());
    }
}

#[test]
fn an_int8_bundle_reads_as_floats() {
    let parent = tempfile::tempdir().unwrap();
    let (full, small) = (parent.path().join("full"), parent.path().join("small"));
    write(&full, ImageBackboneConfig::Vit(vit()), Precision::F32);
    let written = rewrite(&full, &small, Precision::Int8, Towers::Both);
    assert_eq!(written.manifest().precision, Precision::Int8);
    let json = std::fs::read_to_string(small.join("manifest.json")).unwrap();
    assert!(json.contains("\"precision\": \"int8\"") && !json.contains("towers"), "{json}");

    let (original, read) =
        (Bundle::open(&full).unwrap().weights().unwrap(), written.weights().unwrap());
    assert_eq!(original.names().collect::<Vec<_>>(), read.names().collect::<Vec<_>>());
    let mut changed = 0;
    for (name, data) in read.iter() {
        let before = original.get(name).unwrap();
        assert_eq!((data.dtype(), data.shape()), (DType::F32, before.shape()), "{name}");
        let pair = |data: &burn::tensor::TensorData| data.try_to_vec::<f32>().unwrap();
        let (before, after) = (pair(before), pair(data));
        let largest = before.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        for (a, b) in after.iter().zip(&before) {
            assert!((a - b).abs() <= largest / 127.0 * 0.50001, "{name}: {a} {b}");
            changed += usize::from(a != b);
        }
        if data.rank() == 1 {
            assert_eq!(before, after, "{name}");
        }
    }
    assert!(changed > 100, "{changed}");

    // The whole path from bytes, as in a browser.
    let (before, _) = Avse::load(&full, &Device::flex()).unwrap();
    let files = contents(&small);
    let (after, manifest) = Avse::from_files(files.verify().unwrap(), &Device::flex()).unwrap();
    assert_eq!(manifest, *written.manifest());
    let (before, after) = (sentences(&before), sentences(&after));
    let largest = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(largest > 0.0 && largest < 0.2, "{largest}");
}

#[test]
fn hashes_are_the_callers_where_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ImageBackboneConfig::Vit(vit()), Precision::F32);
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut files = contents(folder.path());
        change(&mut files.weights);
        files
    };
    let flip = |weights: &mut Vec<u8>| *weights.last_mut().unwrap() ^= 1;
    let cut = |weights: &mut Vec<u8>| weights.truncate(weights.len() - 1);
    assert!(changed(flip).verify().unwrap_err().to_string().contains("sha256"));
    changed(flip).hashed_by_caller().unwrap();
    // What costs nothing is checked all the same.
    let error = changed(cut).hashed_by_caller().unwrap_err().to_string();
    assert!(error.contains("model.safetensors"), "{error}");
}

#[test]
fn a_network_to_load_into_is_not_drawn() {
    /// Parameters that are not made yet.
    #[derive(Default)]
    struct Open(Vec<ParamId>);
    impl ModuleVisitor for Open {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !param.is_initialized() {
                self.0.push(param.id);
            }
        }
    }
    /// Of these, those with a number that is not zero.
    struct Drawn(Vec<ParamId>, usize);
    impl ModuleVisitor for Drawn {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().into_data().try_to_vec::<f32>().unwrap();
            let drawn = values.iter().any(|value| *value != 0.0);
            self.1 += usize::from(drawn && self.0.contains(&param.id));
        }
    }
    for image in [ImageBackboneConfig::Vit(vit()), ImageBackboneConfig::Swin(swin())] {
        let network = || AvseModel::new(&model_config(image.clone()), &Device::flex()).unwrap();
        let drawn = |model: &AvseModel, open: Vec<ParamId>| {
            let mut drawn = Drawn(open, 0);
            model.visit(&mut drawn);
            drawn.1
        };
        let (plain, mut open) = (network(), Open::default());
        plain.visit(&mut open);
        assert!(drawn(&plain, open.0) > 10);
        let (fresh, mut open) = (network(), Open::default());
        fresh.visit(&mut open);
        assert_eq!(drawn(&undrawn(fresh), open.0), 0);
    }
}

#[test]
fn scales_that_do_not_fit_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut weights = StateDict::new();
    weights.insert("m", burn::tensor::TensorData::new(vec![1i8, 2, 3, 4], [2, 2]));
    weights.insert("m.scale", burn::tensor::TensorData::new(vec![1f32], [1]));
    weights.write_safetensors(&path, Precision::F32).unwrap();
    let error = StateDict::read_safetensors(&path).unwrap_err().to_string();
    assert!(error.contains("model.safetensors") && error.contains("m.scale"), "{error}");
}

#[test]
fn a_text_bundle_makes_no_image_tower() {
    let parent = tempfile::tempdir().unwrap();
    let (full, text) = (parent.path().join("full"), parent.path().join("text"));
    for image in [ImageBackboneConfig::Vit(vit()), ImageBackboneConfig::Swin(swin())] {
        write(&full, image, Precision::F32);
        let written = rewrite(&full, &text, Precision::F32, Towers::Text);
        let names = written.weights().unwrap();
        assert!(names.names().all(|name| name.starts_with("txt_enc.")));
        let manifest = Manifest::read(&text).unwrap();
        assert_eq!(manifest.towers, Towers::Text);
        assert_ne!(manifest.fingerprint(), Manifest::read(&full).unwrap().fingerprint());

        let (whole, _) = Avse::load(&full, &Device::flex()).unwrap();
        let (alone, _) = Avse::load(&text, &Device::flex()).unwrap();
        assert_eq!(sentences(&whole), sentences(&alone));
        assert!(whole.has_image_tower() && whole.expect_image_tower().is_ok());
        assert!(!alone.has_image_tower());
        let message = alone.expect_image_tower().unwrap_err().to_string();
        assert!(message.contains("text alone"), "{message}");
        assert_eq!(whole.parameters(), whole.model.num_params());
        assert_eq!(alone.parameters(), alone.model.text.num_params());

        // Saved again it is the same, and nothing of this made an image weight.
        let again = parent.path().join("again");
        alone.save(&again, Precision::F32).unwrap();
        assert_eq!(Manifest::read(&again).unwrap().fingerprint(), manifest.fingerprint());
        let made = |module: &avse_core::image::ImageTower| {
            let mut made = Made::default();
            module.visit(&mut made);
            made.0
        };
        assert!(made(&whole.model.image) > 10);
        assert_eq!(made(&alone.model.image), 0);
    }
}

#[test]
#[should_panic(expected = "no image tower")]
fn a_text_bundle_gives_no_random_embeddings() {
    let parent = tempfile::tempdir().unwrap();
    let (full, text) = (parent.path().join("full"), parent.path().join("text"));
    write(&full, ImageBackboneConfig::Vit(vit()), Precision::F32);
    rewrite(&full, &text, Precision::F32, Towers::Text);
    let (alone, _) = Avse::load(&text, &Device::flex()).unwrap();
    alone.encode_images(&[RgbImage::from_gray(1, 1, &[0]).unwrap()]);
}

#[test]
fn a_whole_bundle_must_have_both_towers() {
    let parent = tempfile::tempdir().unwrap();
    let (full, text) = (parent.path().join("full"), parent.path().join("text"));
    write(&full, ImageBackboneConfig::Vit(vit()), Precision::F32);
    rewrite(&full, &text, Precision::F32, Towers::Text);
    let path = text.join("manifest.json");
    let json = std::fs::read_to_string(&path).unwrap();
    let list = json.find("  \"towers\"").unwrap()..json.find("  \"files\"").unwrap();
    let towers = |list: &str| {
        let range = json.find("  \"towers\"").unwrap()..json.find("  \"files\"").unwrap();
        format!("{}{list}{}", &json[..range.start], &json[range.end..])
    };
    assert!(!json[list].is_empty());
    std::fs::write(&path, towers("")).unwrap();
    let error = Avse::load(&text, &Device::flex()).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("missing: img_enc."), "{error}");
    std::fs::write(&path, towers("\"towers\": [\"image\"],")).unwrap();
    let error = Avse::load(&text, &Device::flex()).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("manifest.json") && error.contains("towers"), "{error}");
}
