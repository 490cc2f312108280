//! JSONL.

use trainer_native::data::ProblemKind::*;

use super::support::{Folder, captions};

#[test]
fn jsonl_with_one_caption_or_many() {
    let folder = Folder::new();
    folder.write(
        "a.jsonl",
        "{\"image\": \"0.png\", \"captions\": [\"a\", \"b\"], \"split\": \"train\"}\n\n\
         {\"image\": \"1.png\", \"caption\": \"c\", \"split\": \"dev\", \"n\": 3}\n\
         {\"image\": \"0.png\", \"caption\": \"d\", \"split\": \"train\"}",
    );
    let train = folder.open("f30k", "a.jsonl").split("train").unwrap();
    assert_eq!(captions(&train), [("0.png".into(), vec!["a", "b", "d"])]);
    folder.write(
        "b.jsonl",
        "{\"image\": \"0.png\", \"caption\": \"a\"}\n{\"image\": \n{\"caption\": \"x\"}\n\
         {\"image\": \"1.png\", \"captions\": [7]}\n{\"image\": \"1.png\", \"captions\": []}\n",
    );
    let (problems, text) = folder.problems("b.jsonl");
    let lines: Vec<_> = problems.into_iter().map(|(kind, _, line)| (kind, line.unwrap())).collect();
    assert_eq!(lines, [(BadRecord, 2), (BadRecord, 3), (BadRecord, 4), (NoCaption, 5)], "{text}");
    let error = folder.error("b.jsonl");
    assert!(error.contains("b.jsonl: line 2: no JSON object"), "{error}");
}
