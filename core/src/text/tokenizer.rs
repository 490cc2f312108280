//! Captions to token ids, as BERT's word-piece tokenization does it.

mod basic;
mod categories;
mod vocabulary;

use std::path::Path;

use serde::Deserialize;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Model, Tokenizer};

use basic::Basic;
pub use vocabulary::train_vocab;

use crate::input::encoding::read_text;
use crate::input::json;
use crate::{Error, Result};

/// Ids of the special tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialTokens {
    /// `[PAD]`, fills rows of a batch.
    pub pad: u32,
    /// `[UNK]`, stands for a word that cannot be spelled.
    pub unk: u32,
    /// `[CLS]`, opens every caption.
    pub cls: u32,
    /// `[SEP]`, closes every caption.
    pub sep: u32,
    /// `[MASK]`, hides a word piece in training.
    pub mask: u32,
}

/// Several captions as one rectangle of ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBatch {
    /// `lengths.len() * width` ids, row by row, padded with `[PAD]`.
    pub ids: Vec<u32>,
    /// Number of real tokens of each caption, `[CLS]` and `[SEP]` included.
    pub lengths: Vec<usize>,
    /// Length of the longest caption; 0 for an empty batch.
    pub width: usize,
    /// How many captions were longer than allowed and were cut.
    pub truncated: usize,
}

impl TokenBatch {
    /// The same captions padded with `pad` to `width` tokens, if that is more.
    pub fn widened(&self, width: usize, pad: u32) -> Self {
        let width = width.max(self.width);
        let row = |start: usize| {
            let own = &self.ids[start..start + self.width];
            own.iter().copied().chain(std::iter::repeat_n(pad, width - self.width))
        };
        let ids = (0..self.lengths.len()).flat_map(|at| row(at * self.width)).collect();
        Self { ids, lengths: self.lengths.clone(), width, truncated: self.truncated }
    }
}

/// What is read of a `tokenizer.json`.
#[derive(Deserialize)]
struct TokenizerFile {
    model: serde_json::Value,
    normalizer: serde_json::Value,
    pre_tokenizer: serde_json::Value,
}

/// The tokenizer of a text tower.
///
/// It follows the official data set class: basic tokens (cleaned, lower-cased,
/// split at spaces and punctuation), then word pieces of each. The names of
/// special tokens inside a caption are text like any other.
#[derive(Clone)]
pub struct CaptionTokenizer {
    model: WordPiece,
    normalizer: BertNormalizer,
    tokens: Vec<String>,
    special: SpecialTokens,
}

impl CaptionTokenizer {
    /// A lower-casing tokenizer from the text of a `vocab.txt`: one token a line,
    /// the line number (from 0) is the id.
    ///
    /// # Errors
    /// [`Error::Text`] when a special token is missing.
    pub fn from_vocab(vocab_txt: &str) -> Result<Self> {
        Self::with_normalizer(vocab_txt, BertNormalizer::default())
    }

    fn with_normalizer(vocab_txt: &str, normalizer: BertNormalizer) -> Result<Self> {
        // The map's type belongs to the crate; an empty one can only be asked for.
        let mut ids = WordPiece::read_bytes(&[]).map_err(text_error)?;
        ids.extend(vocab_txt.lines().map(str::to_owned).zip(0..));
        let model = WordPiece::builder().vocab(ids).build().map_err(text_error)?;
        Self::new(model, normalizer)
    }

