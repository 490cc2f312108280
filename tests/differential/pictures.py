"""Pictures, as OpenCV reads them: JPEG (any sampling, order of scans, restart markers, damage), PNG, TIFF, GIF, WebP and BMP.

Transparent pictures are shown on white, from what Pillow reads, since OpenCV leaves alpha out or multiplies it in.
"""

import contextlib
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
import imagecodecs  # noqa: E402
import tifffile  # noqa: E402
from PIL import Image  # noqa: E402

import _bmp  # noqa: E402
import _jpeg  # noqa: E402

RANDOM = np.random.default_rng(20261130)
WIDTH, HEIGHT = 61, 47


def picture() -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, (x + y) * 3 % 256], -1).astype(np.uint8)
    pixels[5:23, 7:30] = RANDOM.integers(60, 187, (18, 23, 3))
    return pixels


RGB = picture()
GRAY = RGB[..., 0].copy()
ALPHA = RANDOM.integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
RGBA = np.dstack([RGB, ALPHA])


@contextlib.contextmanager
def quiet():
    """Without what libjpeg says of each damaged file."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)


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


# How a picture is turned upright, by its orientation.
TURNS = [None, None, *(getattr(Image.Transpose, name) for name in ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"))]
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
    for factors, progressive in itertools.product(FACTORS, (False, True)):
        scans = [([0], 0, 0), ([0], 1, 63)] if progressive else [([0], 0, 63)]
        kind = "progressive" if progressive else "sequential"
        yield f"gray, {factors[0]}x{factors[1]}, {kind}", _jpeg.write(RGB[..., :1], [factors], scans, 0, progressive)
    encode = imagecodecs.jpeg8_encode
    yield "libjpeg, YCCK", encode(RGBA, level=90, colorspace="CMYK", outcolorspace="YCCK")
    yield "libjpeg, RGB", encode(RGB, level=90, outcolorspace="RGB")
    for name, pixels in {"RGB": RGB, "gray": GRAY}.items():
        yield f"libjpeg, {name}, lossless", encode(pixels, lossless=True)
        yield f"libjpeg, {name}, 12 bits", encode(pixels.astype(np.uint16) * 16, level=90, bitspersample=12)


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
    """A PNG of random samples of any depth, with an extra chunk (its name and content)."""
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
    parts = [extra, palette and b"PLTE" + palette]
    if extra.startswith(b"tRNS"):  # It stands behind the palette, all others before it.
        parts.reverse()
    chunks = [chunk(part[:4], part[4:]) for part in parts if part]
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def pngs():
    palette = RANDOM.integers(0, 256, 768).astype(np.uint8).tobytes()
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8)}.items():
        for depth, interlaced in itertools.product(depths, (False, True)):
            table = palette[: 3 << depth] if colour == 3 else b""
            for name, extra in {"plain": b"", "gamma": b"gAMA" + struct.pack(">I", 45455 // 2)}.items():
                content = png(depth, colour, interlaced, table, extra)
                yield f"colour type {colour}, {depth} bits, interlaced {interlaced}, {name}", content, opencv(content)
    for colour, depth, interlaced in itertools.product((4, 6), (8, 16), (False, True)):
        content = png(depth, colour, interlaced)
        yield f"colour type {colour}, {depth} bits, interlaced {interlaced}", content, pillow(content)
    # One gray or colour that is transparent, and alpha by colour of a palette.
    for depth in (1, 2, 4, 8):
        if depth in (1, 8):  # Pillow takes the transparent gray of 2 and 4 bits for one of 8.
            content = png(depth, 0, False, extra=b"tRNS" + struct.pack(">H", 1))
            yield f"transparent gray, {depth} bits", content, pillow(content)
        content = png(depth, 3, False, palette[: 3 << depth], b"tRNS" + palette[: 1 << depth])
        yield f"palette with alpha, {depth} bits", content, pillow(content)
    content = png(8, 2, False, extra=b"tRNS" + struct.pack(">HHH", 1, 2, 3))
    yield "transparent colour", content, pillow(content)


def shared_colours(across: int, down: int) -> bytes:
    """A TIFF of random YCbCr, in which several pixels share a colour."""
    units = -(-WIDTH // across) * -(-HEIGHT // down)
    data = RANDOM.integers(16, 236, units * (across * down + 2)).astype(np.uint8).tobytes()
    shorts = {256: (WIDTH,), 257: (HEIGHT,), 258: (8, 8, 8), 259: (1,), 262: (6,), 277: (3,), 530: (across, down)}
    directory = 8 + len(data) + len(data) % 2
    far = directory + 2 + 12 * 9 + 4
    entries = {tag: struct.pack("<HI", 3, len(values)) + (struct.pack("<HH", *values, *(0,) * (2 - len(values))) if len(values) < 3 else struct.pack("<I", far)) for tag, values in shorts.items()}
    entries |= {273: struct.pack("<HII", 4, 1, 8), 279: struct.pack("<HII", 4, 1, len(data))}
    listed = b"".join(struct.pack("<H", tag) + entry for tag, entry in sorted(entries.items()))
    return b"II" + struct.pack("<HI", 42, directory) + data + bytes(len(data) % 2) + struct.pack("<H", 9) + listed + bytes(4) + struct.pack("<HHH", 8, 8, 8)


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
            if method == "zstd" and opencv(content) is None:
                wanted = None  # OpenCV's libtiff can lack it.
            yield f"{kind}, {shape}, {method}, predictor {predictor}", content, wanted
    for bits, (kind, (_, options)) in itertools.product((2, 4), kinds.items()):
        if kind in ("gray", "white is zero"):
            stream = io.BytesIO()
            tifffile.imwrite(stream, GRAY >> (8 - bits), bitspersample=bits, **options)
            yield f"{kind}, {bits} bits", stream.getvalue(), opencv(stream.getvalue())
    for across, down in itertools.product((1, 2, 4), repeat=2):
        content = shared_colours(across, down)
        yield f"YCbCr, {across}x{down} pixels share a colour", content, opencv(content)
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
    for name, options in {"transparent": {"transparency": 3}, "of two frames": {"save_all": True, "append_images": [Image.fromarray(RGB[::-1])]}}.items():
        stream = io.BytesIO()
        Image.fromarray(RGB).quantize(16).save(stream, "GIF", **options)
        yield "GIF", name, stream.getvalue(), pillow(stream.getvalue())
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, "WEBP", lossless=True, save_all=True, append_images=[Image.fromarray(RGB[::-1])])
    yield "WebP", "of two frames", stream.getvalue(), pillow(stream.getvalue())
    for mode in ("1", "L", "P", "RGB"):
        content = saved(RGB, mode, "BMP")
        yield "BMP", f"Pillow, {mode}", content, opencv(content)
    for name, content in _bmp.cases(RGB):
        yield "BMP", name, content, opencv(content)
    for name, pixels in {"RGB": RGB, "gray": GRAY, "RGBA": RGBA}.items():
        for effort, container in itertools.product((1, 5, 7, 9), (False, True)):
            content = imagecodecs.jpegxl_encode(pixels, lossless=True, effort=effort, usecontainer=container)
            wanted = imagecodecs.jpegxl_decode(content)
            wanted = on_white(wanted) if name == "RGBA" else np.broadcast_to(wanted.reshape(HEIGHT, WIDTH, -1), (HEIGHT, WIDTH, 3))
            yield "JPEG XL, lossless", f"{name}, effort {effort}, container {container}", content, wanted


def turned():
    """Each orientation in each format that can state it."""
    for number, format in itertools.product(range(1, 9), ("JPEG", "PNG", "WEBP", "TIFF")):
        exif = Image.Exif()
        exif[274] = number
        options = {"lossless": True} if format == "WEBP" else {}
        content = saved(RGB, None, format, exif=exif, **options)
        pixels = Image.fromarray(opencv(saved(RGB, None, "JPEG")) if format == "JPEG" else RGB)
        turned = pixels.transpose(method) if (method := TURNS[number]) is not None else pixels
        yield f"{format.title()}, orientation {number}", content, np.array(turned)


def cases(folder: pathlib.Path):
    with quiet():
        yield from all_cases(Maker(folder))


def all_cases(maker: Maker):
    # By their sampling, and files of several scans of each coefficient.
    broken = {"2x2 1x1 1x1", "1x1 1x1 1x1", "1x1 2x2 2x2", "2x1 1x1 1x1"}
    broken |= {"Pillow, RGB, quality 90, 2, progressive True", "libjpeg, YCCK"}
    for name, content in jpegs():
        kind = "progressive" if "progressive" in name and "False" not in name else "sequential"
        yield maker.case(f"JPEG, {kind}", name, content, opencv(content))
        yield maker.case("JPEG without end marker", name, content[:-2], opencv(content[:-2]))
        if (name.split(",")[0] in broken and "restart 1" not in name) or name in broken:
            for what, damaged in damage(content):
                yield maker.case("JPEG, damaged", f"{name}; {what}", damaged, opencv(damaged))
    for name, content, pixels in pngs():
        yield maker.case("PNG", name, content, pixels)
    for name, content, pixels in tiffs():
        yield maker.case("TIFF", name, content, pixels)
    for group, name, content, pixels in others():
        yield maker.case(group, name, content, pixels)
    for name, content, pixels in turned():
        yield maker.case("turned", name, content, pixels)
