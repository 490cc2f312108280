//! Token ids of real captions and corner cases.

use avse_core::text::tokenizer::CaptionTokenizer;

use super::fixture::Fixture;

fn tokenizer(fixture: &Fixture) -> CaptionTokenizer {
    let vocab = fixture.json["config"]["vocab"].as_str().unwrap();
    let file = vocab.rsplit('/').next().unwrap();
    let tokenizer =
        CaptionTokenizer::from_vocab(&std::fs::read_to_string(Fixture::path(file)).unwrap());
    let tokenizer = tokenizer.unwrap();
    assert_eq!(tokenizer.vocab_size() as u64, fixture.json["config"]["vocab_size"]);
    tokenizer
}

/// The captions under `key` against their ids in the tensors `ids` and `lengths`.
fn compare(fixture: &Fixture, tokenizer: &CaptionTokenizer, key: &str, ids: &str, lengths: &str) {
    let captions: Vec<&str> = fixture.json[key]
        .as_array()
        .unwrap()
        .iter()
        .map(|caption| caption["text"].as_str().unwrap())
        .collect();
    let ((ids, shape), (lengths, _)) = (fixture.i64(ids), fixture.i64(lengths));
    assert_eq!(shape[0], captions.len());
    assert!(!captions.is_empty());
    for (index, caption) in captions.iter().enumerate() {
        let wanted = &ids[index * shape[1]..][..lengths[index] as usize];
        let got: Vec<i64> = tokenizer.encode(caption).into_iter().map(i64::from).collect();
        assert_eq!(got, wanted, "{caption:?}");
    }
    // The batch is the very tensor.
    let batch = tokenizer.encode_batch(&captions, shape[1]);
    assert_eq!((batch.width, batch.truncated), (shape[1], 0));
    assert_eq!(batch.ids.iter().map(|&id| i64::from(id)).collect::<Vec<_>>(), ids);
}

pub fn captions_and_corner_cases_have_the_official_ids() {
    let fixture = Fixture::open("tokenization");
    let tokenizer = tokenizer(&fixture);
    let again = CaptionTokenizer::from_json(&tokenizer.to_json().unwrap()).unwrap();
    for tokenizer in [tokenizer, again] {
        compare(&fixture, &tokenizer, "captions", "ids", "lengths");
        compare(&fixture, &tokenizer, "edge_captions", "edge_ids", "edge_lengths");
    }
}
