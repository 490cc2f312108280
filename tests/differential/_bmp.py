"""Writes BMP files: palettes, 16, 24 and 32 bits, runs (RLE), rows from the top, and the short header of OS/2."""

import struct

import numpy as np

RGB, RLE8, RLE4, FIELDS = range(4)


def write(rows: list[bytes], width: int, bits: int, *, palette: bytes = b"", method: int = RGB, masks: bytes = b"", down: bool = False, short: bool = False) -> bytes:
    """A file of the `rows` (from the top, without padding). `palette` is blue, green, red (and zero, unless `short`)."""
    order = rows if down else rows[::-1]
    data = b"".join(row if method in (RLE8, RLE4) else row + bytes(-len(row) % 4) for row in order)
    height = -len(rows) if down else len(rows)
    if short:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, method, len(data), 2835, 2835, len(palette) // 4, 0)
    start = 14 + len(header) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + masks + palette + data


def packed(indices: np.ndarray, bits: int) -> list[bytes]:
    """Rows of palette indices, the leftmost in the highest bits."""
    unpacked = np.unpackbits(indices[..., None].astype(np.uint8), axis=-1)[..., 8 - bits :]
    return [np.packbits(row.reshape(-1)).tobytes() for row in unpacked]


def runs(indices: np.ndarray, bits: int) -> list[bytes]:
    """Rows as runs and as stretches without runs, in turn; each ends with the end of a line, the last with that of the picture."""
    rows = []
    for y, row in enumerate(indices):
        out = b""
        for x in range(0, len(row), 12):
            part = row[x : x + 12]
            if (part == part[0]).all() or len(part) < 3:
                out += b"".join(bytes([1, int(value) << (8 - bits)]) for value in part) if len(set(part.tolist())) > 1 else bytes([len(part), int(part[0]) * (17 if bits == 4 else 1)])
            else:
                stretch = packed(part[None], bits)[0]
                out += bytes([0, len(part)]) + stretch + bytes(len(stretch) % 2)
        rows.append(out + (b"\0\1" if y == 0 else b"\0\0"))
    return rows


def cases(rgb: np.ndarray):
    """Name and content."""
    gray = rgb[..., 0]
    width = rgb.shape[1]
    colours = np.random.default_rng(7).integers(0, 256, (256, 3)).astype(np.uint8)
    four = np.pad(colours, ((0, 0), (0, 1))).tobytes()
    for bits in (1, 4, 8):
        rows = packed(gray >> (8 - bits), bits)
        palette = four[: 4 << bits]
        yield f"{bits} bits, palette", write(rows, width, bits, palette=palette)
        yield f"{bits} bits, palette, from the top", write(rows, width, bits, palette=palette, down=True)
        yield f"{bits} bits, palette, OS/2", write(rows, width, bits, palette=colours[: 1 << bits].tobytes(), short=True)
        if bits > 1:
            blocks = (gray >> (8 - bits)).copy()
            blocks[20:30] = 3
            yield f"{bits} bits, runs", write(runs(blocks, bits), width, bits, palette=palette, method=RLE8 if bits == 8 else RLE4)
        yield f"{bits} bits, palette of 2", write(packed(gray >> 7, bits), width, bits, palette=four[:8])
    blue, green, red = (rgb[..., channel].astype(np.uint16) for channel in (2, 1, 0))
    fifteen = (red >> 3) << 10 | (green >> 3) << 5 | blue >> 3
    sixteen = (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3
    yield "16 bits", write([row.astype("<u2").tobytes() for row in fifteen], width, 16)
    for name, values, masks in (("5 5 5", fifteen, (0x7C00, 0x3E0, 0x1F)), ("5 6 5", sixteen, (0xF800, 0x7E0, 0x1F)), ("4 4 4", fifteen, (0xF00, 0xF0, 0xF))):
        yield f"16 bits, {name}", write([row.astype("<u2").tobytes() for row in values], width, 16, method=FIELDS, masks=struct.pack("<III", *masks))
    yield "24 bits", write([row[:, ::-1].tobytes() for row in rgb], width, 24)
    yield "24 bits, OS/2", write([row[:, ::-1].tobytes() for row in rgb], width, 24, short=True)
    wide = [np.pad(row[:, ::-1], ((0, 0), (0, 1))).tobytes() for row in rgb]
    yield "32 bits", write(wide, width, 32)
    yield "32 bits, fields", write(wide, width, 32, method=FIELDS, masks=struct.pack("<III", 0xFF0000, 0xFF00, 0xFF))
