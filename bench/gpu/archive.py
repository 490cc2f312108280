"""Archives a folder as .tar.xz and says what each of its parts costs.

    python3 archive.py FOLDER OUT.tar.xz [LIMIT]     LIMIT: most megabytes, of 10^6 bytes

The programs share much of their code: the dictionary reaches back over more than a whole program, so that each is compressed against the one
before it.
"""

import lzma
import os
import sys
import tarfile
from pathlib import Path

DICTIONARY = 256 << 20


class Compressed:
    """A file that counts what goes in and what comes out."""

    def __init__(self, path):
        self.file = open(path, "wb")
        filters = [
            {"id": lzma.FILTER_X86},
            {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": DICTIONARY},
        ]
        self.compressor = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=filters)
        self.read = self.written = 0

    def write(self, data):
        self.read += len(data)
        self.put(self.compressor.compress(data))
        return len(data)

    def put(self, data):
        self.written += len(data)
        self.file.write(data)

    def close(self):
        self.put(self.compressor.flush())
        self.file.close()


def group(path):
    """Programs one by one, the rest by its first folder."""
    return path.as_posix() if path.parts[0] == "bin" else path.parts[0] if len(path.parts) > 1 else "scripts"


def main():
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    limit = float(sys.argv[3]) if len(sys.argv) > 3 else None
    files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: (group(path.relative_to(folder)), path))
    beside = out.with_name(out.name + ".part")
    stream = Compressed(beside)
    rows = {}
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        for path in files:
            name = path.relative_to(folder)
            about = tarfile.TarInfo(f"{folder.name}/{name.as_posix()}")
            about.size = path.stat().st_size
            about.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            before = stream.read, stream.written
            with open(path, "rb") as file:
                tar.addfile(about, file)
            row = rows.setdefault(group(name), [0, 0])
            row[0] += stream.read - before[0]
            row[1] += stream.written - before[1]
    stream.close()
    print(f"{'part':<20}{'MB':>9}{'MB in the archive, about':>28}")
    for name, (read, written) in rows.items():
        print(f"{name:<20}{read / 1e6:>9.2f}{written / 1e6:>28.2f}")
    size = beside.stat().st_size
    print(f"{'total':<20}{stream.read / 1e6:>9.2f}{size / 1e6:>28.2f}")
    if limit is not None and size > 1e6 * limit:
        beside.unlink()
        sys.exit(f"{out}: {size / 1e6:.1f} MB, {limit:g} are allowed")
    os.replace(beside, out)
    print(f"{out}: {size} bytes")


if __name__ == "__main__":
    main()
