use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn photo(width: usize, height: usize) -> RgbImage {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    RgbImage::from_raw(width, height, (0..width * height * 3).map(|_| rng.random()).collect())
        .unwrap()
}

/// Soft blobs: an image on which interpolation errors stay small.
fn smooth(width: usize, height: usize) -> RgbImage {
    let wave = |t: f64, f: f64| ((t * f).sin() * 100.0 + 128.0) as u8;
    let data = (0..width * height).flat_map(|index| {
        let (x, y) = ((index % width) as f64, (index / width) as f64);
        [wave(x + y, 0.11), wave(x - y, 0.07), wave(y, 0.13)]
    });
    RgbImage::from_raw(width, height, data.collect()).unwrap()
}

fn plain() -> Preprocess {
    Preprocess { resolution: 24, mean: [0.0; 3], std: [1.0 / 255.0; 3] }
}

fn off() -> ImageAugmentation {
    ImageAugmentation { crop: [1.0, 1.0], flip: 0.0, ..Default::default() }
}

fn everything() -> ImageAugmentation {
    ImageAugmentation {
        crop: [0.6, 1.0],
        flip: 0.5,
        rotation_degrees: 20.0,
        scale_out: 1.4,
        warp: 0.1,
        brightness: 0.3,
        contrast: 0.3,
        saturation: 0.3,
        hue_degrees: 15.0,
        grayscale: 0.2,
        blur: 0.5,
        background: 1.0,
        erase: 0.5,
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn switched_off_it_is_evaluation() {
    let (image, pre) = (photo(31, 45), Preprocess::new(24));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    assert_eq!(off().train(&pre, &image, &mut rng), pre.evaluate(&image));
}

#[test]
fn official_recipe_is_crop_then_resize_then_mirror() {
    let (image, pre) = (photo(37, 53), Preprocess::new(24));
    let mut mirrored = 0;
    for seed in 0..50 {
        let view =
            ImageAugmentation::default().train(&pre, &image, &mut ChaCha8Rng::seed_from_u64(seed));
        // The same draws by hand: ratio, top, left, mirror.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || rng.random::<f64>();
        let ratio = 0.6 + 0.4 * draw();
        let (height, width) = ((53.0 * ratio) as usize, (37.0 * ratio) as usize);
        let top = (draw() * (53 - height) as f64) as usize;
        let left = (draw() * (37 - width) as f64) as usize;
        let crop: Vec<u8> = (top..top + height)
            .flat_map(|y| image.data()[(y * 37 + left) * 3..][..width * 3].to_vec())
            .collect();
        let mut wanted = pre.evaluate(&RgbImage::from_raw(width, height, crop).unwrap());
        if draw() < 0.5 {
            mirrored += 1;
            wanted.chunks_exact_mut(24).for_each(<[f32]>::reverse);
        }
        assert!(largest_difference(&view, &wanted) < 1e-5, "seed {seed}");
    }
    assert!((10..40).contains(&mirrored));
}

#[test]
fn crop_geometry_stays_in_range_and_reaches_its_ends() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut ratios = Vec::new();
    for _ in 0..20_000 {
        let ratio = uniform(0.6, 1.0, &mut rng);
        let (start, length) = crop_side(100, ratio, &mut rng);
        assert!((60..100).contains(&length) && start < 100 - length);
        ratios.push((start as f64 / (100 - length) as f64, length));
    }
    assert!(ratios.iter().any(|r| r.1 == 60) && ratios.iter().any(|r| r.1 == 99));
    let mean = ratios.iter().map(|r| r.1 as f64).sum::<f64>() / 20_000.0;
    assert!((mean - 79.5).abs() < 0.5, "{mean}");
    assert_eq!(crop_side(1, 0.7, &mut rng), (0, 1));
}

#[test]
fn one_pixel_is_enough() {
    let image = RgbImage::from_rgba(1, 1, &[200, 100, 50, 128]).unwrap();
    let view = everything().train(&plain(), &image, &mut ChaCha8Rng::seed_from_u64(3));
    assert!(view.iter().all(|value| value.is_finite()));
}

#[test]
fn a_seed_fixes_the_view_and_another_changes_it() {
    let (image, pre) = (photo(40, 40), Preprocess::new(24));
    let view = |seed| everything().train(&pre, &image, &mut ChaCha8Rng::seed_from_u64(seed));
    assert_eq!(view(5), view(5));
    assert!(largest_difference(&view(5), &view(6)) > 0.1);
}

#[test]
fn rotated_sampling_agrees_with_the_separable_path() {
    let image = smooth(50, 38);
    let mut view = off().draw_view(&image, &mut ChaCha8Rng::seed_from_u64(0));
    (view.left, view.top, view.width, view.height) = (-4.3, -7.1, 61.0, 52.0);
    for mirrored in [false, true] {
        view.mirrored = mirrored;
        let fast = view.sample::<3>(image.data(), &image, 24);
        let slow = view.sample_freely::<3>(image.data(), 50, 24);
        assert!(largest_difference(&fast, &slow) < 1e-2);
    }
}

#[test]
fn a_warp_of_equal_shifts_moves_the_view() {
    let image = smooth(64, 64);
    let mut view = off().draw_view(&image, &mut ChaCha8Rng::seed_from_u64(0));
    (view.left, view.top, view.width, view.height) = (16.0, 16.0, 32.0, 32.0);
    (view.columns, view.rows) = (0..64, 0..64);
    view.warp = Some(super::warp::Warp::constant([0.25, -0.125]));
    let bent = view.sample::<3>(image.data(), &image, 16);
    view.warp = None;
    (view.left, view.top) = (24.0, 12.0);
    let moved = view.sample::<3>(image.data(), &image, 16);
    assert!(largest_difference(&bent, &moved) < 1e-2);
}

#[test]
fn a_quarter_turn_turns_the_image() {
    let image = smooth(48, 48);
    let mut view = off().draw_view(&image, &mut ChaCha8Rng::seed_from_u64(0));
    let straight = view.sample::<3>(image.data(), &image, 24);
    view.radians = std::f64::consts::FRAC_PI_2;
    let turned = view.sample::<3>(image.data(), &image, 24);
    // Output (row, column) reads the source at (column, side - 1 - row).
    for (index, value) in turned.iter().enumerate() {
        let (channel, row, column) = (index / 576, index / 24 % 24, index % 24);
        let wanted = straight[channel * 576 + column * 24 + 23 - row];
        assert!((value - wanted).abs() < 1e-2, "{index}");
    }
}

#[test]
fn zooming_out_shrinks_and_repeats_the_border() {
    // A black square with a white border line: shrunk, there is more white.
    let data = (0..20 * 20).flat_map(|index| {
        let (x, y) = (index % 20, index / 20);
        [if x % 19 == 0 || y % 19 == 0 { 255 } else { 0 }; 3]
    });
    let image = RgbImage::from_raw(20, 20, data.collect()).unwrap();
    let sum = |augmentation: &ImageAugmentation, seed| {
        let view = augmentation.train(&plain(), &image, &mut ChaCha8Rng::seed_from_u64(seed));
        view.iter().sum::<f32>() / view.len() as f32
    };
    let out = ImageAugmentation { scale_out: 2.0, ..off() };
    let mean = (0..40).map(|seed| sum(&out, seed)).sum::<f32>() / 40.0;
    assert!(mean > sum(&off(), 0) + 50.0, "{mean}");
}

#[test]
fn colour_changes_do_what_they_say() {
    let image = smooth(24, 24);
    let pixels = |augmentation: ImageAugmentation, seed| {
        augmentation.train(&plain(), &image, &mut ChaCha8Rng::seed_from_u64(seed))
    };
    let before = pixels(off(), 0);
    let gray = pixels(ImageAugmentation { grayscale: 1.0, ..off() }, 0);
    for index in 0..576 {
        let luma =
            0.299 * before[index] + 0.587 * before[576 + index] + 0.114 * before[1152 + index];
        for channel in 0..3 {
            assert!((gray[channel * 576 + index] - luma).abs() < 1e-2);
        }
    }
    // A hue turn keeps every pixel's mean; pixels are inside 28..228, turned by
    // 10 degrees at most none is clamped.
    let hue = pixels(ImageAugmentation { hue_degrees: 10.0, ..off() }, 4);
    let mean = |view: &[f32], index| view[index] + view[576 + index] + view[1152 + index];
    assert!(largest_difference(&before, &hue) > 1.0);
    for index in 0..576 {
        assert!((mean(&before, index) - mean(&hue, index)).abs() < 1e-2);
    }
    // A full turn is no turn: the matrix is a rotation.
    let mut map = ColourMap::identity(&before);
    (0..3).for_each(|_| map.hue(std::f32::consts::TAU / 3.0));
    let mut turned = before.clone();
    map.apply(&mut turned);
    assert!(largest_difference(&before, &turned) < 1e-2);

    let mut map = ColourMap::identity(&before);
    map.brightness(0.5);
    map.contrast(0.0);
    let mut flat = before.clone();
    map.apply(&mut flat);
    let luma =
        |index| 0.299 * before[index] + 0.587 * before[576 + index] + 0.114 * before[1152 + index];
    let wanted = 0.5 * (0..576).map(luma).sum::<f32>() / 576.0;
    assert!(flat.iter().all(|value| (value - wanted).abs() < 0.1));

    for seed in 0..20 {
        let wild = ImageAugmentation { brightness: 1.0, contrast: 1.0, saturation: 1.0, ..off() };
        assert!(pixels(wild, seed).iter().all(|value| (-1e-3..=255.001).contains(value)));
    }
}

#[test]
fn blur_spreads_a_dot_and_keeps_the_sum() {
    let mut planes = vec![0.0; 3 * 21 * 21];
    planes[10 * 21 + 10] = 100.0;
    colour::blur(&mut planes, 21, 1.0);
    assert!((planes.iter().sum::<f32>() - 100.0).abs() < 1e-3);
    assert!((planes[10 * 21 + 10] - 15.9).abs() < 0.3, "{}", planes[10 * 21 + 10]);
    assert!((planes[10 * 21 + 11] - planes[11 * 21 + 10]).abs() < 1e-5);
    assert!(planes[441..].iter().all(|&value| value == 0.0));
    let mut constant = vec![7.0; 3 * 4 * 4];
    colour::blur(&mut constant, 4, 1.5);
    assert!(constant.iter().all(|value| (value - 7.0).abs() < 1e-5));
}

#[test]
fn transparent_images_get_a_random_background() {
    let rgba: Vec<u8> = (0..16).flat_map(|i| [9, 99, 199, if i < 8 { 0 } else { 255 }]).collect();
    let image = RgbImage::from_rgba(4, 4, &rgba).unwrap();
    let pre = Preprocess { resolution: 4, ..plain() };
    let augmentation = ImageAugmentation { background: 1.0, ..off() };
    let view = augmentation.train(&pre, &image, &mut ChaCha8Rng::seed_from_u64(1));
    assert!((view[0] - view[7]).abs() < 1e-3 && view[0] < 254.0);
    for (channel, wanted) in [9.0, 99.0, 199.0].into_iter().enumerate() {
        assert!((view[channel * 16 + 12] - wanted).abs() < 1e-3);
    }
    let opaque = photo(4, 4);
    let kept = augmentation.train(&pre, &opaque, &mut ChaCha8Rng::seed_from_u64(1));
    assert_eq!(kept, pre.evaluate(&opaque));
}

#[test]
fn erasing_zeroes_one_rectangle_of_the_promised_size() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for _ in 0..200 {
        let mut planes = vec![1.0; 3 * 32 * 32];
        erase(&mut planes, 32, &mut rng);
        let erased: Vec<usize> = (0..1024).filter(|&index| planes[index] == 0.0).collect();
        assert!((10..=225).contains(&erased.len()), "{}", erased.len());
        let columns = erased.iter().map(|index| index % 32);
        let (left, right) = (columns.clone().min().unwrap(), columns.max().unwrap());
        let (top, bottom) = (erased[0] / 32, erased[erased.len() - 1] / 32);
        assert_eq!(erased.len(), (right - left + 1) * (bottom - top + 1));
        assert_eq!(planes[..1024], planes[2048..]);
    }
}

