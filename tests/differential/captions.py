"""Captions: the word pieces that Hugging Face's BERT tokenizer makes of them, over all of Unicode.

Each case is a file of some hundred captions, a line of JSON each; the tokenizer in Python is the one that the official code called.
"""

import collections
import itertools
import json
import random
import sys
import unicodedata

from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

MARKS = ["\u0301", "\u0308", "\u0327", "\u0345", "\u200d", "\u0600", "\u20e3", "\ufe0f", "\u3099"]
BESIDE = ["a", "I", "Σ", "İ", "ß", "1", "-", "é", "中"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

# Whether these are letters with a case, or marks, is said otherwise since Unicode 15 and 16. Rust lower-cases by the newest, Python by its
# own: a sigma that stands behind one of them at a word's end may be either.
CHANGED = {0x0295, 0x1171E}


def vocabulary():
    """Special tokens, every letter and mark below 0x3000, some ideographs, and pieces of English words."""
    def kept(code):
        return unicodedata.category(chr(code))[0] in "LNPS"

    signs = [chr(code) for code in itertools.chain(range(0x21, 0x3000), range(0x4E00, 0x4E80), range(0x1F300, 0x1F380)) if kept(code)]
    words = ["the", "man", "dog", "run", "##ning", "##s", "play", "##ing", "##ed", "cafe", "straße", "##ss", "un", "##believ", "##able"]
    return list(dict.fromkeys(SPECIAL + signs + [f"##{sign}" for sign in signs] + words))


def all_captions():
    codes = [code for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    for code in codes:
        yield "each code point alone", chr(code)
    for code in codes:
        if unicodedata.category(chr(code)) not in ("Cn", "Co"):
            yield "between letters", f"x{chr(code)}y"
            if code not in CHANGED:
                yield "in upper case words", f"A{chr(code)}Σ"
    for code in range(0x3000):
        for mark in MARKS:
            yield "with a combining mark", f"{chr(code)}{mark}"
        for other in BESIDE if code not in CHANGED else "a":
            yield "in pairs", f"{other}{chr(code)}{other}"
    chance = random.Random(15)
    words = ["the", "Running", "dogs", "unbelievable", "STRASSE", "straße", "Café", "don't", "ΣΑΣ", "ﬁne", "½", "①", "한국어", "日本", "[SEP]", "[MASK]"]
    for length in [*range(0, 40), 100, 510, 511, 512, 513, 600, 2000]:
        yield "long captions", " ".join(chance.choice(words) for _ in range(length))
    for length in (99, 100, 101, 102, 200, 5000):
        yield "long words", "n" * length
        yield "long words", "é" * length
        yield "long words", "e\u0301" * length
    for _ in range(20_000):
        count = chance.randrange(1, 12)
        yield "random text", "".join(chr(chance.choice(codes) if chance.random() < 0.3 else chance.randrange(0x20, 0x600)) for _ in range(count))


def cases(folder):
    (folder / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerLegacy(str(folder / "vocab.txt"))
    split, pieces, ids = tokenizer.basic_tokenizer.tokenize, tokenizer.wordpiece_tokenizer.tokenize, tokenizer.vocab
    gathered, number = collections.defaultdict(list), 0

    def written(group):
        nonlocal number
        name, chunk = f"{number}.json", gathered.pop(group)
        number += 1
        (folder / name).write_text(json.dumps(chunk))
        expected = [[ids[piece] for word in split(text) for piece in pieces(word)] for text in chunk]
        return {"group": group, "name": name, "input": name, "expected": expected}

    for group, text in all_captions():
        gathered[group].append(text)
        if len(gathered[group]) == 500:
            yield written(group)
    for group in list(gathered):
        yield written(group)
