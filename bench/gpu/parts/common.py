"""What parts share: failing, reading a program's JSON, judging rows."""

import json
import re


class Failed(Exception):
    """Why a part failed, and what it found all the same."""

    def __init__(self, why, found=None):
        super().__init__(why)
        self.found = found


def last_json(text):
    """The JSON object in the last line that is one, or the whole text; None without."""
    for candidate in [*reversed(text.strip().splitlines()), text]:
        try:
            value = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return None


def out_of_memory(row):
    return bool(re.search(r"out.?of.?(device.?)?memory|micro-batch", " ".join(row.get("tail", [])), re.IGNORECASE))


def in_words(row):
    """Speed and memory, or why there are none."""
    if not row["ok"]:
        return row["why"]
    peak = row.get("driver_peak_bytes")
    memory = f"{peak / 1e9:.2f} GB by the driver" if peak else "memory not known"
    return f"{row['per_second']:.1f} pairs/s, {memory}"


def judged(found, rows):
    """The part has failed when none of its rows came about, or some that should have."""
    bad = [row["name"] for row in rows if not row["ok"] and not out_of_memory(row)]
    if not rows:
        raise Failed("there was no time for it", found)
    if bad:
        raise Failed(f"failed: {', '.join(bad)}", found)
    return found
