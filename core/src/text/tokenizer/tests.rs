use std::str::FromStr;

use super::*;

const WORDS: &str =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ndog\ncat\nrun\n##s\n##ning\n.\n##n\n[\n]\nmask\nσας\n";

fn tokenizer() -> CaptionTokenizer {
    CaptionTokenizer::from_vocab(WORDS).unwrap()
}

fn pieces(caption: &str) -> Vec<String> {
    let tokenizer = tokenizer();
    let ids = tokenizer.encode(caption);
    ids.iter().map(|&id| tokenizer.id_to_token(id).unwrap().to_owned()).collect()
}

#[test]
fn words_become_pieces() {
    let wanted = ["[CLS]", "a", "dog", "##s", "run", "##ning", ".", "[SEP]"];
    assert_eq!(pieces("A dogs  RUNNING."), wanted);
    assert_eq!(pieces(""), ["[CLS]", "[SEP]"]);
    assert_eq!(pieces("zebra"), ["[CLS]", "[UNK]", "[SEP]"]);
    assert_eq!(pieces("[MASK]"), ["[CLS]", "[", "mask", "]", "[SEP]"]);
    // A Greek word ends in another sigma than the one inside it.
    assert_eq!(pieces("ΣΑΣ"), ["[CLS]", "σας", "[SEP]"]);
    let long = "n".repeat(101);
    assert_eq!(tokenizer().word_pieces(&long), [1]);
}

#[test]
fn signs_of_today_are_what_they_are_in_python() {
    let basic = |caption: &str| tokenizer().basic_tokens(caption);
    // Unassigned and private code points vanish, as control signs do.
    assert_eq!(basic("do\u{378}g \u{e000}c\u{200b}at"), ["dog", "cat"]);
    // Punctuation of Unicode 11 and 14.
    assert_eq!(basic("a\u{a76}b\u{61d}c"), ["a", "\u{a76}", "b", "\u{61d}", "c"]);
    // An ideograph between two blocks, and a mark of Unicode 9.
    assert_eq!(basic("x\u{2b825}y"), ["x", "\u{2b825}", "y"]);
    assert_eq!(basic("a\u{8d4}b"), ["ab"]);
}

#[test]
fn batches_are_padded_and_long_captions_cut() {
    let tokenizer = tokenizer();
    let batch = tokenizer.encode_batch(&["a dog", "", "a cat a cat a cat"], 5);
    let wanted = [[2, 5, 6, 3, 0], [2, 3, 0, 0, 0], [2, 5, 7, 5, 3]].concat();
    assert_eq!(batch, TokenBatch { ids: wanted, lengths: vec![4, 2, 5], width: 5, truncated: 1 });

    let words = "dog ".repeat(2000);
    let batch = tokenizer.encode_batch(&[&words], 512);
    assert_eq!((batch.width, batch.truncated), (512, 1));
    assert_eq!((batch.ids[0], batch.ids[511]), (2, 3));
    assert_eq!(tokenizer.encode_batch(&["dog dog"], 0).ids, [2, 3]);
    assert_eq!(tokenizer.encode_batch(&[], 10).width, 0);
}

#[test]
fn json_round_trip_keeps_everything() {
    let tokenizer = tokenizer();
    let json = tokenizer.to_json().unwrap();
    let again = CaptionTokenizer::from_json(&json).unwrap();
    assert_eq!(again.to_json().unwrap(), json);
    assert_eq!(again.vocab_size(), tokenizer.vocab_size());
    assert_eq!(again.special(), tokenizer.special());
    assert_eq!(again.encode("A dog ran."), tokenizer.encode("A dog ran."));
    // Others read it too: the crate's own pipeline gives the same ids.
    let stock = Tokenizer::from_str(&json).unwrap();
    let ids = stock.encode("A dogs running.", true).unwrap();
    assert_eq!(ids.get_ids(), tokenizer.encode("A dogs running."));
}

#[test]
fn a_cased_tokenizer_keeps_case_and_accents() {
    let json = tokenizer().to_json().unwrap();
    let cased = json.replace("\"lowercase\":true", "\"lowercase\":false");
    assert_ne!(json, cased);
    let cased = CaptionTokenizer::from_json(&cased).unwrap();
    assert_eq!(cased.basic_tokens("A Café!"), ["A", "Café", "!"]);
    assert_eq!(tokenizer().basic_tokens("A Café!"), ["a", "cafe", "!"]);
}

