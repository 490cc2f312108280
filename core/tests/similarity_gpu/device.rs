//! Devices that come and go.

use avse_core::similarity::Direction::ImagesForCaption;
use avse_core::similarity::gpu::{GpuEngine, GpuOptions, Storage};
use avse_core::{Error, GpuFailure};

use super::setup::{Rows, block_on, engine};

#[test]
fn a_lost_device_is_an_error_and_a_new_engine_works() {
    let Some(lost) = engine(&GpuOptions::default()) else { return };
    let (images, captions) = (Rows::unit(1, 70, 8, 16), Rows::unit(2, 1, 4, 16));
    let search = |engine: &GpuEngine| {
        let gallery = block_on(engine.upload(images.blocks(), Storage::F32))?;
        block_on(engine.search(&gallery, captions.blocks(), ImagesForCaption, 3))
    };
    let before = search(&lost).unwrap();
    let gallery = block_on(lost.upload(images.blocks(), Storage::F32)).unwrap();
    assert_eq!(lost.lost(), None);
    lost.device().destroy();

    let is_lost = |error: Error| {
        let found = matches!(&error, Error::Gpu { failure: GpuFailure::Lost, .. });
        assert!(found, "{error}");
    };
    is_lost(block_on(lost.search(&gallery, captions.blocks(), ImagesForCaption, 3)).unwrap_err());
    is_lost(block_on(lost.upload(images.blocks(), Storage::F32)).unwrap_err());
    is_lost(block_on(lost.normalise(&images.values, images.shape)).unwrap_err());
    is_lost(
        block_on(lost.score_matrix(images.blocks(), captions.blocks(), Storage::F32)).unwrap_err(),
    );
    assert!(lost.lost().is_some());

    let fresh = engine(&GpuOptions::default()).unwrap();
    assert_eq!(search(&fresh).unwrap(), before);
}

/// As with Burn's device: its callbacks are not ours, so the loss shows in what it answers.
#[test]
fn a_shared_device_and_its_loss() {
    let Some(owner) = engine(&GpuOptions::default()) else { return };
    let (images, captions) = (Rows::unit(1, 20, 8, 16), Rows::unit(2, 1, 4, 16));
    let shared = owner.share(&GpuOptions::default());
    let gallery = block_on(owner.upload(images.blocks(), Storage::F32)).unwrap();
    let search = || block_on(shared.search(&gallery, captions.blocks(), ImagesForCaption, 3));
    let expected =
        block_on(owner.search(&gallery, captions.blocks(), ImagesForCaption, 3)).unwrap();
    assert_eq!(search().unwrap(), expected);
    owner.device().destroy();
    let error = search().unwrap_err();
    assert!(matches!(&error, Error::Gpu { failure: GpuFailure::Lost, .. }), "{error}");
}

#[test]
fn two_engines_at_once() {
    let Some(one) = engine(&GpuOptions::default()) else { return };
    let two = engine(&GpuOptions::default()).unwrap();
    let captions = Rows::unit(2, 2, 4, 16);
    let search = |engine: &GpuEngine, seed: u64| {
        let images = Rows::unit(seed, 300, 8, 16);
        let gallery = block_on(engine.upload(images.blocks(), Storage::F32)).unwrap();
        let search =
            || block_on(engine.search(&gallery, captions.blocks(), ImagesForCaption, 5)).unwrap();
        let first = search();
        (0..20).for_each(|_| assert_eq!(search(), first));
        first
    };
    let alone = [search(&one, 1), search(&one, 2)];
    let together = std::thread::scope(|scope| {
        let handles = [scope.spawn(|| search(&one, 1)), scope.spawn(|| search(&two, 2))];
        handles.map(|handle| handle.join().unwrap())
    });
    assert_eq!(together, alone);

    // Several threads on one engine.
    let together = std::thread::scope(|scope| {
        let handles = [scope.spawn(|| search(&one, 1)), scope.spawn(|| search(&one, 2))];
        handles.map(|handle| handle.join().unwrap())
    });
    assert_eq!(together, alone);

    let images = Rows::unit(1, 5, 8, 16);
    let foreign = block_on(one.upload(images.blocks(), Storage::F32)).unwrap();
    let error = block_on(two.search(&foreign, captions.blocks(), ImagesForCaption, 5)).unwrap_err();
    assert!(error.to_string().contains("another engine"), "{error}");
}
