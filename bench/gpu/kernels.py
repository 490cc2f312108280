"""Kernel times by kind, from the table that Burn's runtime logs at every wait for the device."""

import os
import re

# The first that fits a kernel's name.
KINDS = [
    ("recurrent network", r"gru"),
    ("attention", r"attention|flash"),
    ("matrix products", r"matmul|gemm|gemv|vecmat|matvec|tiling|tensor_?core|cmma"),
    ("convolution", r"conv|im2col|col2im|pool"),
    ("random numbers", r"random|prng|bernoulli|uniform|normal_dist|philox"),
    ("reductions", r"reduce|sum|mean|arg_?max|arg_?min|cumulative|scan|softmax"),
    ("gather and sort", r"gather|scatter|select|sort|topk|mask"),
    ("copies and layout", r"contiguous|copy|slice|concat|cat_|repeat|fill|zeros|permute|transpose|expand|flip|cast"),
    ("fused element by element", r"fuse|elem|unary|binary|clamp|bool|comparison|cmp|equal|arange|erf|gelu|scalar"),
]
UNITS = {"ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0}
MOST = 25


def kind(name):
    lower = name.lower()
    return next((kind for kind, pattern in KINDS if re.search(pattern, lower)), "other")


def last_table(text):
    """Rows `(name, seconds, launches)` of the last whole table in a log."""
    rows, table, inside = [], [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").rsplit("|", 3)]
        if len(cells) != 4:
            continue
        if cells[0] == "Name":
            table, inside = [], True
        elif inside and cells[0] == "Total":
            rows, inside = table, False
        elif inside and cells[3].endswith("%"):
            duration = re.fullmatch(r"([0-9.]+)(ns|µs|us|ms|s)", cells[1])
            if duration and cells[2].isdigit():
                table.append((cells[0], float(duration[1]) * UNITS[duration[2]], int(cells[2])))
    return rows


def by_kind(rows):
    """Seconds and launches by kind, and of the kernels that took longest."""
    kinds = {}
    for name, seconds, launches in rows:
        entry = kinds.setdefault(kind(name), {"seconds": 0.0, "launches": 0})
        entry["seconds"] += seconds
        entry["launches"] += launches
    longest = sorted(rows, key=lambda row: -row[1])[:MOST]
    return {
        "kernel_seconds": sum(row[1] for row in rows),
        "launches": sum(row[2] for row in rows),
        "kinds": dict(sorted(kinds.items(), key=lambda item: -item[1]["seconds"])),
        "longest": [{"name": name, "seconds": seconds, "launches": count} for name, seconds, count in longest],
    }


def shortened_products(folder):
    """How many kernels that were compiled multiply in TF32, of how many."""
    found = {"kernels": 0, "with_tf32": 0, "names": []}
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return found
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            tf32 = b".tf32" in file.read()
        found["kernels"] += 1
        found["with_tf32"] += tf32
        if tf32 and len(found["names"]) < 8:
            found["names"].append(name[-100:])
    return found