#[test]
fn unusable_files_are_named_errors() {
    let message = |error: Result<CaptionTokenizer>| error.unwrap_err().to_string();
    let missing = message(CaptionTokenizer::from_vocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\n"));
    assert!(missing.contains("[MASK]"), "{missing}");
    assert!(message(CaptionTokenizer::from_json("{")).contains("tokenizer.json"));
    let json = tokenizer().to_json().unwrap();
    let other = json.replace("\"type\":\"BertNormalizer\"", "\"type\":\"Lowercase\"");
    assert!(message(CaptionTokenizer::from_json(&other)).contains("normalizer"));
    // Other words than the file's own tokenizer would make.
    let other = json.replace("\"type\":\"BertPreTokenizer\"", "\"type\":\"Whitespace\"");
    assert_ne!(json, other);
    assert!(message(CaptionTokenizer::from_json(&other)).contains("pre_tokenizer"));
    let wild = json.replace("\"σας\":16", "\"σας\":4000000000");
    assert_ne!(json, wild);
    assert!(message(CaptionTokenizer::from_json(&wild)).contains("4000000000"));
}

#[test]
fn folders_hold_json_or_vocabulary() {
    let folder = std::env::temp_dir().join(format!("avse-tokenizer-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let missing = CaptionTokenizer::from_folder(&folder).unwrap_err();
    assert!(matches!(&missing, Error::Io { path, .. } if path.ends_with("vocab.txt")));

    std::fs::write(folder.join("vocab.txt"), WORDS).unwrap();
    let plain = CaptionTokenizer::from_folder(&folder).unwrap();
    assert_eq!(plain.encode("Dog"), [2, 6, 3]);
    std::fs::write(folder.join("tokenizer_config.json"), "{\"do_lower_case\": false}").unwrap();
    let cased = CaptionTokenizer::from_folder(&folder).unwrap();
    assert_eq!(cased.encode("Dog"), [2, 1, 3]);
    // Each setting counts, or is refused.
    let with = |settings: &str| {
        std::fs::write(folder.join("tokenizer_config.json"), settings).unwrap();
        CaptionTokenizer::from_folder(&folder)
    };
    let basic = |settings: &str| with(settings).unwrap().basic_tokens("Café 中国");
    assert_eq!(basic("{}"), ["cafe", "中", "国"]);
    assert_eq!(basic(r#"{"strip_accents": false}"#), ["café", "中", "国"]);
    assert_eq!(basic(r#"{"do_lower_case": false, "strip_accents": true}"#), ["Cafe", "中", "国"]);
    assert_eq!(basic(r#"{"tokenize_chinese_chars": false}"#), ["cafe", "中国"]);
    for refused in [r#"{"do_basic_tokenize": false}"#, r#"{"unk_token": "<unk>"}"#] {
        let error = with(refused).unwrap_err().to_string();
        assert!(error.contains("tokenizer_config.json") && error.contains("is "), "{error}");
    }
    with("{}").unwrap();
    std::fs::write(folder.join("tokenizer.json"), plain.to_json().unwrap()).unwrap();
    assert_eq!(CaptionTokenizer::from_folder(&folder).unwrap().encode("Dog"), [2, 6, 3]);
    std::fs::write(folder.join("tokenizer.json"), "[]").unwrap();
    let broken = CaptionTokenizer::from_folder(&folder).unwrap_err();
    assert!(matches!(&broken, Error::Format { path, .. } if path.ends_with("tokenizer.json")));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn learned_vocabularies_are_ordered_and_repeatable() {
    let captions = ["the red dog", "the redder cat", "the red fox", "the reddest"];
    let learn = |size| train_vocab(captions.iter().copied(), size);
    let text = learn(1000).unwrap();
    assert_eq!(text, learn(1000).unwrap());
    let tokens: Vec<&str> = text.lines().collect();
    let position = |token: &str| tokens.iter().position(|&other| other == token).unwrap();
    assert_eq!(tokens[..5], SPECIAL_NAMES);
    assert!(position("##x") < position("the") && position("the") < position("red"));
    assert!(position("red") < position("cat") && position("cat") < position("dog"));
    assert!(position("dog") < position("##ed") && position("##ed") < position("##er"));
    assert_eq!(position("the"), 5 + 2 * 12, "after 12 characters and their continuations");

    let small = learn(32).unwrap();
    assert_eq!(small.lines().count(), 32);
    let tokenizer = CaptionTokenizer::from_vocab(&small).unwrap();
    let ids = tokenizer.encode("the red fox redact");
    assert_eq!(ids.len(), 2 + 1 + 1 + 3 + 4, "`fox` is spelled, `redact` begins with `red`");
    assert!(!ids.contains(&tokenizer.special().unk));
    assert!(learn(10).unwrap_err().to_string().contains("too small"));
}

const SPECIAL_NAMES: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
