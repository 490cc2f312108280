//! PyTorch files that PyTorch wrote (tests/fixtures/torch/make.py), and damaged ones.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use avse_core::weights::{Checkpoint, StateDict, read_torch};
use serde_json::Value;

use super::torch_types::torch_name;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/torch")
}

fn expected() -> Value {
    let text = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn read(bytes: &[u8]) -> Result<Checkpoint, String> {
    Checkpoint::from_torch(Cursor::new(bytes), Path::new("x.pth")).map_err(|e| e.to_string())
}

fn assert_as_in_pytorch(file: &str, weights: &StateDict, expected: &Value) {
    let expected = expected.as_object().unwrap();
    let names: Vec<&str> = weights.names().collect();
    let mut wanted: Vec<&str> = expected.keys().map(String::as_str).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted, "{file}");
    for (name, data) in weights.iter() {
        let entry = &expected[name];
        assert_eq!(torch_name(data.dtype()), entry["dtype"].as_str(), "{file} {name}");
        assert_eq!(serde_json::json!(data.shape().to_vec()), entry["shape"], "{file} {name}");
        let values: Vec<f64> = data.iter::<f64>().collect();
        assert_eq!(serde_json::json!(values), entry["values"], "{file} {name}");
    }
}

#[test]
fn files_are_read_as_pytorch_reads_them() {
    let expected = expected();
    let files = expected["read"].as_object().unwrap();
    assert!(files.len() > 15);
    for (file, tensors) in files {
        let checkpoint = read_torch(folder().join(file)).unwrap_or_else(|e| panic!("{e}"));
        assert_as_in_pytorch(file, &checkpoint.weights, tensors);
    }
    let options = read_torch(folder().join("beside.pth")).unwrap().options;
    assert_eq!(options["epoch"], 3);
    assert_eq!(options["opt.img_res"], 32);
}

#[test]
fn what_is_no_plain_tensor_is_refused_by_name() {
    let expected = expected();
    for (file, part) in expected["refused"].as_object().unwrap() {
        let Err(error) = read_torch(folder().join(file)) else { panic!("{file} is read") };
        let (message, part) = (error.to_string(), part.as_str().unwrap());
        assert!(message.contains(part) && message.contains(file.as_str()), "{part}: {message}");
        assert!(message.len() < 500, "{message}");
    }
}

/// Damage never panics, and never gives other numbers than the file's.
#[test]
fn damaged_files_are_refused() {
    for file in ["views.pth", "views_old.pth", "compressed.pth"] {
        let bytes = std::fs::read(folder().join(file)).unwrap();
        let whole = read(&bytes).unwrap().weights;
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{file} of {end} bytes");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let Ok(found) = read(&damaged) else { continue };
            // Only the old form has no checksum: there, damage in a number is not to be seen.
            if file != "views_old.pth" && found.weights.names().eq(whole.names()) {
                for (name, data) in found.weights.iter() {
                    let shape = data.shape() == whole.get(name).unwrap().shape();
                    let same = data.as_bytes() == whole.get(name).unwrap().as_bytes();
                    assert!(same || !shape || at_pickle(&bytes, at), "{file} byte {at}: {name}");
                }
            }
        }
    }
    // A number in a storage: the archive's checksum tells.
    let mut damaged = std::fs::read(folder().join("views.pth")).unwrap();
    let value = 23.0f32.to_le_bytes();
    let at = damaged.windows(4).position(|part| part == value).unwrap();
    damaged[at] ^= 1;
    let message = read(&damaged).unwrap_err();
    assert!(message.contains("damaged"), "{message}");
}

/// Whether the byte is one of the pickle's, which as plain data has a meaning with any number in it
/// where its own checksum is damaged, too.
fn at_pickle(bytes: &[u8], at: usize) -> bool {
    let find = |part: &[u8]| bytes.windows(part.len()).position(|found| found == part);
    find(b"data.pkl").is_some_and(|start| at >= start)
        && find(b"byteorder").is_some_and(|end| at < end)
}

#[test]
fn a_few_bytes_do_not_fill_the_memory() {
    // One element, expanded to 10^12; the same offset beyond the storage; sizes that overflow.
    let of = |offset: &str, size: &str, stride: &str| {
        let tensor = format!(
            "ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01tQ\
             {offset}({size}t({stride}t\u{88}N"
        );
        // 0x88, True, is one byte in a pickle.
        let tensor = tensor.replace('\u{88}', "I01\n");
        let object = format!("}}U\x01a{tensor}tRs.");
        let start =
            b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.M\xe9\x03.}.".to_vec();
        let keys = b"(U\x010l.\x01\0\0\0\0\0\0\0\0\0\x80\x3f";
        [start, object.into_bytes(), keys.to_vec()].concat()
    };
    let fine = read(&of("K\x00", "K\x03", "K\x00")).unwrap();
    let values: Vec<f32> = fine.weights.get("a").unwrap().try_to_vec().unwrap();
    assert_eq!(values, [1.0; 3]);
    let message = read(&of("K\x00", "L1000000000000L\n", "K\x00")).unwrap_err();
    assert!(message.contains("take 4000000000000 bytes"), "{message}");
    let message = read(&of("K\x01", "K\x01", "K\x01")).unwrap_err();
    assert!(message.contains("beyond its storage"), "{message}");
    let huge = "L9000000000000000000L\n";
    for (offset, size, stride) in [
        ("K\x00", &format!("{huge}{huge}")[..], "K\x00K\x00"),
        (huge, "K\x01", "K\x01"),
        ("K\x00", "K\x02", huge),
        ("J\u{1}\u{1}\u{1}\u{1}", "K\x01", "K\x01"),
        ("L-1L\n", "K\x01", "K\x01"),
        ("K\x00", "L-1L\n", "K\x01"),
    ] {
        read(&of(offset, size, stride)).unwrap_err();
    }
    // A dimension of size 1 may have any stride, and one of size 0 any neighbours.
    read(&of("K\x00", "K\x01K\x01", &format!("{huge}{huge}"))).unwrap();
    let none = read(&of("K\x00", &format!("K\x00{huge}{huge}"), "K\x01K\x01K\x01")).unwrap();
    assert_eq!(none.weights.get("a").unwrap().num_elements(), 0);
}

#[test]
fn other_files_are_told_apart() {
    for (bytes, part) in [
        (&b""[..], "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1f\x8b\x08\x00", "gunzip"),
        (b"hello, this is text", "not a file that torch.save wrote"),
        (b"PK\x03\x04", "cut short"),
    ] {
        let message = read(bytes).unwrap_err();
        assert!(message.contains(part) && message.contains("x.pth"), "{part}: {message}");
    }
    let mut tar = vec![0; 512];
    tar[..6].copy_from_slice(b"pickle");
    assert!(read(&tar).unwrap_err().contains("tar file"));
}
