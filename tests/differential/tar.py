"""WebDataset shards, as Python's `tarfile` reads them."""

import hashlib
import io
import pathlib
import posixpath
import random
import tarfile

FORMATS = {"V7 and ustar": tarfile.USTAR_FORMAT, "GNU": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
NAMES = ["1", "./2", "a/b/3", "a//4", "a/./5", "/abs/6", "x/../7", "é/8", "caf\udce9/9", "l" * 90 + "/10", "f/" * 60 + "11", "a b'12", "-13"]


def name_of(member: tarfile.TarInfo) -> str:
    """Its name as this program has it: where it would be once unpacked; bytes that are no text spelt out."""
    name = member.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return posixpath.normpath(name).lstrip("/")


def read(content: bytes):
    """Key, caption and the picture's hash of every sample in its order; None where the module refuses."""
    samples: dict[str, dict[str, bytes]] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:", ignore_zeros=True) as tar:
            for member in tar:
                if member.isdir():
                    continue
                head, last = posixpath.split(name_of(member))
                key, _, ending = last.partition(".")
                file = tar.extractfile(member)
                if file is not None and key and ending.lower() in ("png", "txt"):
                    samples.setdefault(posixpath.join(head, key), {})[ending.lower()] = file.read()
        found = [(key, sample) for key, sample in samples.items() if len(sample) == 2]
        captions = [sample["txt"].decode("utf-8-sig") for _, sample in found]
    except (tarfile.TarError, KeyError, OSError, ValueError, RecursionError):
        return None
    return [[key, text, hashlib.sha256(sample["png"]).hexdigest()] for (key, sample), text in zip(found, captions)]


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(content))


def packed(draw: random.Random, form: int, names: list[str], links: bool = False) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as tar:
        if draw.random() < 0.3:
            add(tar, "folder/", type=tarfile.DIRTYPE)
        for number, name in enumerate(names):
            picture = draw.randbytes(draw.choice([1, 511, 512, 513, 2000]))
            add(tar, name + ".png", picture)
            add(tar, name + ".txt", f"caption {number}".encode())
        if links:
            first = names[0]
            kinds = [("hard", tarfile.LNKTYPE, first), ("soft", tarfile.SYMTYPE, first), ("up/soft", tarfile.SYMTYPE, "../" + first),
                     ("chain", tarfile.SYMTYPE, ".soft"), ("gone", tarfile.SYMTYPE, "nowhere"), ("round", tarfile.SYMTYPE, "round")]
            key, kind, target = draw.choice(kinds)
            if key == "chain":
                # Hidden: no sample by itself.
                add(tar, ".soft.png", type=tarfile.SYMTYPE, linkname=first + ".png")
            add(tar, key + ".png", type=kind, linkname=target + ".png")
            add(tar, key + ".txt", b"link")
    return content.getvalue()


def joined(first: bytes, second: bytes, zeros: int) -> bytes:
    end = len(first.rstrip(b"\0"))
    return first[: -(-end // 512) * 512] + bytes(512 * zeros) + second


def contents(draw: random.Random):
    """Group, name and content of every file."""
    for form, number in FORMATS.items():
        for name in NAMES:
            try:
                yield f"names, {form}", name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"), packed(draw, number, [name])
            except ValueError:
                continue
        for _ in range(40):
            yield f"links, {form}", str(_), packed(draw, number, draw.sample(["1", "a/2", "./3"], 2), links=True)
        small = packed(draw, number, ["1", "a/2"])
        for zeros in range(5):
            yield "joined files", f"{form}, {zeros} blocks between", joined(small, packed(draw, number, ["3"]), zeros)
        for cut in range(0, len(small), 97):
            yield "cut short", f"{form} at {cut}", small[:cut]
        for _ in range(400):
            changed = bytearray(small)
            changed[draw.randrange(min(len(changed), 5000))] = draw.randrange(256)
            yield "one byte changed", f"{form} {_}", bytes(changed)
        for kind in range(256):
            with tarfile.open(fileobj=(content := io.BytesIO()), mode="w", format=number) as tar:
                if bytes([kind]) in (b"x", b"X", b"g", b"L", b"K", b"S"):
                    continue
                add(tar, "1.png", b"picture", type=bytes([kind]))
                add(tar, "1.txt", b"caption")
                add(tar, "2.png", b"other")
                add(tar, "2.txt", b"last")
            yield "kinds of members", f"{form} {kind}", content.getvalue()
    with tarfile.open(fileobj=(content := io.BytesIO()), mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "a" * 600}) as tar:
        add(tar, "1.png", b"picture", pax_headers={"size": "7", "path": "p.png", "SCHILY.x": "y"})
        add(tar, "p.txt", b"caption")
    yield "names, pax", "records", content.getvalue()
    yield "no tar file", "text", b"x" * 2000
    yield "no tar file", "zeros", bytes(10240)
    yield "no tar file", "gzip", b"\x1f\x8b" + bytes(2000)


def cases(folder: pathlib.Path):
    for number, (group, name, content) in enumerate(contents(random.Random(15))):
        file = f"{number}.tar"
        (folder / file).write_bytes(content)
        yield {"group": group, "name": name, "input": file, "expected": read(content)}
