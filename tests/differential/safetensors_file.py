"""safetensors files: what the format's own library reads, the tensors by name with their bytes."""

import itertools
import json
import random
import struct

from safetensors import deserialize

WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1}
WIDTHS |= {"BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "C64": 8}
SHAPES = [[], [0], [1], [2, 3], [3, 0, 2], [1, 1, 4]]


def written(header, data, padding=0):
    text = (header if isinstance(header, str) else json.dumps(header)).encode() + b" " * padding
    return struct.pack("<Q", len(text)) + text + data


def loaded(data):
    try:
        tensors = deserialize(data)
    except Exception:  # Whatever it says, it refuses.
        return None
    return {name: [info["dtype"], list(info["shape"]), bytes(info["data"]).hex()] for name, info in tensors}


def header_of(tensors):
    header, end = {}, 0
    for name, dtype, shape in tensors:
        size = WIDTHS[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    return header, end


def files():
    for dtype, shape in itertools.product(WIDTHS, SHAPES):
        header, length = header_of([("a", dtype, shape), ("b", "F32", [3])])
        data = bytes(at % 2 for at in range(length)) if dtype == "BOOL" else bytes(at * 7 % 251 for at in range(length))
        yield "types and shapes", f"{dtype} {shape}", written(header, data)
        yield "types and shapes", f"{dtype} {shape} with metadata", written({"__metadata__": {"format": "pt"}, **header}, data, 5)

    header, length = header_of([("a", "F32", [2, 2]), ("b", "I16", [3]), ("c", "U8", [5])])
    data = bytes(range(length))
    text = json.dumps(header)
    good = written(header, data)
    names = {"byte order mark": "\ufeff" + text, "space before": "  " + text, "empty": "", "list": "[]", "null": "null", "nothing": "{}"}
    names["twice"] = text[:-1] + ', "a": ' + json.dumps(header["a"]) + "}"
    names["one key more"] = text.replace('"dtype": "F32"', '"dtype": "F32", "more": 1')
    names["no shape"] = text.replace('"shape": [2, 2], ', "")
    names["metadata of numbers"] = '{"__metadata__": {"a": 1}, ' + text[1:]
    names["unknown type"] = text.replace("F32", "F33")
    for name, changed in names.items():
        yield "headers", name, written(changed, data)
    for offsets in ([0, 15], [0, 17], [1, 17], [4, 20], [16, 0], [0, 1 << 63], [-1, 15], [0, 16.0]):
        changed = json.loads(text)
        changed["a"]["data_offsets"] = offsets
        yield "offsets", f"{offsets}", written(changed, data)
    for shape in ([4], [4, 1], [2, 3], [1 << 62, 4], [-2, -2], [2.0, 2], []):
        changed = json.loads(text)
        changed["a"]["shape"] = shape
        yield "offsets", f"shape {shape}", written(changed, data)
    for order in itertools.permutations(header):
        yield "offsets", f"order {order}", written({name: header[name] for name in order}, data)
    for length in (0, 1, 7, 100_000_000, 100_000_001, 1 << 40, (1 << 64) - 1):
        yield "header length", f"{length}", struct.pack("<Q", length) + good[8:]
    for percent in range(0, 100, 2):
        yield "cut short", f"{percent} %", good[: len(good) * percent // 100]
    yield "cut short", "one byte more", good + b"\0"
    chance = random.Random(15)
    for number in range(1000):
        damaged = bytearray(good)
        at = chance.randrange(len(good) - len(data))
        damaged[at] ^= 1 << chance.randrange(8)
        yield "one bit of the header changed", f"{number} (byte {at})", bytes(damaged)


def cases(folder):
    for number, (group, name, data) in enumerate(files()):
        file = f"{number}.safetensors"
        (folder / file).write_bytes(data)
        yield {"group": group, "name": name, "input": file, "expected": loaded(data)}
