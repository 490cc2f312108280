//! A tiny dataset in the official layout, a tiny network, and the binary on both.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value};
use tempfile::TempDir;

/// Splits and how many images each has.
const SPLITS: [(&str, usize); 3] = [("train", 8), ("dev", 4), ("test", 6)];
/// Captions of every image.
pub const CAPTIONS: usize = 5;
/// Captions of the training split.
pub const TRAIN_CAPTIONS: usize = 8 * CAPTIONS;

/// A run that takes less than a second.
pub const CONFIG: &str = include_str!("../../../tests/fixtures/tiny.toml");

/// What a run of the binary ended with.
pub struct Outcome {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    /// The same in words.
    pub status: String,
    pub stdout: String,
    pub stderr: String,
}

/// The binary, without a network and with two threads.
pub fn command(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_avse"));
    command
        .args(arguments)
        .env("RAYON_NUM_THREADS", "2")
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        // Kernels that earlier runs compiled are not this test's, nor are its own the user's.
        .env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
        .stdin(Stdio::null());
    command
}

/// Runs the binary; whatever it is given, it never panics.
pub fn avse(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Outcome {
    outcome(&mut command(arguments))
}

pub fn outcome(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let outcome = Outcome {
        code: output.status.code(),
        status: output.status.to_string(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    outcome
}

impl Outcome {
    /// Ended well.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.status, self.stderr);
        self
    }

    /// Ended with an error that says all of `parts`, and with no usage message.
    #[track_caller]
    pub fn fails_with(self, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{}\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("Usage:"), "{}", self.stderr);
        let error = self.stderr.lines().skip_while(|line| !line.starts_with("error: "));
        let error: Vec<_> = error.collect();
        let error = error.join("\n");
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {}", self.stderr);
        }
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// A dataset and a run's configuration in a folder of their own.
pub struct Fixture {
    root: TempDir,
}

impl Fixture {
    /// A sound dataset.
    pub fn new() -> Self {
        let fixture = Self { root: TempDir::new().unwrap() };
        fixture.write_dataset("f30k", "flickr30k-images", &SPLITS);
        fixture.write("tiny.toml", CONFIG);
        fixture
    }

    /// A dataset in the official layout under `data`, its pictures in the folder `images`: splits and how many
    /// images each has. What is there already is replaced.
    pub fn write_dataset(&self, name: &str, images: &str, splits: &[(&str, usize)]) {
        fs::create_dir_all(self.path("data").join(name)).unwrap();
        fs::create_dir_all(self.path("data").join(images)).unwrap();
        let mut mapping = Map::new();
        for (s, &(split, count)) in splits.iter().enumerate() {
            let (mut ids, mut captions) = (String::new(), String::new());
            for image in 0..count {
                let id = format!("{split}{image}");
                for caption in 0..CAPTIONS {
                    ids += &format!("{id}\n");
                    captions += &format!("Picture {image} of {split}, sentence {caption}.\n");
                }
                let level = (40 * s + 25 * image) as u8;
                let picture = image::RgbImage::from_fn(20 + image as u32, 24, |x, y| {
                    image::Rgb([level, (x * 8) as u8, (y * 9) as u8 ^ level])
                });
                let file = format!("{id}.png");
                picture.save(self.path("data").join(images).join(&file)).unwrap();
                mapping.insert(id, file.into());
            }
            self.write(&format!("data/{name}/{split}_ids.txt"), ids);
            self.write(&format!("data/{name}/{split}_caps.txt"), captions);
        }
        self.write(&format!("data/{name}/id_mapping.json"), Value::Object(mapping).to_string());
    }

    /// A sound dataset and a network trained on it, `run/best`.
    pub fn trained() -> Self {
        let fixture = Self::new();
        fixture.train("run", &["--num_epochs", "1"]).succeeds();
        fixture
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The same as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    pub fn image(&self, name: &str) -> PathBuf {
        self.path("data/flickr30k-images").join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Replaces a line, counted from 1.
    pub fn replace_line(&self, name: &str, line: usize, by: &[u8]) {
        let content = self.read(name);
        let mut lines: Vec<&[u8]> = content.split(|&byte| byte == b'\n').collect();
        lines[line - 1] = by;
        self.write(name, lines.join(&b'\n'));
    }

    /// Makes another file the picture of `id`.
    pub fn remap(&self, id: &str, file: &str) {
        let name = "data/f30k/id_mapping.json";
        let mut mapping: Value = serde_json::from_slice(&self.read(name)).unwrap();
        mapping[id] = file.into();
        self.write(name, mapping.to_string());
    }

    /// The arguments of `avse train` into the folder `run`.
    pub fn train_arguments(&self, run: &str, options: &[&str]) -> Vec<String> {
        let (config, data, run) = (self.arg("tiny.toml"), self.arg("data"), self.arg(run));
        let fixed = ["train", "--config", &config, "--data_path", &data, "--logger_name", &run];
        let fixed = [fixed.as_slice(), &["--gpu-id", "cpu"], options].concat();
        fixed.into_iter().map(str::to_string).collect()
    }

    /// Trains into the folder `run`.
    pub fn train(&self, run: &str, options: &[&str]) -> Outcome {
        avse(self.train_arguments(run, options))
    }

    /// Evaluates the bundle in the folder `model`, as JSON.
    pub fn eval(&self, model: &str, options: &[&str]) -> Outcome {
        let (model, data) = (self.arg(model), self.arg("data"));
        let fixed = ["eval", "--dataset", "f30k", "--data_path", &data, "--model", &model];
        avse([fixed.as_slice(), &["--gpu-id", "cpu", "--json"], options].concat())
    }

    /// The file of all scores of a bundle, as bytes, and the report.
    pub fn scores(&self, model: &str) -> (Vec<u8>, Value) {
        let file = self.arg("scores.npy");
        let report = self.eval(model, &["--save_results", &file]).succeeds().json();
        let bytes = self.read("scores.npy");
        fs::remove_file(file).unwrap();
        (bytes, report)
    }
}

/// Whether `folder` holds a bundle's four files and nothing else.
pub fn is_bundle(folder: &Path) -> bool {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names == ["config.json", "manifest.json", "model.safetensors", "tokenizer.json"]
}
