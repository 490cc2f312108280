//! Sentences, and the files that say how they are cut into word pieces.

use std::cell::LazyCell;

use avse_core::text::tokenizer::CaptionTokenizer;

const VOCABULARY: &str =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nman\nin\nred\n##s\n##ing\ncat\n.\n,\n!\n'\n\u{4eba}\n";

thread_local! {
    static TOKENIZER: LazyCell<CaptionTokenizer> =
        LazyCell::new(|| CaptionTokenizer::from_vocab(VOCABULARY).unwrap());
}

/// A sentence.
pub fn caption(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    TOKENIZER.with(|tokenizer| {
        let ids = tokenizer.encode(&text);
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
        tokenizer.basic_tokens(&text);
        tokenizer.encode_batch(&[&text, "a man"], 16);
    });
    true
}

/// Sentences in several scripts.
pub fn captions() -> Vec<Vec<u8>> {
    let texts = [
        "A man in red cats, running!",
        "caf\u{e9} na\u{ef}ve \u{130}stanbul \u{df}",
        "\u{4eba}\u{6c11} \u{ac00}\u{b098} \u{e01}\u{e33}",
        "\u{1f600}\u{200d}\u{1f468} a\u{301}\u{327}\u{0}\u{fffd}\u{a0}x",
        "[MASK] [CLS] [SEP] [mask]",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// A tokenizer's file, in either form, and a sentence cut by it.
pub fn tokenizer(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut understood = false;
    for tokenizer in [CaptionTokenizer::from_json(text), CaptionTokenizer::from_vocab(text)] {
        let Ok(tokenizer) = tokenizer else { continue };
        let ids = tokenizer.encode("a man in red cats, running!");
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
        tokenizer.to_json().unwrap();
        understood = true;
    }
    understood
}

/// The same vocabulary in both forms.
pub fn tokenizers() -> Vec<Vec<u8>> {
    let json = CaptionTokenizer::from_vocab(VOCABULARY).unwrap().to_json().unwrap();
    vec![VOCABULARY.as_bytes().to_vec(), json.into_bytes()]
}
