"""Pictures, as OpenCV reads them: JPEG (any sampling, order of scans, restart markers, damage), PNG, TIFF, GIF, WebP, BMP.

Transparent pictures are shown on white, from what Pillow reads, since OpenCV leaves alpha out or multiplies it in.
"""

import io
import itertools
import os
import pathlib
import struct
import tempfile
import zlib

os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
import cv2  # noqa: E402
import numpy as np  # noqa: E402
import tifffile  # noqa: E402
from PIL import Image  # noqa: E402

import _jpeg  # noqa: E402

RANDOM = np.random.default_rng(20261130)
WIDTH, HEIGHT = 61, 47


def picture() -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, (x + y) * 3 % 256], -1).astype(np.uint8)
    pixels[5:23, 7:30] = RANDOM.integers(60, 187, (18, 23, 3))
    return pixels


RGB = picture()
GRAY = RGB[..., 0]
ALPHA = RANDOM.integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
RGBA = np.dstack([RGB, ALPHA])


def opencv(content: bytes) -> np.ndarray | None:
    # From a file: a JPEG without end marker is read there, and not from memory.
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            pixels = cv2.imread(file.name, cv2.IMREAD_COLOR)
        except cv2.error:
            return None
    return None if pixels is None else pixels[..., ::-1]


def on_white(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:].astype(int)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def pillow(content: bytes) -> np.ndarray | None:
    try:
        return on_white(np.array(Image.open(io.BytesIO(content)).convert("RGBA")))
    except (OSError, ValueError, SyntaxError):
        return None


