"""The test suites against the recorded numbers: every comparison's error."""

import os
import re

import kernels
import machine
from process import say

from .common import Failed, last_json


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
        if not run.cpu:
            # They take the first GPU that they see.
            env["CUDA_VISIBLE_DEVICES"] = machine.visible(run.device)
        # One at a time: a GPU's kernels are compiled once a process, and a hanging test is known by name.
        command = [run.avse, name, "--test-threads", "1", "--nocapture"]
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
        begun = re.match(r"test (\S+)\s+\.\.\. ?", line)
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
