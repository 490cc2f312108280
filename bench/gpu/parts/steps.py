"""Training steps: speed and memory beside PyTorch, kernel times by kind, ways of saving memory."""

import json
import os

import kernels
import machine
from process import say

from .common import Failed, in_words, judged, last_json, out_of_memory
from .memory import formula


def bench(run, name, words, limit, seconds):
    """One piece of work by `avse bench gpu`: its JSON, with the driver's memory figure and what went wrong."""
    command = [run.avse, "bench", "gpu", "--gpu-id", run.device, *words, "--seconds", seconds, *run.quick]
    machine.settle(run.watch)
    with run.watch:
        answer = run.call(name, command, limit)
    row = {**answer.row(), **(last_json(answer.out) or {}), "driver_peak_bytes": run.watch.bytes()}
    if answer.ok and "per_second" not in row:
        row.update(ok=False, why="no figures", tail=answer.tail)
    if row["ok"] and any(value != value or value is None for value in row.get("losses", [])):
        row.update(ok=False, why="the loss is not a number")
    return row


def step_words(batch, precision, micro=0, recompute=False):
    words = ["--batch_size", str(batch), "--precision", precision]
    words += ["--micro-batch", str(micro)] if micro else []
    return words + (["--recompute"] if recompute else [])


def peer(run, name, batch, precision, limit, seconds, compiled=False):
    command = [run.python, "-B", run.here("peer.py"), run.network(), "--device", run.device, "--batch", str(batch)]
    command += ["--precision", precision, "--seconds", str(seconds), *(["--compile"] if compiled else [])]
    command += ["--repetitions", "2", "--warmup", "1"] if run.quick else []
    machine.settle(run.watch)
    with run.watch:
        answer = run.call(name, command, limit, env=run.peer_env)
    row = {**answer.row(), **(last_json(answer.out) or {}), "driver_peak_bytes": run.watch.bytes()}
    if row["ok"] and "per_second" not in row:
        row.update(ok=False, why="no figures", tail=answer.tail)
    return {"who": "PyTorch", **row}


def steps(run):
    """Training steps, ours and PyTorch's in turn, so that a cut-off run has pairs."""
    small, middle, large = (2, 3, 4) if run.quick else (64, 128, 512)
    plan = [
        ("ours", middle, "bf16"),
        ("peer", middle, "bf16"),
        ("ours", middle, "f32"),
        ("ours", small, "bf16"),
        ("peer", middle, "tf32"),
        ("ours", large, "bf16"),
        ("peer", middle, "compiled"),
        ("ours", small, "f32"),
        ("ours", large, "f32"),
        ("peer", large, "bf16"),
        ("peer", small, "bf16"),
        ("peer", middle, "f32"),
    ]
    if run.quick:
        plan = [row for row in plan if row[0] == "ours" or row[2] != "compiled"]
    found = {"rows": [], "peer": run.peer_state}
    seconds = "2" if run.quick else "5"
    for who, batch, precision in plan:
        if who == "peer" and run.python is None:
            continue
        if run.left() < (2 if run.quick else 12):
            found["cut"] = "the time was up before all rows"
            break
        name = f"{who}-{precision}-{batch}"
        if who == "peer":
            kind = "bf16" if precision == "compiled" else precision
            row = peer(run, name, batch, kind, min(run.left(), 75), seconds, precision == "compiled")
        else:
            # The first of a precision compiles its kernels and chooses among them, which later ones find in the cache.
            known = any(row["who"] == "ours" and row["ok"] and precision in row["name"] for row in found["rows"])
            row = bench(run, name, step_words(batch, precision), min(run.left(), 60 if known else 90), seconds)
            for micro in (batch // 4, batch // 8):
                if row["ok"] or not out_of_memory(row) or run.left() < 10:
                    break
                found["rows"].append({"name": name, "who": "ours", **row})
                name = f"{who}-{precision}-{batch}-micro{micro}"
                row = bench(run, name, step_words(batch, precision, micro), min(run.left(), 60), seconds)
            row = {"who": "ours", **row}
        found["rows"].append({"name": name, **row})
        say(f"  {name}: {in_words(row)}")
        found["memory_formula"] = formula(found["rows"])
        run.keep(found)
    return judged(found, [row for row in found["rows"] if row["who"] == "ours"])


def kernel_times(run):
    """A few steps with every launch timed; they run one at a time, so the sum is no step's time."""
    folder = run.file("profile")
    os.makedirs(folder, exist_ok=True)
    log = os.path.join(folder, "kernels.log")
    with open(os.path.join(folder, "cubecl.toml"), "w", encoding="utf-8") as file:
        file.write(run.cubecl + f'\n[profiling.logger]\nlevel = "basic"\nfile = {json.dumps(log)}\n')
    found = {"rows": []}
    for precision, batch in [("bf16", 64), ("f32", 64)]:
        batch = 2 if run.quick else batch
        if run.left() < 5:
            break
        if os.path.exists(log):
            os.remove(log)
        words = [run.avse, "bench", "gpu", "--gpu-id", run.device, *step_words(batch, precision)]
        words += ["--warmup", "2", "--repetitions", "8", "--seconds", "5", *run.quick]
        answer = run.call(f"kernels-{precision}", words, run.left(), cwd=folder)
        text = ""
        if os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as file:
                text = file.read()
        # The tables are those of four steps each, see TOGETHER in trainer-native/src/bench/gpu.rs.
        times = kernels.by_kind(kernels.last_table(text))
        name = f"kernels-{precision}-{batch}"
        found["rows"].append({"name": name, "who": "ours", "steps": 4, **answer.row(), **times})
        for kind, entry in list(times["kinds"].items())[:6]:
            say(f"  {precision}: {kind}: {1e3 * entry['seconds'] / 4:.2f} ms and {entry['launches'] / 4:.0f} launches a step")
        run.keep(found)
    if not run.cpu and not any(row["launches"] for row in found["rows"]):
        raise Failed("no kernel times in the log", found)
    return judged(found, found["rows"])


def savings(run):
    batch, micro = (4, 2) if run.quick else (128, 32)
    plan = [
        ("bf16", micro, False),
        ("bf16", 0, True),
        ("bf16", micro, True),
        ("f32", micro, True),
        ("f16", 0, False),
    ]
    found = {"rows": []}
    for precision, pieces, recompute in plan:
        if run.left() < (1 if run.quick else 8):
            found["cut"] = "the time was up before all rows"
            break
        name = f"{precision}-{batch}" + (f"-micro{pieces}" if pieces else "") + ("-recompute" if recompute else "")
        row = bench(run, name, step_words(batch, precision, pieces, recompute), min(run.left(), 40), "3")
        found["rows"].append({"name": name, "who": "ours", **row})
        say(f"  {name}: {in_words(row)}")
        found["memory_formula"] = formula(found["rows"])
        run.keep(found)
    return judged(found, found["rows"])