class Maker:
    """Writes a file and what is to be read in it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.count = folder, 0

    def case(self, group: str, name: str, content: bytes, pixels: np.ndarray | None) -> dict:
        self.count += 1
        input = f"{self.count}.bin"
        (self.folder / input).write_bytes(content)
        expected = None
        if pixels is not None:
            (self.folder / f"{self.count}.rgb").write_bytes(np.ascontiguousarray(pixels).tobytes())
            expected = {"file": f"{self.count}.rgb", "width": pixels.shape[1], "height": pixels.shape[0]}
        return {"group": group, "name": name, "input": input, "expected": expected}


FACTORS = [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (1, 4), (4, 2), (2, 4)]
SAMPLINGS = [[a, b, b] for a in FACTORS for b in FACTORS]
SAMPLINGS += [[(2, 2), (1, 1), (2, 1)], [(1, 1), (2, 1), (1, 2)], [(3, 1), (1, 1), (1, 1)], [(3, 2), (1, 2), (1, 1)], [(1, 1), (1, 1), (2, 2)]]
ORDERS = {"one": [[0, 1, 2]], "Y CbCr": [[0], [1, 2]], "YCb Cr": [[0, 1], [2]], "Y Cb Cr": [[0], [1], [2]], "Cb Y Cr": [[1], [0], [2]], "CbCr Y": [[1, 2], [0]], "YCr Cb": [[0, 2], [1]]}


def jpegs():
    """Name and content."""
    for sampling, (order, parts), restart, progressive in itertools.product(SAMPLINGS, ORDERS.items(), (0, 1, 3), (False, True)):
        # An MCU has at most ten blocks.
        if any(len(part) > 1 and sum(sampling[i][0] * sampling[i][1] for i in part) > 10 for part in parts):
            continue
        scans = [(part, 0, 0 if progressive else 63) for part in parts]
        if progressive:
            scans += [([i], first, last) for first, last in ((1, 5), (6, 63)) for i in range(3)]
        factors = " ".join(f"{a}x{d}" for a, d in sampling)
        yield f"{factors}, scans {order}, restart {restart}, {'progressive' if progressive else 'sequential'}", _jpeg.write(RGB, sampling, scans, restart, progressive)
    for quality, sampling, progressive in itertools.product((30, 90, 100), (0, 1, 2), (False, True)):
        for mode in ("RGB", "L"):
            stream = io.BytesIO()
            Image.fromarray(RGB).convert(mode).save(stream, "JPEG", quality=quality, subsampling=sampling, progressive=progressive)
            yield f"Pillow, {mode}, quality {quality}, {sampling}, progressive {progressive}", stream.getvalue()
    stream = io.BytesIO()
    Image.fromarray(RGBA, "CMYK").save(stream, "JPEG")
    yield "Pillow, CMYK", stream.getvalue()


def damage(content: bytes):
    for share in range(2, 100, 2):
        at = len(content) * share // 100
        yield f"cut at {share}%", content[:at]
        yield f"cut at {share}%, ended", content[:at] + b"\xff\xd9"
        yield f"bit {share}%", content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :]
        yield f"zeros {share}%", content[:at] + bytes(8) + content[at + 8 :]
        yield f"5 bytes gone {share}%", content[:at] + content[at + 5 :]
        yield f"marker {share}%", content[:at] + b"\xff" + content[at + 1 :]


def saved(pixels, mode: str | None, format: str, **options) -> bytes | None:
    image = Image.fromarray(pixels)
    stream = io.BytesIO()
    try:
        (image.convert(mode) if mode else image).save(stream, format, **options)
    except (OSError, ValueError, KeyError):
        return None
    return stream.getvalue()


def png(depth: int, colour: int, interlaced: bool, palette: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG of random samples of any depth."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]

    def rows(width: int, height: int) -> bytes:
        size = -(-width * samples * depth // 8)
        # Two palettes' worth of indices at most: all of them exist.
        return b"".join(b"\0" + RANDOM.integers(0, 256, size).astype(np.uint8).tobytes() for _ in range(height)) if width else b""

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)] if interlaced else [(0, 0, 1, 1)]
    data = b"".join(rows(-(-(WIDTH - x) // w), -(-(HEIGHT - y) // h)) for x, y, w, h in passes)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlaced))
    extra = b"".join(chunk(extra[:4], extra[4:]) for extra in [extra] if extra)
    return b"\x89PNG\r\n\x1a\n" + head + extra + (chunk(b"PLTE", palette) if palette else b"") + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def pngs():
    palette = RANDOM.integers(0, 256, 768).astype(np.uint8).tobytes()
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8)}.items():
        for depth, interlaced in itertools.product(depths, (False, True)):
            table = palette[: 3 << depth] if colour == 3 else b""
            for name, extra in {"plain": b"", "gamma": b"gAMA" + struct.pack(">I", 45455 // 2)}.items():
                content = png(depth, colour, interlaced, table, extra)
                yield f"colour type {colour}, {depth} bits, interlaced {interlaced}, {name}", content, opencv(content)
    for colour, interlaced in itertools.product((4, 6), (False, True)):
        content = png(8, colour, interlaced)
        yield f"colour type {colour}, interlaced {interlaced}", content, pillow(content)


def tiffs():
    kinds = {
        "RGB": (RGB, {"photometric": "rgb"}),
        "gray": (GRAY, {"photometric": "minisblack"}),
        "white is zero": (GRAY, {"photometric": "miniswhite"}),
        "1 bit": (GRAY > 128, {"photometric": "minisblack"}),
        "RGB, 16 bits": (RGB.astype(np.uint16) * 257 + 13, {"photometric": "rgb"}),
        "gray, 16 bits": (GRAY.astype(np.uint16) * 250 + 13, {"photometric": "minisblack"}),
        "planes": (RGB.transpose(2, 0, 1).copy(), {"photometric": "rgb", "planarconfig": "separate"}),
        "palette": (GRAY, {"photometric": "palette", "colormap": RANDOM.integers(0, 65536, (3, 256)).astype(np.uint16)}),
        "BigTIFF": (RGB, {"photometric": "rgb", "bigtiff": True}),
        "big endian": (RGB, {"photometric": "rgb", "byteorder": ">"}),
        "CMYK": (RGBA, {"photometric": "separated"}),
        "Lab": (RGB, {"photometric": "cielab"}),
        "YCbCr": (RGB, {"photometric": "ycbcr", "subsampling": (1, 1)}),
        "floating point": (RGB.astype(np.float32), {"photometric": "rgb"}),
        "two pages": (np.stack([RGB, RGB[::-1]]), {"photometric": "rgb"}),
        "alpha": (RGBA, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        "associated alpha": (np.dstack([(RGB.astype(int) * ALPHA[..., None] // 255).astype(np.uint8), ALPHA]), {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
    }
    shapes = {"one strip": {}, "strips": {"rowsperstrip": 10}, "tiles": {"tile": (16, 32)}}
    for (kind, (pixels, options)), (shape, chunks), method in itertools.product(kinds.items(), shapes.items(), (None, "lzw", "deflate", "packbits", "zstd")):
        for predictor in (None, True) if method in ("lzw", "deflate") and pixels.dtype != bool else (None,):
            stream = io.BytesIO()
            try:
                tifffile.imwrite(stream, pixels, compression=method, predictor=predictor, **options, **chunks)
            except (ValueError, TypeError, RuntimeError):
                continue
            content = stream.getvalue()
            if kind == "alpha":
                wanted = on_white(RGBA)
            elif kind == "associated alpha":
                wanted = np.minimum(255, pixels[..., :3].astype(int) + 255 - ALPHA[..., None]).astype(np.uint8)
            else:
                wanted = opencv(content)
            if kind == "gray, 16 bits":
                # OpenCV takes wrong pixels at the edges of tiles; elsewhere it does this.
                wanted = np.repeat((pixels >> 8).astype(np.uint8)[..., None], 3, 2)
            if method == "zstd":
                wanted = RGB  # OpenCV's libtiff lacks it; we refuse it as well.
            yield f"{kind}, {shape}, {method}, predictor {predictor}", content, wanted
    for method in ("group4", "group3", "tiff_ccitt"):
        content = saved(GRAY, "1", "TIFF", compression=method)
        if content:
            yield f"fax, {method}", content, opencv(content)


def others():
    for mode, lossless, quality in itertools.product(("RGB", "RGBA"), (False, True), (20, 80)):
        content = saved(RGBA if mode == "RGBA" else RGB, None, "WEBP", lossless=lossless, quality=quality, exact=True)
        yield "WebP", f"{mode}, lossless {lossless}, quality {quality}", content, pillow(content) if mode == "RGBA" else opencv(content)
    for interlace, colours in itertools.product((0, 1), (2, 16, 256)):
        image = Image.fromarray(RGB).quantize(colours)
        stream = io.BytesIO()
        image.save(stream, "GIF", interlace=interlace)
        yield "GIF", f"interlace {interlace}, {colours} colours", stream.getvalue(), opencv(stream.getvalue())
    for mode in ("1", "L", "P", "RGB"):
        content = saved(RGB, mode, "BMP")
        yield "BMP", mode, content, opencv(content)


def cases(folder: pathlib.Path):
    maker = Maker(folder)
    broken = {"2x2 1x1 1x1", "1x1 1x1 1x1", "1x1 2x2 2x2", "2x1 1x1 1x1"}
    for name, content in jpegs():
        kind = "progressive" if "progressive" in name and "False" not in name else "sequential"
        yield maker.case(f"JPEG, {kind}", name, content, opencv(content))
        yield maker.case("JPEG without end marker", name, content[:-2], opencv(content[:-2]))
        if name.split(",")[0] in broken and "restart 1" not in name:
            for what, damaged in damage(content):
                yield maker.case("JPEG, damaged", f"{name}; {what}", damaged, opencv(damaged))
    for name, content, pixels in pngs():
        yield maker.case("PNG", name, content, pixels)
    for name, content, pixels in tiffs():
        yield maker.case("TIFF", name, content, pixels)
    for group, name, content, pixels in others():
        yield maker.case(group, name, content, pixels)
