"""Writes the files of the differential tests and what the reference programs read in them.

Usage: make.py FOLDER [KIND ...]

For each kind: FOLDER/KIND/ with the files, and FOLDER/KIND.jsonl with a case a line: `group` and `name`, the `input`
(a path below FOLDER/KIND), and what is `expected`: null where the reference refuses the file.
"""

import importlib
import json
import pathlib
import shutil
import sys


def kinds() -> list[str]:
    """The modules beside this one."""
    here = pathlib.Path(__file__).resolve()
    return sorted(file.stem for file in here.parent.glob("*.py") if file != here and not file.stem.startswith("_"))


def make(kind: str, folder: pathlib.Path) -> int:
    """Writes one kind; the number of its cases."""
    files = folder / kind
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    count = 0
    with open(folder / f"{kind}.jsonl", "w", encoding="utf-8") as lines:
        for case in importlib.import_module(kind).cases(files):
            assert set(case) == {"group", "name", "input", "expected"}, case
            lines.write(json.dumps(case) + "\n")
            count += 1
    return count


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    # A kind is no path: its folder is emptied.
    if unknown := sorted(set(sys.argv[2:]) - set(kinds())):
        sys.exit(f"no kind {', '.join(unknown)}; there are {', '.join(kinds())}")
    for kind in sys.argv[2:] or kinds():
        print(f"{kind}: {make(kind, folder)} cases", flush=True)


if __name__ == "__main__":
    main()