    /// A tokenizer from a Hugging Face `tokenizer.json` of the BERT family.
    ///
    /// # Errors
    /// [`Error::Text`] when it is not JSON of that form, has another model than
    /// word pieces or another normaliser than BERT's, or lacks a special token.
    pub fn from_json(json: &str) -> Result<Self> {
        // The model and the normaliser are read by themselves: reading a `Tokenizer` compiles
        // in every kind of tokenizer there is, a good part of what a browser would download.
        let file: TokenizerFile = json::from_text(json)
            .map_err(|error| Error::Text(format!("not a tokenizer.json: {error}")))?;
        let kind = |value: &serde_json::Value| value["type"].as_str().map(str::to_owned);
        // Files of old versions name no type of the model.
        if kind(&file.model).is_some_and(|kind| kind != "WordPiece") {
            return Err(Error::Text("tokenizer.json: key `model` is not of type WordPiece".into()));
        }
        if kind(&file.normalizer).is_none_or(|kind| kind != "BertNormalizer") {
            return Err(Error::Text(
                "tokenizer.json: key `normalizer` is not of type BertNormalizer".into(),
            ));
        }
        if kind(&file.pre_tokenizer).is_none_or(|kind| kind != "BertPreTokenizer") {
            return Err(Error::Text(
                "tokenizer.json: key `pre_tokenizer` is not of type BertPreTokenizer".into(),
            ));
        }
        let bad = |key: &str, error: serde_json::Error| {
            Error::Text(format!("tokenizer.json: key `{key}`: {error}"))
        };
        let model = WordPiece::deserialize(&file.model).map_err(|error| bad("model", error))?;
        let normalizer = BertNormalizer::deserialize(&file.normalizer)
            .map_err(|error| bad("normalizer", error))?;
        Self::new(model, normalizer)
    }

    /// A tokenizer from a folder as Hugging Face publishes it: `tokenizer.json`,
    /// else `vocab.txt` (with the settings of a `tokenizer_config.json`).
    ///
    /// # Errors
    /// [`Error::Io`] when neither can be read, [`Error::Format`] when one is
    /// unusable.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let named = |path: &Path, error: Error| Error::format(path, error.to_string());

