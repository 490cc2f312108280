"""Whole runs: one that is killed and goes on, one on several devices, the emoji recipe."""

import hashlib
import os
import shutil
import time

from process import say

from .common import Failed, judged, last_json
from .retrieval import rsum_of


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
    if not found["went_on"]:
        raise Failed("the run had ended before it was killed: nothing was resumed", found)
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