#[test]
fn impossible_values_are_named() {
    everything().validate().unwrap();
    ImageAugmentation::default().validate().unwrap();
    let json = serde_json::to_string(&everything()).unwrap();
    assert_eq!(serde_json::from_str::<ImageAugmentation>(&json).unwrap(), everything());
    assert!(serde_json::from_str::<ImageAugmentation>("{\"crops\": [0.6, 1.0]}").is_err());
    let message =
        |augmentation: ImageAugmentation| augmentation.validate().unwrap_err().to_string();
    assert!(message(ImageAugmentation { crop: [0.0, 1.0], ..off() }).contains("crop"));
    assert!(message(ImageAugmentation { flip: 1.5, ..off() }).contains("flip"));
    assert!(message(ImageAugmentation { erase: f64::NAN, ..off() }).contains("erase"));
    assert!(message(ImageAugmentation { hue_degrees: -1.0, ..off() }).contains("hue_degrees"));
    // Even unvalidated nonsense must not panic.
    let broken = ImageAugmentation { crop: [7.0, -3.0], flip: f64::NAN, ..everything() };
    broken.train(&plain(), &photo(5, 5), &mut ChaCha8Rng::seed_from_u64(0));
}

#[allow(clippy::disallowed_macros)]
#[test]
fn fast_enough_for_training() {
    let (image, pre) = (photo(128, 128), Preprocess::new(64));
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let started = std::time::Instant::now();
    for _ in 0..300 {
        std::hint::black_box(everything().train(&pre, &image, &mut rng));
    }
    let rate = 300.0 / started.elapsed().as_secs_f64();
    println!("{rate:.0} views of 64 x 64 a second, everything on");
    // Far below what one free core does (see `println`): machines are shared.
    assert!(rate > 200.0, "{rate:.0}");
}
