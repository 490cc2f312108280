//! CSV and TSV, and names that are no dataset.

use trainer_native::data::Dataset;
use trainer_native::data::ProblemKind::*;

use super::support::{Folder, captions};

const CSV: &str = "\u{feff}Image, caption ,note,split\r\n\
    0.png,\"a cat, \"\"asleep\"\"\",x,train\r\n\
    1.png,\"a dog\non two lines\",x,val\r\n\
    0.png,one more cat,x,train\r\n\
    2.png,a cow,x,test\r\n";

#[test]
fn tables_with_quotes_and_any_number_of_captions() {
    let folder = Folder::new();
    folder.write("pairs.csv", CSV);
    folder.write("pairs.tsv", "caption\timage\tsplit\na, cat\t0.png\ttrain\n");
    let csv = folder.open("f30k", "pairs.csv");
    assert_eq!(csv.split_names(), ["train", "dev", "test"]);
    let train = csv.split("train").unwrap();
    assert_eq!(captions(&train), [("0.png".into(), vec!["a cat, \"asleep\"", "one more cat"])]);
    assert_eq!(csv.split("val").unwrap().captions, ["a dog on two lines"]);
    let tsv = folder.open("f30k", "pairs.tsv").split("train").unwrap();
    assert_eq!(captions(&tsv), [("0.png".into(), vec!["a, cat"])]);
    assert_eq!(folder.problems("pairs.csv").0, []);

    // Without --images, names are relative to the file.
    let mut spec = folder.spec("f30k", "pairs.csv");
    spec.images = None;
    let train = Dataset::open(&spec).unwrap().split("train").unwrap();
    assert_eq!(train.images[0].path, folder.path("0.png"));
}

#[test]
fn a_table_without_splits_is_one_and_files_can_be_splits() {
    let folder = Folder::new();
    folder.write("all.csv", "image,caption\n0.png,a\n1.png,b\n");
    let all = folder.open("f30k", "all.csv");
    assert_eq!(all.split("test").unwrap().images.len(), 2);
    assert!(all.without_splits().unwrap().contains("all of its 2 images"));
    folder.write("set/train.csv", "image,caption\n0.png,a\n");
    folder.write("set/val.csv", "image,caption\n1.png,b\n2.png,c\n");
    let set = folder.open("f30k", "set");
    assert_eq!(set.split_names(), ["train", "dev"]);
    assert_eq!(set.split("dev").unwrap().captions, ["b", "c"]);
    assert_eq!(set.without_splits(), None);
}

#[test]
fn what_is_wrong_with_tables() {
    let folder = Folder::new();
    folder.write("a.csv", "image,text\n0.png,a\n");
    let error = folder.error("a.csv");
    let expected = "a.csv: line 1: no column `caption`; the first line names image, text";
    assert!(error.contains(expected), "{error}");
    folder.write("empty.csv", "image,caption\n");
    assert!(folder.error("empty.csv").contains("no image with a caption"));
    folder.write("open.csv", "image,caption\n0.png,a\n1.png,\"b\n2.png,c\n");
    let error = folder.error("open.csv");
    assert!(error.contains("open.csv: line 3: a quote is not closed"), "{error}");
    let table = b"image,caption,split\n0.png,a,train\n1.png,b\n,c,train\n2.png, ,train\n\
        3.png,\xff,train\n77.png,d,train\n0.png,e,test\n4.png,f,\n"
        .as_slice();
    folder.write("b.csv", table);
    let (problems, text) = folder.problems("b.csv");
    let expected = [
        (NotUtf8, 6),
        (BadRecord, 3),
        (BadRecord, 4),
        (BadRecord, 9),
        (NoCaption, 5),
        (SharedImage, 8),
        (MissingImage, 7),
    ];
    let expected = expected.map(|(kind, line)| (kind, "b.csv".to_owned(), Some(line)));
    assert_eq!(problems, expected, "{text}");
    assert!(text.contains("2 fields, but 3 columns"), "{text}");
    assert!(text.contains("no split, but others have one"), "{text}");
}

#[test]
fn a_folder_or_file_that_is_no_dataset() {
    let folder = Folder::new();
    let error = folder.error("img");
    assert!(error.contains("no dataset f30k") && error.contains(".csv"), "{error}");
    folder.write("notes.txt", "hello");
    let error = folder.error("notes.txt");
    assert!(error.contains("notes.txt: no dataset") && error.contains(".tsv"), "{error}");
    let error = folder.error("s-{0..x}.tar");
    assert!(error.contains("a pattern is like"), "{error}");
}

#[test]
fn rows_are_lost_by_no_quote_and_no_column() {
    let folder = Folder::new();
    for end in ["", "\n", "\r\n"] {
        folder.write("open.csv", format!("image,caption\n0.png,\"a\n1.png,b\n2.png,c{end}"));
        let error = folder.error("open.csv");
        assert!(error.contains("open.csv: line 2: a quote is not closed"), "{end:?}: {error}");
    }
    // The second quote closes the first one, and the row between would be part of a caption.
    folder.write("pair.csv", "image,caption\n0.png,\"a\n1.png,\"b\n2.png,c\n");
    let error = folder.error("pair.csv");
    assert!(error.contains("line 2: text behind a closing quote"), "{error}");
    for header in [
        "image,caption,Caption",
        "image,caption, image ",
        "image,caption,split,SPLIT",
        "image,\"caption\",caption",
    ] {
        let fields = header.split(',').count();
        folder.write("twice.csv", format!("{header}\n{}\n", vec!["0.png"; fields].join(",")));
        let error = folder.error("twice.csv");
        assert!(
            error.contains("twice.csv: line 1: several columns are called `"),
            "{header}: {error}"
        );
    }
    // Others may share a name.
    folder.write("others.csv", "image,caption,note,note\n0.png,a,x,y\n");
    assert_eq!(folder.open("f30k", "others.csv").split("test").unwrap().captions, ["a"]);
}

#[test]
fn tables_of_other_programs() {
    let folder = Folder::new();
    let rows = |name: &str, table: &[u8]| {
        folder.write(name, table);
        folder.open("f30k", name).split("test").unwrap().captions
    };
    assert_eq!(
        rows("old_mac.csv", b"image,caption\r0.png,a\r\r1.png,b \"c\" d\r"),
        ["a", "b \"c\" d"]
    );
    assert_eq!(rows("trailing.csv", b"image,caption,\n0.png,a,\n1.png,b,\n"), ["a", "b"]);
    folder.write("zero.csv", b"image,caption\n0.png,a\n1.png,b\0c\n");
    assert!(folder.error("zero.csv").contains("zero.csv: line 3: a zero byte"));
    folder.write("mac.csv", b"image,caption\r0.png,a\r1.png\r");
    assert!(folder.error("mac.csv").contains("line 3: 1 fields, but 2 columns"));
    folder.write("semicolons.csv", "image;caption\n0.png;a\n");
    assert!(folder.error("semicolons.csv").contains("is ';' between them?"));
    folder.write("latin1.csv", b"image,caption\n0.png,caf\xe9\n");
    assert!(folder.error("latin1.csv").contains("line 2: not UTF-8: save the file as UTF-8"));
}
