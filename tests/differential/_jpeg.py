"""Writes JPEG files with any sampling, any order of scans and restart markers. Sequential, or progressive by bands."""

import struct

import numpy as np

ZIGZAG = sorted(range(64), key=lambda k: (k // 8 + k % 8, (k // 8) if (k // 8 + k % 8) % 2 else (k % 8)))
QUANTISERS = np.minimum(255, 3 + 2 * np.add.outer(np.arange(8), np.arange(8))).reshape(64)
DCT = np.array([[np.cos((2 * x + 1) * u * np.pi / 16) * (np.sqrt(0.125) if u == 0 else 0.5) for x in range(8)] for u in range(8)])


def codes(symbols: list[int]) -> tuple[bytes, dict[int, tuple[int, int]]]:
    """A Huffman table with codes of 9 bits at most, and the code and length of each symbol."""
    lengths = [0] * 16
    for index in range(len(symbols)):
        lengths[3 if index < 8 else 8] += 1
    table, code, at = {}, 0, 0
    for length, count in enumerate(lengths, 1):
        for _ in range(count):
            table[symbols[at]] = (code, length)
            code, at = code + 1, at + 1
        code <<= 1
    return bytes(lengths) + bytes(symbols), table


DC_BYTES, DC = codes(list(range(12)))
AC_BYTES, AC = codes([0, 1, 2, 0x11, 3, 0x12, 0x21, 4, 0xF0] + [run << 4 | size for run in range(16) for size in range(1, 11) if run << 4 | size not in (1, 2, 0x11, 3, 0x12, 0x21, 4)])


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


class Bits:
    """Bits with zeros behind every byte of ones, as JPEG wants them."""

    def __init__(self) -> None:
        self.text: list[str] = []

    def put(self, value: int, length: int) -> None:
        if length:
            self.text.append(format(value, f"0{length}b"))

    def number(self, value: int, size: int) -> None:
        self.put(value if value > 0 else value + (1 << size) - 1, size)

    def bytes(self) -> bytes:
        text = "".join(self.text)
        text += "1" * (-len(text) % 8)
        return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8)).replace(b"\xff", b"\xff\0")


def blocks(plane: np.ndarray, across: int, down: int) -> np.ndarray:
    """Quantised coefficients of `down` x `across` blocks, in zigzag order."""
    plane = np.pad(plane, ((0, down * 8 - plane.shape[0]), (0, across * 8 - plane.shape[1])), mode="edge") - 128.0
    tiles = plane.reshape(down, 8, across, 8).transpose(0, 2, 1, 3)
    values = np.rint((DCT @ tiles @ DCT.T).reshape(down, across, 64) / QUANTISERS).astype(int)
    return values[:, :, ZIGZAG]


def write(pixels: np.ndarray, sampling: list[tuple[int, int]], scans: list, restart: int, progressive: bool) -> bytes:
    """A file. A scan is (components, first coefficient, last coefficient)."""
    height, width = pixels.shape[:2]
    most = max(a for a, _ in sampling), max(d for _, d in sampling)
    mcus = -(-width // (8 * most[0])), -(-height // (8 * most[1]))
    grids, real = [], []
    for index, (across, down) in enumerate(sampling):
        steps = most[1] // down if most[1] % down == 0 else 1, most[0] // across if most[0] % across == 0 else 1
        size = -(-height * down // most[1]), -(-width * across // most[0])
        plane = pixels[:: steps[0], :: steps[1], index][: size[0], : size[1]].astype(float)
        grids.append(blocks(plane, mcus[0] * across, mcus[1] * down))
        real.append((-(-size[1] // 8), -(-size[0] // 8)))
    file = b"\xff\xd8" + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    file += segment(0xDB, b"\0" + bytes(QUANTISERS[ZIGZAG].astype(np.uint8)))
    frame = struct.pack(">BHHB", 8, height, width, len(sampling))
    frame += b"".join(bytes([index + 1, a << 4 | d, 0]) for index, (a, d) in enumerate(sampling))
    file += segment(0xC2 if progressive else 0xC0, frame)
    file += segment(0xC4, b"\0" + DC_BYTES) + segment(0xC4, b"\x10" + AC_BYTES)
    if restart:
        file += segment(0xDD, struct.pack(">H", restart))
    for parts, first, last in scans:
        listed = b"".join(bytes([part + 1, 0]) for part in parts)
        file += segment(0xDA, bytes([len(parts)]) + listed + bytes([first, last, 0]))
        wide, tall = real[parts[0]] if len(parts) == 1 else mcus
        bits, before = Bits(), dict.fromkeys(parts, 0)
        for unit in range(wide * tall):
            if restart and unit and unit % restart == 0:
                file += bits.bytes() + bytes([0xFF, 0xD0 + (unit // restart - 1) % 8])
                bits, before = Bits(), dict.fromkeys(parts, 0)
            x, y = unit % wide, unit // wide
            for part in parts:
                across, down = (1, 1) if len(parts) == 1 else sampling[part]
                for v in range(down):
                    for h in range(across):
                        before[part] = put(bits, grids[part][y * down + v, x * across + h], before[part], first, last)
        file += bits.bytes()
    return file + b"\xff\xd9"


def put(bits: Bits, block: np.ndarray, before: int, first: int, last: int) -> int:
    """Writes a block's coefficients of a scan; the value that the next block's first one is counted from."""
    if first == 0:
        size = int(abs(block[0] - before)).bit_length()
        bits.put(*DC[size])
        bits.number(int(block[0] - before), size)
        before = int(block[0])
    run = 0
    for value in block[max(first, 1) : last + 1]:
        if value == 0:
            run += 1
            continue
        while run > 15:
            bits.put(*AC[0xF0])
            run -= 16
        size = int(abs(value)).bit_length()
        bits.put(*AC[run << 4 | size])
        bits.number(int(value), size)
        run = 0
    if run:
        bits.put(*AC[0])
    return before
