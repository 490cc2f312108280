"""Tables of pictures and captions, as Python's `csv` module reads them."""

import csv
import io
import pathlib
import random

CELLS = ["a", "a cat", "say \"hi\"", "one, two", "two\nlines", "two\r\nlines", "é 🦀", "6\" pipe", "'x'", ";", "\"", "x,\"y\"\n,", " padded "]

# What this program takes off the ends: Unicode's white space, without the separators that Python adds.
BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def one_line(text: str) -> str:
    """A caption as this program keeps it."""
    return text.replace("\n", " ").replace("\r", " ").replace("\t", " ").strip(BLANKS)


def read(content: bytes, delimiter: str):
    """Captions by picture, in the order of their first rows; None where the module refuses.

    Columns that are not used may hold any bytes.
    """
    try:
        text = content.decode("utf-8-sig", "surrogateescape")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
        pictures: dict[str, list[str]] = {}
        for row in rows:
            (row["image"] + row["caption"]).encode()
            pictures.setdefault(row["image"].strip(BLANKS), []).append(one_line(row["caption"]))
    except (csv.Error, UnicodeError, KeyError, AttributeError, TypeError):
        return None
    return [[image, captions] for image, captions in pictures.items()]


def written(draw: random.Random, quoting: int, ending: str, delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, quoting=quoting, lineterminator=ending, delimiter=delimiter)
    table.writerow(["image", "caption", "note"])
    for row in range(draw.randint(1, 6)):
        caption = draw.choice(CELLS) + draw.choice(CELLS)
        table.writerow([f"{row % 4}.png", caption, draw.choice(CELLS)])
    return text.getvalue().encode()


def contents(draw: random.Random):
    """Group, name and content of every table."""
    quotings = {"minimal": csv.QUOTE_MINIMAL, "all": csv.QUOTE_ALL, "nonnumeric": csv.QUOTE_NONNUMERIC}
    for name, quoting in quotings.items():
        for ending, shown in [("\n", "LF"), ("\r\n", "CRLF"), ("\r", "CR")]:
            for number in range(60):
                yield f"written by Python, lines end in {shown}", f"{name} {number}", written(draw, quoting, ending)
    whole = written(random.Random(1), csv.QUOTE_ALL, "\r\n")
    for cut in range(len(whole)):
        yield "cut short", str(cut), whole[:cut]
    for number in range(1500):
        text = "".join(draw.choice(["a", "b", ",", "\"", "\n", "\r", " ", "é", "1.png,"]) for _ in range(draw.randint(1, 40)))
        yield "any characters", str(number), ("image,caption\n" + text).encode()
    for number in range(500):
        table = bytearray(written(draw, csv.QUOTE_MINIMAL, "\n"))
        table[draw.randrange(21, len(table))] = draw.randrange(256)
        yield "one byte changed", str(number), bytes(table)
    text = "image,caption\n1.png,\xe9\n"
    for encoding in ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]:
        yield "encodings", encoding, text.encode(encoding)
    for header in ["image,caption,caption", "caption,image", "image,caption,image", "image,caption,split,split", "x,caption", "image;caption"]:
        yield "columns", header, f"{header}\n1.png,a,b,c\n1.png,a,b\n".encode()


def cases(folder: pathlib.Path):
    for number, (group, name, content) in enumerate(contents(random.Random(15))):
        file = f"{number}.csv"
        (folder / file).write_bytes(content)
        yield {"group": group, "name": name, "input": file, "expected": read(content, ",")}
