"""The parts of a run, most valuable first. Each is a function that is given the run and returns what it found; a part that
cannot fulfil its purpose raises `Failed`."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import time

import kernels
import machine
from process import call, say


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


# 1. The machine.


def doctor(run):
    """What the program sees of the machine, as it is and with CUDA's math library where it was found."""
    found = {"machine": machine.describe(), "nvidia_smi": machine.nvidia_smi(), "libdevice": machine.libdevices()}
    found["cuda_path"] = run.env.get("CUDA_PATH")
    found["runs"] = []
    answer = run.call("version", [run.avse, "--version"], 20)
    found["runs"].append(answer.row())
    if not answer.ok and re.search(r"libstdc\+\+|GLIBCXX|CXXABI|libgcc", " ".join(answer.tail)):
        # The archive has those that it was built with.
        run.use_own_libraries()
        answer = run.call("version", [run.avse, "--version"], 20)
        found["runs"].append(answer.row())
    found["own_libraries"] = run.own_libraries
    if not answer.ok:
        raise Failed(f"avse does not start: {' '.join(answer.tail[-2:]) or answer.why()}", found)
    answer = run.call("doctor-json", [run.avse, "doctor", "--json", "--data_path", run.work], 30, quiet=True)
    found["runs"].append(answer.row())
    found["doctor"] = last_json(answer.out)
    bare = {key: value for key, value in run.env.items() if key != "CUDA_PATH"}
    plain = run.call("doctor", [run.avse, "doctor", "--data_path", run.work], 30, env=bare)
    found["as_it_is"] = plain.out.splitlines()
    if found["doctor"] is None:
        raise Failed(f"avse doctor: {answer.why() or 'no JSON'}", found)
    if run.cpu:
        return found
    devices = [backend for backend in found["doctor"]["backends"] if backend["feature"] == "cuda"]
    names = [device["name"] for backend in devices for device in backend["devices"]]
    run.gpus = len(names)
    say(f"  devices: {', '.join(names) or 'none'}; CUDA_PATH {found['cuda_path']}")
    if not names:
        raise Failed("avse finds no CUDA device", found)
    if not found["cuda_path"]:
        raise Failed("no libdevice.10.bc on this machine: kernels with erf cannot be compiled", found)
    return found


# 2. Against the recorded numbers.


def suite(name):
    def part(run):
        """Tests of the suite, and every comparison's error."""
        report, ptx = run.file(f"{name}.jsonl"), run.file(f"ptx-{name}")
        env = {
            **run.env,
            "AVSE_PARITY_DIR": run.here("parity"),
            "AVSE_PARITY_REPORT": report,
            "AVSE_LEFT_OUT": run.file(f"{name}-left-out.txt"),
            "CUBECL_CUDA_DUMP_PTX": ptx,
        }
        # One at a time: a GPU's kernels are compiled once a process, and a hanging test is known by name.
        command = [run.here("bin", name), "--test-threads", "1", "--nocapture"]
        answer = run.call(name, command, run.left(), env=env)
        lines = []
        if os.path.exists(report):
            with open(report, encoding="utf-8") as file:
                lines = [value for value in map(last_json, file) if value]
        found = {
            "runs": [answer.row()],
            "tests": tests_of(answer.out),
            "devices": devices_of(lines),
            "comparisons": lines,
            "tf32": kernels.shortened_products(ptx),
            "left_out": left_out(env["AVSE_LEFT_OUT"]),
        }
        for device, summary in found["devices"].items():
            say(f"  {device}: {summary['ok']} of {summary['comparisons']} within tolerance; worst {summary['worst']}")
        if not answer.ok:
            raise Failed(answer.why(), found)
        on_gpu = [device for device in found["devices"] if "cuda" in device.lower() or "nvidia" in device.lower()]
        if not run.cpu and not on_gpu:
            raise Failed("nothing was compared on a CUDA device", found)
        return found

    return part


