"""Lists of JSON objects, as Python's `json` module reads them."""

import json
import pathlib
import random
import struct

from tables import BLANKS

NUMBERS = ["0", "-0", "1", "-1", "1.0", "-0.0", "1e5", "1E+5", "1e-7", "0.1", "122.416294033786585", "5e-324", "2.2250738585072014e-308",
           "1.7976931348623157e308", "1e309", "9007199254740993", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
           "18446744073709551616", "1" * 40, "01", "1.", ".5", "+1", "1e", "NaN", "Infinity", "-Infinity", "0x1"]
TEXTS = [r'""', r'"a\"b"', r'"\u00e9\n\t\/"', r'"\ud83e\udd80"', r'"\ud83e"', r'"\udd80"', '"\t"', r'"\x"', r'"\u12"', '"é🦀"', "'a'", '"a', r'"\u0000"']
OTHERS = ["[]", "{}", "[1,]", "{,}", '{"a":1,}', '{"a":1,"a":2}', "[[[[1]]]]", "null", "true", "True", "nul", "[1 2]", '{"a" 1}', "{1:2}", "// x", "",
          "[" * 100 + "]" * 100, "[" * 900 + "]" * 900, '{"b":{"c":1,"\\u0063":2}}']


def plain(value):
    """A value in which numbers are texts that say every bit of them. `-0` is a floating-point number here."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return {"whole": str(value)}
    if isinstance(value, float):
        return {"bits": str(struct.unpack("<Q", struct.pack("<d", value))[0])}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {"fields": {key: plain(item) for key, item in value.items()}}


def read(content: bytes):
    try:
        lines = content.decode("utf-8-sig").split("\n")
        values = [json.loads(line, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits)) for line in lines if line.strip()]
        found = [plain({key: item for key, item in value.items() if key != "image"}) for value in values]
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return "half a surrogate pair"
        # Blanks around a name are none of it, as in tables.
        images = [value["image"].strip(BLANKS) for value in values]
        return [found, images] if all(images) else None
    except (ValueError, KeyError, AttributeError, RecursionError):
        return None


def value(draw: random.Random, depth: int = 0):
    pick = draw.random()
    if depth > 3 or pick < 0.3:
        return draw.choice([draw.random(), draw.uniform(-1e300, 1e300), draw.random() * 1e-300, draw.randint(-(2**63), 2**64 - 1)])
    if pick < 0.6:
        return "".join(chr(draw.choice([65, 34, 92, 10, 233, 0x1F980, 0x2028, 127, 0])) for _ in range(draw.randint(0, 8)))
    if pick < 0.8:
        return [value(draw, depth + 1) for _ in range(draw.randint(0, 4))]
    return {str(key): value(draw, depth + 1) for key in range(draw.randint(0, 4))}


def contents(draw: random.Random):
    """Group, name and content of every list."""
    for group, values in [("numbers", NUMBERS), ("texts", TEXTS), ("lists, objects and others", OTHERS)]:
        for text in values:
            yield group, text[:40], ('{"image": "1.png", "value": %s}\n' % text).encode()
    for number in range(600):
        lines = [json.dumps({"image": f"{at}.png", "value": value(draw)}, ensure_ascii=draw.random() < 0.5) for at in range(3)]
        yield "written by Python", str(number), draw.choice(["\n", "\r\n", "\n\n"]).join(lines).encode()
    for number in range(3000):
        line = bytearray(json.dumps({"image": "1.png", "value": value(draw)}).encode())
        line[draw.randrange(len(line))] = draw.choice(b'"\\{}[],:0123456789eE.-+ \n\r\tau\xe9')
        yield "one byte changed", str(number), bytes(line)
    for encoding in ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-be"]:
        yield "encodings", encoding, '{"image": "1.png"}\n'.encode(encoding)
    yield "encodings", "latin-1", '{"image": "1.png", "value": "é"}\n'.encode("latin-1")


def cases(folder: pathlib.Path):
    for number, (group, name, content) in enumerate(contents(random.Random(15))):
        file = f"{number}.jsonl"
        (folder / file).write_bytes(content)
        yield {"group": group, "name": name, "input": file, "expected": read(content)}
