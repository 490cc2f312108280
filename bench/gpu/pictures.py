"""Puts a folder of PNG files into one tar file, each as it would be without compression: an archive's own compression then finds
what many of them share, and one file is unpacked more quickly than ten thousand.

    python3 pictures.py FOLDER OUT.tar
"""

import io
import struct
import sys
import tarfile
import zlib
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def stored(png):
    """The same picture with its data stored instead of compressed."""
    assert png[:8] == SIGNATURE, "no PNG file"
    out, data, at = [SIGNATURE], b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length
        if kind == b"IDAT":
            data += body
            continue
        if kind == b"IEND":
            out.append(chunk(b"IDAT", zlib.compress(zlib.decompress(data), 0)))
        out.append(chunk(kind, body))
    return b"".join(out)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def main():
    folder, out = Path(sys.argv[1]), sys.argv[2]
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(folder.rglob("*.png")):
            data = stored(path.read_bytes())
            about = tarfile.TarInfo(path.relative_to(folder).as_posix())
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))


if __name__ == "__main__":
    main()
