use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::publish::{ORDER, staged, take_place};
use super::{GalleryWriter, Row};
use crate::gallery::tests::{SHAPE, item, spec, values};
use crate::gallery::{ContentHash, Gallery, GalleryKind, Item, StoredPrecision};
use crate::similarity::Blocks;
use crate::{Error, Result};

const PRECISION: StoredPrecision = StoredPrecision::F16;

fn open(folder: &Path) -> GalleryWriter {
    GalleryWriter::open(folder, spec(PRECISION), false).unwrap()
}

/// Pushes rows of names: the row of a name is always the same.
fn push(writer: &mut GalleryWriter, names: &[&str]) {
    let values: Vec<f32> = names.iter().flat_map(|name| row(name)).collect();
    let contents: Vec<_> = names.iter().map(|name| ContentHash::of(name.as_bytes())).collect();
    writer.push(Blocks::new(&values, SHAPE).unwrap(), &contents).unwrap();
}

fn row(name: &str) -> Vec<f32> {
    values(name.bytes().map(usize::from).sum(), 1)
}

/// Names as rows: those that `old` has are kept, the others were added in their order.
fn rows<'a>(names: &'a [&str], old: &'a [&str]) -> impl Iterator<Item = Result<(Row, Item)>> {
    let mut added = 0..;
    names.iter().map(move |name| {
        let kept = old.iter().position(|other| other == name).map(Row::Kept);
        Ok((kept.unwrap_or_else(|| Row::Added(added.next().unwrap())), item(name)))
    })
}

fn names(gallery: &Gallery) -> Vec<String> {
    let items = gallery.items().iter().map(|item| item.unwrap());
    items.map(|item| item.key.trim_end_matches(".png").to_string()).collect()
}

/// Every row is that of its name.
fn check(folder: &Path, expected: &[&str]) {
    let gallery = Gallery::open_verified(folder).unwrap();
    assert_eq!(names(&gallery), expected);
    let built = Gallery::build(
        spec(PRECISION),
        Blocks::new(&expected.iter().flat_map(|name| row(name)).collect::<Vec<_>>(), SHAPE)
            .unwrap(),
        &expected.iter().map(|name| item(name)).collect::<Vec<_>>(),
    );
    assert_eq!(gallery.table().columns, built.unwrap().table().columns);
}

fn build(folder: &Path, names: &[&str]) {
    let mut writer = open(folder);
    push(&mut writer, names);
    writer.commit(Vec::new(), rows(names, &[])).unwrap();
}