        let whole = folder.join("tokenizer.json");
        if whole.exists() {
            return Self::from_json(&read_text(&whole)?).map_err(|error| named(&whole, error));
        }
        let mut normalizer = BertNormalizer::default();
        let config = folder.join("tokenizer_config.json");
        if config.exists() {
            let value: serde_json::Value = json::read(&config)?;
            let flag = |key: &str| value[key].as_bool();
            normalizer.lowercase = flag("do_lower_case").unwrap_or(true);
            normalizer.strip_accents = flag("strip_accents");
            normalizer.handle_chinese_chars = flag("tokenize_chinese_chars").unwrap_or(true);
            if flag("do_basic_tokenize") == Some(false) {
                let message =
                    "`do_basic_tokenize` is false: captions are always split into words first";
                return Err(Error::format(&config, message));
            }
            if value["unk_token"].as_str().is_some_and(|token| token != "[UNK]") {
                return Err(Error::format(
                    &config,
                    "`unk_token` is not [UNK], the only one that is read",
                ));
            }
        }
        let vocab = folder.join("vocab.txt");
        Self::with_normalizer(&read_text(&vocab)?, normalizer).map_err(|error| named(&vocab, error))
    }

    fn new(model: WordPiece, normalizer: BertNormalizer) -> Result<Self> {
        let id = |token: &str| {
            model
                .token_to_id(token)
                .ok_or_else(|| Error::Text(format!("the vocabulary has no token `{token}`")))
        };
        let special = SpecialTokens {
            pad: id("[PAD]")?,
            unk: id(&model.unk_token)?,
            cls: id("[CLS]")?,
            sep: id("[SEP]")?,
            mask: id("[MASK]")?,
        };
        let vocabulary = model.get_vocab();
        let size = vocabulary.values().max().map_or(0, |&last| last as usize + 1);
        // Ids are table rows: a file with wild ids must not allocate gigabytes.
        if size > 4 * vocabulary.len() + 1000 {
            return Err(Error::Text(format!(
                "the vocabulary has {} tokens but ids up to {}",
                vocabulary.len(),
                size - 1
            )));
        }
        let mut tokens = vec![String::new(); size];
        for (token, id) in vocabulary {
            tokens[id as usize] = token;
        }
        Ok(Self { model, normalizer, tokens, special })
    }

    /// The tokenizer as a Hugging Face `tokenizer.json`; the same tokenizer always
    /// gives the same text.
    ///
    /// # Errors
    /// [`Error::Text`] when serialisation fails, which no valid tokenizer does.
    pub fn to_json(&self) -> Result<String> {
        let special = self.special;
        let mut tokenizer = Tokenizer::new(self.model.clone());
        tokenizer.with_normalizer(Some(self.normalizer)).map_err(text_error)?;
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        let named = |id: u32| (self.id_to_token(id).unwrap_or_default().to_owned(), id);
        let processing = BertProcessing::new(named(special.sep), named(special.cls));
        tokenizer.with_post_processor(Some(processing));
        tokenizer.with_decoder(Some(WordPieceDecoder::default()));
        let ids = [special.pad, special.unk, special.cls, special.sep, special.mask];
        let added = ids.map(|id| AddedToken::from(named(id).0, true));
        tokenizer.add_special_tokens(added).map_err(text_error)?;
        tokenizer.to_string(false).map_err(text_error)
    }

    /// The ids of one caption, `[CLS]` first and `[SEP]` last, however long.
    pub fn encode(&self, caption: &str) -> Vec<u32> {
        let mut ids = vec![self.special.cls];
        for token in self.basic_tokens(caption) {
            self.push_word_pieces(&token, &mut ids);
        }
        ids.push(self.special.sep);
        ids
    }

    /// The words and punctuation marks of a caption, cleaned, and lower-cased and
    /// without accents where the vocabulary is.
    pub fn basic_tokens(&self, caption: &str) -> Vec<String> {
        let BertNormalizer { clean_text, handle_chinese_chars, strip_accents, lowercase, .. } =
            self.normalizer;
        let basic = Basic {
            clean: clean_text,
            split_ideographs: handle_chinese_chars,
            lowercase,
            strip_accents: strip_accents.unwrap_or(lowercase),
        };
        basic.tokens(caption)
    }

    /// The word pieces of one basic token, longest match first; `[UNK]` when it
    /// cannot be spelled or is longer than 100 characters.
    pub fn word_pieces(&self, token: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.push_word_pieces(token, &mut ids);
        ids
    }

    fn push_word_pieces(&self, token: &str, ids: &mut Vec<u32>) {
        match self.model.tokenize(token) {
            Ok(pieces) => ids.extend(pieces.iter().map(|piece| piece.id)),
            Err(_) => ids.push(self.special.unk),
        }
    }

    /// Encodes and pads several captions; see [`Self::pad`].
    pub fn encode_batch(&self, captions: &[&str], max_length: usize) -> TokenBatch {
        self.pad(captions.iter().map(|caption| self.encode(caption)).collect(), max_length)
    }

    /// Pads encoded captions to one width.
    ///
    /// `max_length` is what the text tower has positions for (at least 2). A
    /// longer caption is cut, keeping its last token, `[SEP]`, and counted.
    pub fn pad(&self, mut captions: Vec<Vec<u32>>, max_length: usize) -> TokenBatch {
        let max_length = max_length.max(2);
        let mut truncated = 0;
        for caption in captions.iter_mut().filter(|caption| caption.len() > max_length) {
            truncated += 1;
            caption.drain(max_length - 1..caption.len() - 1);
        }
        let lengths: Vec<usize> = captions.iter().map(Vec::len).collect();
        let width = lengths.iter().copied().max().unwrap_or(0);
        let mut ids = Vec::with_capacity(width * captions.len());
        for caption in &captions {
            ids.extend_from_slice(caption);
            ids.resize(ids.len() + width - caption.len(), self.special.pad);
        }
        TokenBatch { ids, lengths, width, truncated }
    }

    /// Number of rows an embedding table needs: the largest id plus 1.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The token of an id; `None` for an id outside of the vocabulary.
    pub fn id_to_token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize).map(String::as_str)
    }

    /// The ids of the special tokens.
    pub fn special(&self) -> SpecialTokens {
        self.special
    }
}

impl std::fmt::Debug for CaptionTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptionTokenizer")
            .field("vocab_size", &self.vocab_size())
            .field("normalizer", &self.normalizer)
            .field("special", &self.special)
            .finish()
    }
}

fn text_error(error: tokenizers::Error) -> Error {
    Error::Text(error.to_string())
}

#[cfg(test)]
mod tests;
