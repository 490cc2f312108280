//! Captions, beside Hugging Face's BERT tokenizer.

use std::path::Path;
use std::sync::OnceLock;

use avse_core::text::tokenizer::CaptionTokenizer;

use crate::case::{Case, Outcome};

/// The tokenizer of the folder's vocabulary, made once.
fn tokenizer(folder: &Path) -> &'static CaptionTokenizer {
    static TOKENIZER: OnceLock<CaptionTokenizer> = OnceLock::new();
    TOKENIZER.get_or_init(|| {
        CaptionTokenizer::from_vocab(&std::fs::read_to_string(folder.join("vocab.txt")).unwrap())
            .unwrap()
    })
}

pub fn check(case: &Case) -> Outcome {
    let tokenizer = tokenizer(&case.folder);
    let text = std::fs::read_to_string(&case.input).unwrap();
    let captions: Vec<String> = serde_json::from_str(&text).unwrap();
    let expected: Vec<Vec<u32>> = serde_json::from_value(case.expected.clone().unwrap()).unwrap();
    assert_eq!(captions.len(), expected.len());
    let token = |ids: &[u32]| -> Vec<String> {
        ids.iter().map(|id| tokenizer.id_to_token(*id).unwrap_or("none").to_owned()).collect()
    };
    let mut different = Vec::new();
    for (caption, expected) in captions.iter().zip(&expected) {
        let ids = tokenizer.encode(caption);
        // Between the tokens that open and close every caption.
        let ours = &ids[1..ids.len() - 1];
        if ours != expected {
            different.push(format!("{caption:?} {:?}, not {:?}", token(ours), token(expected)));
        }
    }
    match different.first() {
        None => Outcome::Identical,
        Some(first) => Outcome::Different(format!("{} captions, as {first}", different.len())),
    }
}