/// The names of a folder's files, the lock left out.
fn listing(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

const CLEAN: [&str; 3] = ["embeddings.safetensors", "items.jsonl", "manifest.json"];

#[test]
fn rows_are_appended_kept_moved_and_deleted() {
    let root = TempDir::new().unwrap();
    let folder = root.path().join("gallery");
    let first = ["d", "b", "a"];
    build(&folder, &first);
    check(&folder, &first);
    let before = Gallery::open(&folder).unwrap();
    let mut writer = open(&folder);
    push(&mut writer, &["c"]);
    push(&mut writer, &["e"]);
    let second = ["a", "c", "d", "e"];
    let manifest = writer.commit(Vec::new(), rows(&second, &first)).unwrap();
    assert_eq!((manifest.items, manifest.generation), (4, 2));
    check(&folder, &second);
    assert_eq!(listing(&folder), CLEAN);
    // Who had it open still sees what it was.
    assert_eq!(names(&before), first);
    let query = row("b");
    let found = before.search(GalleryKind::Images, Blocks::new(&query, SHAPE).unwrap(), 1);
    assert_eq!(found.unwrap()[0][0].item, item("b"));
    open(&folder).commit(Vec::new(), rows(&[], &second)).unwrap();
    check(&folder, &[]);
}

#[test]
fn a_writer_killed_between_any_two_steps_loses_nothing() {
    for renamed in 0..=ORDER.len() {
        for old in [&[][..], &["b", "a"]] {
            let root = TempDir::new().unwrap();
            let folder = root.path();
            if !old.is_empty() {
                build(folder, old);
            }
            let new = ["a", "c"];
            let mut writer = open(folder);
            push(&mut writer, &["a", "c"]);
            let added = new.iter().enumerate().map(|(at, name)| Ok((Row::Added(at), item(name))));
            writer.stage(Vec::new(), added).unwrap();
            for name in &ORDER[..renamed] {
                take_place(folder, name).unwrap();
            }
            drop(writer);

            let expected = if renamed == 0 { old } else { &new };
            if expected.is_empty() {
                assert!(matches!(Gallery::open(folder), Err(Error::Io { .. })));
            } else {
                check(folder, expected);
            }
            // The next writer goes on from there, with what had been pushed.
            let writer = open(folder);
            assert_eq!(writer.current().map_or(0, Gallery::len), expected.len());
            assert_eq!(writer.added(), new.map(|name| ContentHash::of(name.as_bytes())));
            writer.close().unwrap();
            assert_eq!(listing(folder), &CLEAN[..if expected.is_empty() { 0 } else { 3 }]);
        }
    }
}

#[test]
fn half_written_files_of_a_killed_writer_are_removed() {
    let root = TempDir::new().unwrap();
    build(root.path(), &["a"]);
    for name in ORDER {
        fs::write(staged(root.path(), name), "half").unwrap();
    }
    fs::write(root.path().join(".verified.json.7-0.tmp"), "{").unwrap();
    check(root.path(), &["a"]);
    open(root.path()).close().unwrap();
    check(root.path(), &["a"]);
    assert_eq!(listing(root.path()), CLEAN);
}

#[test]
fn a_torn_spool_gives_its_whole_rows() {
    let root = TempDir::new().unwrap();
    let contents = |names: &[&str]| -> Vec<_> {
        names.iter().map(|name| ContentHash::of(name.as_bytes())).collect()
    };
    let mut writer = open(root.path());
    push(&mut writer, &["a", "b"]);
    push(&mut writer, &["c", "d"]);
    drop(writer);
    let spool = root.path().join(".spool");
    let cut = |name: &str, by: u64| {
        let file = fs::OpenOptions::new().write(true).open(spool.join(name)).unwrap();
        file.set_len(file.metadata().unwrap().len() - by).unwrap();
    };
    assert_eq!(open(root.path()).added(), contents(&["a", "b", "c", "d"]));
    cut("index", 5);
    assert_eq!(open(root.path()).added(), contents(&["a", "b", "c"]));
    cut("blocks_f16", 1);
    assert_eq!(open(root.path()).added(), contents(&["a", "b"]));
    // Damage inside a row.
    let mut bytes = fs::read(spool.join("blocks_i8")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(spool.join("blocks_i8"), bytes).unwrap();
    let mut writer = open(root.path());
    assert_eq!(writer.added(), contents(&["a"]));
    push(&mut writer, &["e"]);
    writer.commit(Vec::new(), rows(&["a", "e"], &[])).unwrap();
    check(root.path(), &["a", "e"]);
    // Rows of another model are of no use.
    let mut writer = open(root.path());
    push(&mut writer, &["f"]);
    drop(writer);
    let mut other = spec(PRECISION);
    other.model.fingerprint = "cd".repeat(32);
    let writer = GalleryWriter::open(root.path(), other, true).unwrap();
    assert!(writer.added().is_empty() && writer.current().is_none());
}

#[test]
fn one_writer_at_a_time() {
    let root = TempDir::new().unwrap();
    let first = open(root.path());
    let refused = GalleryWriter::open(root.path(), spec(PRECISION), false).err().unwrap();
    assert!(refused.to_string().contains("another program is writing"), "{refused}");
    drop(first);
    open(root.path());
}

#[test]
fn what_is_no_gallery_of_this_model_is_left_alone() {
    let root = TempDir::new().unwrap();
    let refused = |folder: &Path, replace| {
        GalleryWriter::open(folder, spec(PRECISION), replace).err().unwrap().to_string()
    };
    let photos = root.path().join("photos");
    fs::create_dir(&photos).unwrap();
    // A bundle has a manifest, too.
    fs::write(photos.join("manifest.json"), r#"{"format": "avse-bundle", "version": 1}"#).unwrap();
    for replace in [false, true] {
        assert!(refused(&photos, replace).contains("is no gallery"));
    }
    assert_eq!(listing(&photos), ["manifest.json"]);
    // Other programs call files so, too: only with `replace` they are taken for a gallery without its manifest.
    let other = root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("embeddings.safetensors"), "another program's").unwrap();
    assert!(refused(&other, false).contains("is no gallery"));
    assert_eq!(fs::read(other.join("embeddings.safetensors")).unwrap(), b"another program's");
    GalleryWriter::open(&other, spec(PRECISION), true).unwrap();

    let folder = root.path().join("gallery");
    let mut other = spec(PRECISION);
    other.model.fingerprint = "cd".repeat(32);
    GalleryWriter::open(&folder, other, false).unwrap().commit(Vec::new(), []).unwrap();
    let error = refused(&folder, false);
    assert!(error.contains("built by another model") && error.contains("manifest.json"), "{error}");
    let writer = GalleryWriter::open(&folder, spec(PRECISION), true).unwrap();
    assert_eq!(writer.commit(Vec::new(), []).unwrap().generation, 2);
    let mut other = spec(PRECISION);
    other.precision = StoredPrecision::F32;
    let refused = GalleryWriter::open(&folder, other, false).err().unwrap().to_string();
    assert!(refused.contains("precision is f16, not f32"), "{refused}");
}

/// A copy of what has rotted would get a good hash.
// Elsewhere a file that is mapped is not written to.
#[cfg(unix)]
#[test]
fn damage_is_not_taken_over() {
    let root = TempDir::new().unwrap();
    build(root.path(), &["a", "b"]);
    let mut writer = open(root.path());
    push(&mut writer, &["c"]);
    let path = root.path().join("embeddings.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 16;
    fs::write(&path, &bytes).unwrap();
    let noticed = writer.verify().unwrap_err().to_string();
    assert!(noticed.contains("sha256"), "{noticed}");
    let names = ["a", "b", "c"];
    let refused = writer.commit(Vec::new(), rows(&names, &names[..2])).unwrap_err().to_string();
    assert!(refused.contains("embeddings.safetensors") && refused.contains("sha256"), "{refused}");
    bytes[last] ^= 16;
    fs::write(&path, &bytes).unwrap();
    check(root.path(), &["a", "b"]);
}

/// A file that was hashed before and looks the same from outside is trusted, until somebody looks.
#[cfg(unix)]
#[test]
fn rot_under_a_stamp_is_found_by_who_looks() {
    let root = TempDir::new().unwrap();
    build(root.path(), &["a", "b"]);
    let path = root.path().join("embeddings.safetensors");
    let sound = fs::read(&path).unwrap();
    let written = SystemTime::now() - Duration::from_secs(60);
    let write = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
    };
    let mut rotten = sound.clone();
    *rotten.last_mut().unwrap() ^= 16;
    let rot = || {
        write(&sound);
        Gallery::open(root.path()).unwrap();
        write(&rotten);
        Gallery::open(root.path()).expect("its stamp");
    };
    rot();
    let writer = open(root.path());
    assert!(writer.verify().unwrap_err().to_string().contains("sha256"));
    writer.close().unwrap();
    // The stamp went with that.
    assert!(Gallery::open(root.path()).unwrap_err().to_string().contains("sha256"));
    rot();
    let anew = GalleryWriter::open(root.path(), spec(PRECISION), true).unwrap();
    assert!(anew.current().is_none());
}

#[test]
fn damage_on_disk_is_named() {
    let root = TempDir::new().unwrap();
    let refused = || Gallery::open(root.path()).unwrap_err().to_string();
    assert!(refused().contains("manifest.json"));
    build(root.path(), &["a", "b"]);
    for (name, end) in [("embeddings.safetensors", "sha256"), ("items.jsonl", "sha256")] {
        let path = root.path().join(name);
        let sound = fs::read(&path).unwrap();
        let mut bytes = sound.clone();
        let last = bytes.len() - 3;
        bytes[last] ^= 4;
        fs::write(&path, &bytes).unwrap();
        assert!(refused().contains(name) && refused().contains(end), "{}", refused());
        fs::write(&path, &sound[..last]).unwrap();
        assert!(refused().contains(name) && refused().contains("bytes"), "{}", refused());
        fs::write(&path, &sound).unwrap();
    }
    check(root.path(), &["a", "b"]);
}
