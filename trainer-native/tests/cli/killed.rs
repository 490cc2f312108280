//! `avse index` killed at random moments.

use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::support::{Fixture, avse, command};

/// Runs that are killed.
const KILLS: u32 = 40;
const BASE: usize = 5;

#[test]
fn a_gallery_survives_being_killed() {
    let fixture = Fixture::trained();
    std::fs::create_dir(fixture.path("photos")).unwrap();
    let draw = |name: &str, level: u32| {
        let pixel = |x, y| image::Rgb([level as u8, (x * 8) as u8, (y * 9 + level) as u8]);
        let path = fixture.path("photos").join(name);
        image::RgbImage::from_fn(24, 24, pixel).save(path).unwrap();
    };
    for at in 0..BASE {
        draw(&format!("base{at}.png"), 40 * at as u32);
    }
    let (model, photos, gallery) =
        (fixture.arg("run/best"), fixture.arg("photos"), fixture.arg("gallery"));
    let build = ["index", "build", &photos, "--gallery", &gallery, "--model", &model, "--json"];
    let began = Instant::now();
    avse(build).succeeds();
    // Homes in on the moment of the switch, whatever the machine is doing otherwise.
    let mut delay = began.elapsed();
    let state = || -> (u64, u64) {
        let info: Value = avse(["index", "info", &gallery, "--verify", "--json"]).succeeds().json();
        (info["generation"].as_u64().unwrap(), info["items"].as_u64().unwrap())
    };
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (mut generation, mut items) = state();
    let mut finished = 0;
    for kill in 0..KILLS {
        // Something appears, something changes, something goes.
        draw(&format!("new{kill}.png"), kill);
        draw("base0.png", 100 + kill);
        let gone = kill.checked_sub(3).map(|old| fixture.path(&format!("photos/new{old}.png")));
        gone.into_iter().for_each(|path| std::fs::remove_file(path).unwrap());
        let wanted = BASE as u64 + u64::from(kill.min(2)) + 1;

        let mut child = command(build).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay.mul_f64(random.random_range(0.7..1.3)));
        child.kill().unwrap();
        child.wait().unwrap();

        let (now, held) = state();
        let old = (now, held) == (generation, items);
        assert!(old || (now == generation + 1 && held == wanted), "{kill}: {now}, {held} items");
        finished += u32::from(!old);
        delay = delay.mul_f64(if old { 1.1 } else { 0.9 });
        (generation, items) = (now, held);
        avse(["search", "something", "--gallery", &gallery, "--json"]).succeeds();
    }
    // Only ever too early, or only ever too late, would show nothing.
    assert!(finished > 0 && finished < KILLS, "{finished} of {KILLS} ended");
    let last = avse(build).succeeds().json();
    assert_eq!(last["items"], BASE as u64 + 3);
    avse(["index", "info", &gallery, "--verify"]).succeeds();
}