def tests_of(text):
    """Result of every test; one that began and did not end was cut off, or took the process with it."""
    tests, current = {}, None
    for line in text.splitlines():
        begun = re.match(r"test (\S+) \.\.\. ?", line)
        if begun:
            current = begun[1]
            tests[current] = "not ended"
        result = re.search(r"\b(ok|FAILED|ignored)$", line)
        if current and result:
            tests[current] = result[1]
            current = None
    return tests


def devices_of(lines):
    """Per device: how many comparisons, how many within tolerance, the one that comes nearest to its tolerance or is
    furthest above."""
    devices = {}
    for line in lines:
        entry = devices.setdefault(str(line.get("device")), {"comparisons": 0, "ok": 0, "worst": None, "share": -1.0})
        entry["comparisons"] += 1
        entry["ok"] += bool(line.get("ok"))
        try:
            error, tolerance = float(line["error"]), float(line["tolerance"])
        except (KeyError, TypeError, ValueError):
            # An error that is no number is written as null.
            error, tolerance = float("inf"), 1.0
        share = error / tolerance if tolerance > 0 else error
        if share > entry["share"]:
            entry["share"] = share
            entry["worst"] = {key: line.get(key) for key in ("test", "tensor", "error", "tolerance")}
    return devices


def left_out(path):
    try:
        with open(path, encoding="utf-8") as file:
            return sorted(set(file.read().splitlines()))
    except OSError:
        return []


# 3. Steps beside PyTorch.


def bench(run, name, words, limit, seconds):
    """One piece of work by `avse bench gpu`: its JSON, with the driver's memory figure and what went wrong."""
    command = [run.avse, "bench", "gpu", "--gpu-id", run.device, *words, "--seconds", seconds, *run.quick]
    machine.settle(run.watch)
    with run.watch:
        answer = run.call(name, command, limit)
    row = {**answer.row(), **(last_json(answer.out) or {}), "driver_peak_bytes": run.watch.bytes()}
    if answer.ok and any(value != value or value is None for value in row.get("losses", [])):
        row.update(ok=False, why="the loss is not a number")
    return row


def step_words(batch, precision, micro=0, recompute=False):
    words = ["--batch_size", str(batch), "--precision", precision]
    words += ["--micro-batch", str(micro)] if micro else []
    return words + (["--recompute"] if recompute else [])


def out_of_memory(row):
    return bool(re.search(r"out.?of.?memory|OutOfMemory|OUT_OF_MEMORY|micro-batch", " ".join(row.get("tail", []))))


