//! Datasets in every form.

use std::fs;
use std::path::{Component, Path};

use trainer_native::data::{Dataset, DatasetSpec, Split, VerifyOptions, picture, verify};

use super::{parts, scratch};

/// Reads a dataset as training does, then as the check of a dataset does.
fn dataset(name: &str, data_path: &Path) -> bool {
    let images = Some(scratch::folder());
    let spec = DatasetSpec { name: name.into(), data_path: data_path.into(), images };
    let mut understood = false;
    if let Ok(dataset) = Dataset::open(&spec) {
        for split in splits(&dataset) {
            understood = true;
            assert_eq!(split.captions.len(), split.image_of_caption.len());
            assert!(split.image_of_caption.iter().all(|&image| image < split.images.len()));
        }
    }
    let _ = verify(&VerifyOptions { spec, splits: Vec::new(), decode: false });
    understood
}

/// The splits that can be read; files that name none are one.
fn splits(dataset: &Dataset) -> Vec<Split> {
    let mut names = dataset.split_names();
    if names.is_empty() {
        names.push("all".into());
    }
    names.iter().filter_map(|name| dataset.split(name).ok()).collect()
}

/// Karpathy's JSON.
pub fn karpathy(bytes: &[u8]) -> bool {
    dataset("f30k", &scratch::file("dataset.json", bytes))
}

/// An image with two sentences, and one of COCO's with a folder.
pub fn karpathy_files() -> Vec<Vec<u8>> {
    let text = r#"{"dataset": "flickr30k", "images": [{"filename": "1.jpg", "imgid": 0, "split": "train", "sentids": [0, 1],
        "sentences": [{"raw": "A man.", "tokens": ["a", "man"]}, {"raw": "A cat."}]},
        {"filepath": "val2014", "filename": "2.jpg", "cocoid": 7, "split": "restval", "sentences": [{"raw": "Two."}]}]}"#;
    vec![text.as_bytes().to_vec()]
}

/// A table with commas.
pub fn csv(bytes: &[u8]) -> bool {
    dataset("f30k", &scratch::file("table.csv", bytes))
}

/// With and without splits and quotes.
pub fn csv_files() -> Vec<Vec<u8>> {
    let texts = [
        "image,caption\n1.jpg,a pizza\n2.jpg,\"a cat, \"\"two\"\"\n dogs\"\r\n",
        "\u{feff}split,Image,caption\ntrain,1.jpg,a\ntest,2.jpg,b",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// A table with tabs.
pub fn tsv(bytes: &[u8]) -> bool {
    dataset("f30k", &scratch::file("table.tsv", bytes))
}

/// With a lone quote.
pub fn tsv_files() -> Vec<Vec<u8>> {
    vec![b"image\tcaption\n1.jpg\ta 6\" pizza\n2.jpg\t\"quoted\"\n".to_vec()]
}

/// An object a line.
pub fn jsonl(bytes: &[u8]) -> bool {
    dataset("f30k", &scratch::file("lines.jsonl", bytes))
}

/// One caption, several, a split.
pub fn jsonl_files() -> Vec<Vec<u8>> {
    let text = "{\"image\": \"1.jpg\", \"caption\": \"a\", \"split\": \"train\"}\n\n{\"image\": \"2.jpg\", \"captions\": [\"b\", \"\\u00e9\"], \"split\": \"val\"}\r\n";
    vec![text.as_bytes().to_vec()]
}

/// A WebDataset shard. What it names must lie in it.
pub fn shard(bytes: &[u8]) -> bool {
    // Members of a file are remembered while it looks the same, so each input is a file of its own.
    let path = scratch::new_file("tar", bytes);
    let understood = dataset("f30k", &path);
    let spec = DatasetSpec { name: "f30k".into(), data_path: path.clone(), images: None };
    let opened = Dataset::open(&spec);
    for split in opened.iter().flat_map(splits) {
        for image in split.images {
            let inside = image.path.strip_prefix(&path).unwrap();
            assert!(
                inside.components().all(|part| matches!(part, Component::Normal(_))),
                "{inside:?}"
            );
            if let Ok(content) = picture::read(&image.path) {
                assert!(content.len() <= bytes.len());
            }
        }
    }
    fs::remove_file(&path).unwrap();
    understood
}

/// Pictures with texts and with JSON, in folders.
pub fn shards() -> Vec<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let long = |ending: &str| format!("{}/0003.{ending}", "folder".repeat(20));
    let (long_picture, long_text) = (long("jpg"), long("txt"));
    let members: [(&str, &[u8]); 8] = [
        ("0001.jpg", b"no picture"),
        ("0001.txt", b"a man\na cat\n"),
        ("./b/0002.png", b"another"),
        ("./b/0002.json", br#"{"caption": "two"}"#),
        (&long_picture, b"a third"),
        (&long_text, b"long"),
        ("0004.jpg", b""),
        ("0004.txt", b"three"),
    ];
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content).unwrap();
    }
    vec![archive.into_inner().unwrap()]
}

/// The official layout: ids, captions and mapping of one split.
pub fn official(bytes: &[u8]) -> bool {
    let [ids, captions, mapping] = parts::split(bytes);
    let folder = scratch::folder().join("f30k");
    fs::create_dir_all(&folder).unwrap();
    for split in ["train", "dev", "test"] {
        fs::write(folder.join(format!("{split}_ids.txt")), ids).unwrap();
        fs::write(folder.join(format!("{split}_caps.txt")), captions).unwrap();
    }
    fs::write(folder.join("id_mapping.json"), mapping).unwrap();
    dataset("f30k", &folder)
}

/// Two images.
pub fn official_folders() -> Vec<Vec<u8>> {
    vec![parts::join(&[
        b"7\n7\n9\n",
        b"a man\na cat\ntwo dogs\n",
        br#"{"7": "7.jpg", "9": "9.jpg"}"#,
    ])]
}
