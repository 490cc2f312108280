"""Writes core/src/text/tokenizer/categories.rs: the Unicode categories that BERT's tokenizer asks Python for."""

import pathlib
import sys
import unicodedata

TABLES = {
    "OTHER": ("Control signs, format signs, private and unassigned code points (C*)", lambda category: category[0] == "C"),
    "PUNCTUATION": ("Punctuation (P*)", lambda category: category[0] == "P"),
    "NONSPACING": ("Marks on the letter before (Mn)", lambda category: category == "Mn"),
}


def borders(belongs):
    inside, found = False, []
    for code in range(sys.maxunicode + 1):
        # Surrogates are no characters of Rust's: left with their neighbours.
        if 0xD800 <= code <= 0xDFFF:
            continue
        if belongs(unicodedata.category(chr(code))) != inside:
            inside = not inside
            found.append(code)
    return found


def main():
    text = f"""//! Unicode {unicodedata.unidata_version}'s categories, as far as BERT's tokenizer asks for them.
//!
//! Written by tests/differential/_unicode_tables.py. A table holds, in order, each code point from which on characters
//! belong to the set, and the one from which on they do not.

/// Whether a character belongs to the set of a table.
pub(super) fn is_in(table: &[u32], character: char) -> bool {{
    table.partition_point(|border| *border <= u32::from(character)) % 2 == 1
}}
"""
    for name, (meaning, belongs) in TABLES.items():
        numbers, lines, line = borders(belongs), [], "   "
        for number in numbers:
            item = f" {number:#x},"
            if len(line) + len(item) > 100:
                lines.append(line)
                line = "   "
            line += item
        body = "\n".join([*lines, line])
        text += f"\n/// {meaning}.\n#[rustfmt::skip]\npub(super) static {name}: [u32; {len(numbers)}] = [\n{body}\n];\n"
    root = pathlib.Path(__file__).resolve().parents[2]
    (root / "core/src/text/tokenizer/categories.rs").write_text(text)


main()