def peer(run, name, batch, precision, limit, seconds, compiled=False):
    command = [run.python, "-B", run.here("peer.py"), run.network(), "--device", run.device, "--batch", str(batch)]
    command += ["--precision", precision, "--seconds", str(seconds), *(["--compile"] if compiled else [])]
    command += ["--repetitions", "2", "--warmup", "1"] if run.quick else []
    machine.settle(run.watch)
    with run.watch:
        answer = run.call(name, command, limit, env=run.peer_env)
    row = {**answer.row(), **(last_json(answer.out) or {}), "driver_peak_bytes": run.watch.bytes()}
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
            row = bench(run, name, step_words(batch, precision), min(run.left(), 60 if known else 110), seconds)
            for micro in (batch // 4, batch // 8):
                if row["ok"] or not out_of_memory(row) or run.left() < 10:
                    break
                found["rows"].append({"name": name, "who": "ours", **row})
                name = f"{who}-{precision}-{batch}-micro{micro}"
                row = bench(run, name, step_words(batch, precision, micro), min(run.left(), 60), seconds)
            row = {"who": "ours", **row}
        found["rows"].append({"name": name, **row})
        say(f"  {name}: {in_words(row)}")
        found["memory_formula"] = formula(run, found["rows"])
        run.keep(found)
    return judged(found, [row for row in found["rows"] if row["who"] == "ours"])


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


def formula(run, rows):
    """Measured peaks beside the formula as fitted on a CPU, and fitted anew to this device; per precision."""
    out = {}
    for precision, name in [("f32", "formula"), ("bf16", "half")]:
        points = []
        for row in rows:
            counted, memory = row.get("counted"), row.get("device_memory")
            if row["who"] == "ours" and row["ok"] and counted and row["method"]["precision"] == precision:
                peak = (memory or {}).get("reserved") or row.get("driver_peak_bytes") or row.get("host_peak_bytes")
                if peak:
                    points.append((row["name"], counted["weights"], counted["kept"], peak))
        if not points:
            continue
        cpu = run.formula.get(name)
        table = []
        for label, weights, kept, peak in points:
            entry = {"name": label, "peak_bytes": peak}
            if cpu:
                entry["cpu_formula_bytes"] = weights + cpu["fixed"] + cpu["kept"] * kept
            table.append(entry)
        out[precision] = {"rows": table, "fitted": fitted([(kept, peak - weights) for _, weights, kept, peak in points])}
    return out


def fitted(points):
    """`fixed` and `kept` of peak - weights = fixed + kept x numbers, by least squares; None for fewer than two sizes."""
    if len({x for x, _ in points}) < 2:
        return None
    count, mean_x, mean_y = len(points), sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return {"fixed": mean_y - slope * mean_x, "kept": slope, "points": count}


# 4. Where a step's time goes.


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


# 5. Evaluation and search.


def evaluation(run):
    """How fast towers encode; the committed model on the emoji test, and its search, on this device and on the CPU."""
    found = {"rows": []}
    for what, batch, count in [("images", 100, 1000), ("captions", 500, 5000)]:
        batch, count = (2, 4) if run.quick else (batch, count)
        words = ["--what", what, "--batch_size", str(batch), "--warmup", "2", "--repetitions", str(count // batch)]
        row = {"name": f"{what}-{count}", **bench(run, what, words, min(run.left(), 40), "10")}
        say(f"  {what}: {row['why'] if not row['ok'] else round(row['per_second'], 1)} a second")
        found["rows"].append(row)
        run.keep(found)
    results, hits = {}, {}
    queries = ["a red apple", "grinning face with big eyes", "flag on a building", "sad cat", "train in the snow"]
    for device in dict.fromkeys([run.device, "cpu"]):
        name = "cpu" if device == "cpu" else "gpu"
        words = [run.avse, "eval", *run.emoji(), "--model", run.here("emoji-model"), "--gpu-id", device, "--json"]
        answer = run.call(f"eval-{name}", words, min(run.left(), 60), quiet=True)
        rsum = rsum_of(last_json(answer.out))
        found["rows"].append({"name": f"eval-{name}", "rsum": rsum, **answer.row()})
        results[name] = rsum
        gallery = run.file(f"gallery-{name}")
        shutil.rmtree(gallery, ignore_errors=True)
        words = [run.avse, "index", "build", *run.emoji(), "--split", "test", "--gallery", gallery]
        words += ["--model", run.here("emoji-model"), "--gpu-id", device]
        answer = run.call(f"index-{name}", words, min(run.left(), 60), quiet=True)
        found["rows"].append({"name": f"index-{name}", **answer.row()})
        hits[name] = []
        for at, query in enumerate(queries):
            words = [run.avse, "search", query, "--gallery", gallery, "--gpu-id", device, "--json"]
            answer = run.call(f"search-{name}-{at}", words, min(run.left(), 20), quiet=True)
            answered = last_json(answer.out) or {}
            hits[name].append([(hit["key"], hit["score"]) for hit in answered.get("hits", [])])
            if at == 0 or not answer.ok:
                found["rows"].append({"name": f"search-{name}", "answered": answered.get("seconds"), **answer.row()})
        run.keep(found)
    found["rsum"] = results
    if "gpu" in hits:
        found["search"] = compared(hits["gpu"], hits["cpu"])
        say(f"  rSum {results['gpu']} on the GPU, {results['cpu']} on the CPU; search: {found['search']}")
        if results["gpu"] is not None and results["cpu"] is not None and abs(results["gpu"] - results["cpu"]) > 2:
            raise Failed("the GPU's rSum is another than the CPU's", found)
    return judged(found, found["rows"])


def rsum_of(report):
    try:
        return report["sets"][-1]["metrics"]["rsum"]
    except (TypeError, KeyError, IndexError):
        return None


def compared(ours, theirs):
    """Of several questions: hits that both lists hold, hits at the same place, the largest difference of a score."""
    same = [len({key for key, _ in a} & {key for key, _ in b}) for a, b in zip(ours, theirs)]
    placed = [sum(x[0] == y[0] for x, y in zip(a, b)) for a, b in zip(ours, theirs)]
    scores = [abs(dict(b)[key] - score) for a, b in zip(ours, theirs) for key, score in a if key in dict(b)]
    return {
        "hits": sum(map(len, theirs)),
        "in_both": sum(same),
        "same_place": sum(placed),
        "largest_score_difference": max(scores, default=None),
    }


# 6. Ways of saving memory.


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
        found["memory_formula"] = formula(run, found["rows"])
        run.keep(found)
    return judged(found, found["rows"])


# 7. Killed and gone on.


def resume(run):
    """Three runs of a small ViT with dropout: two whole ones, and one that is killed in the middle and goes on. The same
    losses and the same weights to the last bit are what the CPU gives; whether two whole runs of this device agree says
    what can be asked of the third."""
    small = run.small_emoji(train=192, other=20)
    config = run.file("resume.toml")
    shutil.copyfile(run.here("resume.toml"), config)
    os.makedirs(run.file("resume"), exist_ok=True)

    def command(name, *more):
        words = [run.avse, "train", "--config", config, *small, "--logger_name", run.file("resume", name)]
        return [*words, "--gpu-id", run.device, "--checkpoint-steps", "3", *more]

    found = {"rows": []}

    def train(name, label, *more, **watched):
        answer = run.call(f"resume-{label}", command(name, *more), run.left(), **watched)
        found["rows"].append({"name": label, **answer.row()})
        return answer

    first = train("whole", "whole")
    again = train("again", "again")
    checkpoints = run.file("resume", "killed", "checkpoints")

    def begun():
        """Once the first checkpoint is there."""
        try:
            return any(not name.startswith(".") for name in os.listdir(checkpoints))
        except OSError:
            return False

    killed = train("killed", "killed", kill_when=begun)
    found["rows"][-1]["killed"] = killed.code == -9
    found["rows"][-1].update(ok=killed.code in (0, -9))
    on = train("killed", "gone on", "--resume")
    said = " ".join(on.tail)
    found["went_on"] = "going on at epoch" in said
    names = ["whole", "again", "killed"]
    losses = {name: losses_of(run.file("resume", name, "log.jsonl")) for name in names}
    sums = {name: digest(run.file("resume", name, "last", "model.safetensors")) for name in names}
    found.update(losses=losses, weights=sums)
    found["two_runs_agree"] = sums["whole"] is not None and sums["whole"] == sums["again"]
    found["resumed_agrees"] = sums["whole"] is not None and sums["whole"] == sums["killed"]
    found["same_losses"] = bool(losses["whole"]) and losses["whole"] == losses["killed"]
    say(f"  two runs agree: {found['two_runs_agree']}; the resumed one: {found['resumed_agrees']}")
    if not (first.ok and again.ok and on.ok):
        raise Failed("a run failed", found)
    if found["two_runs_agree"] and not found["resumed_agrees"]:
        raise Failed("the resumed run ends with other weights", found)
    return found


def losses_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return [record["loss"] for record in map(last_json, file) if record]
    except (OSError, KeyError):
        return []


def digest(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


# 8. Several devices.


def collective(run):
    """NCCL with one rank, and with all GPUs where there are several; a short training on them."""
    found = {"rows": []}
    groups = [run.device]
    if not run.cpu and run.gpus > 1:
        groups.append(",".join(map(str, range(run.gpus))))
    if run.cpu:
        groups = ["cpu,cpu"]
    for group in groups:
        words = [run.avse, "bench", "gpu", "--what", "collective", "--gpu-id", group]
        answer = run.call(f"collective-{group}", words, min(run.left(), 30))
        row = {"name": f"collective-{group}", **answer.row(), **(last_json(answer.out) or {})}
        if row["ok"] and row.get("error") != 0:
            row.update(ok=False, why=f"wrong sums: {row.get('error')}")
        if row["ok"] and not run.cpu and row.get("through") != "NCCL":
            row.update(ok=False, why=f"NCCL was not used, but {row.get('through')}")
        found["rows"].append(row)
        run.keep(found)
        if "," in group:
            small = run.small_emoji(train=192, other=20)
            words = [run.avse, "train", "--config", run.here("resume.toml"), *small, "--gpu-id", group]
            words += ["--multi_gpu", "1", "--logger_name", run.file("several"), "--batch_size", "8"]
            answer = run.call(f"train-{group}", words, run.left())
            losses = losses_of(run.file("several", "log.jsonl"))
            found["rows"].append({"name": f"train-{group}", "losses": losses, **answer.row()})
    return judged(found, found["rows"])


# 9. The emoji recipe.


def emoji(run):
    """Two epochs to compile the kernels and to learn the speed, then as many as fit; the schedule ends with the run."""
    found = {"rows": [], "about": "data/emoji.toml on pictures of the archive's size; epochs as the time allows"}
    data = run.small_emoji(train=256, other=40) if run.quick else run.emoji()
    end = time.monotonic() + min(run.left(), 150)
    reserve = 6 if run.quick else 15

    def train(name, epochs, limit):
        folder = run.file(name)
        words = [run.avse, "train", "--config", run.here("emoji.toml"), *data, "--logger_name", folder]
        words += ["--gpu-id", run.device, "--num_epochs", str(epochs)]
        answer = run.call(name, words, limit + 8, interrupt_after=limit)
        epochs = []
        try:
            with open(os.path.join(folder, "log.jsonl"), encoding="utf-8") as file:
                epochs = [record for record in map(last_json, file) if record]
        except OSError:
            pass
        keys = ("epoch", "steps", "loss", "seconds", "images_per_second", "data_wait", "best_rsum")
        short = [{key: record.get(key) for key in keys} for record in epochs]
        found["rows"].append({"name": name, "epochs": short, **answer.row()})
        run.keep(found)
        return folder, short

    folder, short = train("emoji-first", 2, max(5, 0.45 * (end - time.monotonic())))
    left = end - time.monotonic() - reserve
    if short and short[-1]["seconds"] and len(short) == 2:
        epochs = int(0.9 * left / (short[-1]["seconds"] + 0.5))
        if epochs >= 1:
            folder, short = train("emoji-run", min(epochs, 4 if run.quick else 40), left)
    found["epochs"] = len(short)
    for split in ("test", "new"):
        words = [run.avse, "eval", *data, "--model", os.path.join(folder, "best"), "--split", split]
        answer = run.call(f"emoji-{split}", [*words, "--gpu-id", run.device, "--json"], min(run.left(), 40), quiet=True)
        found.setdefault("rsum", {})[split] = rsum_of(last_json(answer.out))
        found["rows"].append({"name": f"eval-{split}", **answer.row()})
    say(f"  {found['epochs']} epochs; rSum {found['rsum']}")
    return judged(found, found["rows"])


# What a run does, in its order: name, part, seconds at most, seconds that the parts before leave to it.
PARTS = [
    ("doctor", doctor, 60, 10),
    ("parity", suite("parity"), 100, 40),
    ("gradients", suite("gradients"), 80, 30),
    ("steps", steps, 210, 110),
    ("kernels", kernel_times, 40, 10),
    ("evaluation", evaluation, 60, 20),
    ("savings", savings, 60, 20),
    ("resume", resume, 50, 12),
    ("collective", collective, 40, 8),
    ("emoji", emoji, 150, 70),
]


def find_peer(given):
    """A Python with torch and transformers, and in words what was found."""
    if given == "none":
        return None, "not wanted"
    if given is None:
        missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
        if not missing:
            return sys.executable, "this Python"
        given = shutil.which("python3")
        if given is None or os.path.realpath(given) == os.path.realpath(sys.executable):
            return None, f"this Python has no {' and no '.join(missing)}"
    answer = call([given, "-c", "import torch, transformers"], 60, quiet=True)
    return (given, given) if answer.ok else (None, f"{given}: {answer.why()}: {' '.join(answer.tail[-1:])}")
