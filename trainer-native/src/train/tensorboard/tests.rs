//! A strict reader of the format, and the files that the writer leaves.

use super::*;

/// One event: step, tags with values, whether it starts a session, and the version.
#[derive(Debug, Default, PartialEq)]
struct Read {
    step: u64,
    values: Vec<(String, f32)>,
    start: bool,
    version: Option<String>,
}

/// All events of a file, whose checksums must be right.
fn read(path: &Path) -> Vec<Read> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut events) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (length, after) = rest.split_at(8);
        let (check, after) = after.split_at(4);
        assert_eq!(check, framing::masked(length).to_le_bytes(), "checksum of a length");
        let (data, after) = after.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        let (check, after) = after.split_at(4);
        assert_eq!(check, framing::masked(data).to_le_bytes(), "checksum of an event");
        events.push(event(data));
        rest = after;
    }
    events
}

fn event(data: &[u8]) -> Read {
    let mut read = Read::default();
    for (field, value) in fields(data) {
        match (field, value) {
            (1, Field::Bytes(time)) => {
                assert!(f64::from_le_bytes(time.try_into().unwrap()) > 1.6e9);
            }
            (2, Field::Number(step)) => read.step = step,
            (3, Field::Bytes(text)) => {
                read.version = Some(String::from_utf8(text.to_vec()).unwrap());
            }
            (5, Field::Bytes(summary)) => {
                for (field, value) in fields(summary) {
                    assert_eq!(field, 1);
                    let Field::Bytes(entry) = value else { panic!("no message") };
                    match fields(entry)[..] {
                        [(1, Field::Bytes(tag)), (2, Field::Bytes(value))] => read.values.push((
                            String::from_utf8(tag.to_vec()).unwrap(),
                            f32::from_le_bytes(value.try_into().unwrap()),
                        )),
                        ref other => panic!("{other:?}"),
                    }
                }
            }
            (7, Field::Bytes([8, 1])) => read.start = true,
            other => panic!("{other:?}"),
        }
    }
    read
}

#[derive(Debug)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn fields(mut data: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !data.is_empty() {
        let key = number(&mut data);
        let field = match key & 7 {
            0 => Field::Number(number(&mut data)),
            wire_type => {
                let length = match wire_type {
                    1 => 8,
                    2 => number(&mut data) as usize,
                    5 => 4,
                    other => panic!("wire type {other}"),
                };
                let (bytes, rest) = data.split_at(length);
                data = rest;
                Field::Bytes(bytes)
            }
        };
        fields.push((key >> 3, field));
    }
    fields
}

fn number(data: &mut &[u8]) -> u64 {
    let length = data.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let (bytes, rest) = data.split_at(length);
    *data = rest;
    bytes.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn scalars_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("run/tensorboard");
    let mut writer = EventWriter::create(&folder, 0).unwrap();
    writer.scalars(1, &[("train/loss", 2.5), ("train/gradient_norm", f64::INFINITY)]).unwrap();
    writer.scalars(70_000, &[("validation/rsum", 315.8)]).unwrap();
    let [file] = &files(&folder)[..] else { panic!("one file") };
    let read = read(file);
    assert_eq!(read.len(), 4);
    assert_eq!(read[0].version.as_deref(), Some("brain.Event:2"));
    assert!(read[1].start && read[1].step == 1);
    assert_eq!((read[2].step, &read[2].values[..]), (1, &[("train/loss".into(), 2.5)][..]));
    assert_eq!(read[3].values, [("validation/rsum".into(), 315.8)]);
    assert_eq!(read[3].step, 70_000);
}

/// However soon it goes on.
#[test]
fn a_run_that_goes_on_writes_another_file_after_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let first = EventWriter::create(folder.path(), 0).unwrap();
    let second = EventWriter::create(folder.path(), 20).unwrap();
    let third = EventWriter::create(folder.path(), 30).unwrap();
    assert_eq!(files(folder.path()), [first.path, second.path.clone(), third.path]);
    assert!(read(&second.path)[1].start && read(&second.path)[1].step == 21);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = EventWriter::create(&file.join("tensorboard"), 0).unwrap_err().to_string();
    assert!(error.contains("file"), "{error}");
}
