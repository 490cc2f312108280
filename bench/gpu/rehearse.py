"""Tries run.py as a machine without network, Rust or this repository would: from a copy of the archive's folder, in another
current folder, with an empty environment.

    python3 rehearse.py FOLDER [--stand-ins]     FOLDER: what `cargo xtask gpu pack` archives

--stand-ins leaves 1 out: FOLDER needs no programs and no pictures then.

1. All parts with the real programs on the CPU, in tiny sizes: the file has every part, and every part is well.
2. With a stand-in in the place of the program: commands that crash, hang or answer nonsense are recorded as that, and the
   parts after them still run.
3. A run that is ended in the middle, by a signal that can be caught and by one that cannot, leaves a whole file.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = ["doctor", "parity", "gradients", "steps", "kernels", "evaluation", "savings", "resume", "collective", "emoji"]

# Answers like `avse`, at once, but only with the archive's own C++ library. Parity crashes, gradients hang,
# training is a crash, a search is no JSON.
STAND_IN = """#!/bin/sh
case "$LD_LIBRARY_PATH" in
*/lib*) ;;
*) echo 'libstdc++.so.6: cannot open shared object file' >&2; exit 127 ;;
esac
case "$*" in
parity*) echo 'test first ... ok'; echo 'test second ... '; echo 'out of luck' >&2; exit 101 ;;
gradients*) echo 'test hangs ... '; exec sleep 1000 ;;
*--json*doctor* | *doctor*--json*) echo '{"backends": [{"feature": "cuda", "devices": [{"name": "stand-in"}]}]}' ;;
*"--what network"*) echo '{}' ;;
*"--what collective"*) echo '{"error": 0.0}' ;;
*"bench gpu"*) echo '{"per_second": 1.0, "losses": [1.0, NaN], "method": {"precision": "f32"}}' ;;
train*) echo dying >&2; kill -SEGV $$ ;;
search*) echo 'no JSON' ;;
*) exit 0 ;;
esac
"""


def start(folder, out, *words, cwd):
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    command = [sys.executable, "-I", str(folder / "run.py"), "--out", str(out), "--device", "cpu", *words]
    return subprocess.Popen(command, cwd=cwd, env=environment, start_new_session=True)


def read(out):
    return json.loads(out.read_text(), parse_constant=lambda word: sys.exit(f"{word} is no JSON"))


def states(data):
    return {name: part["state"] for name, part in data["parts"].items()}


def expect(what, holds, seen=None):
    if not holds:
        sys.exit(f"rehearsal: not so: {what}\n{json.dumps(seen, indent=1)[:6000] if seen is not None else ''}")
    print(f"rehearsal: {what}", flush=True)


def files(folder):
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def whole(folder, work):
    """All parts, with the real programs."""
    out = work / "whole.json"
    before = files(folder)
    code = start(folder, out, "--peer-python", "none", cwd=work).wait(timeout=600)
    data = read(out)
    expect("every part is in the file and well", states(data) == dict.fromkeys(PARTS, "ok"), data)
    expect("the run says so", code == 0 and data["state"] == "complete")
    expect("nothing was written into the archive's folder", files(folder) == before)
    found = {name: part["found"] for name, part in data["parts"].items()}
    for name in ("parity", "gradients"):
        results = set(found[name]["tests"].values())
        expect(f"{name}: its tests ran", results and results <= {"ok", "ignored"}, found[name])
    speeds = [row["per_second"] for row in found["steps"]["rows"]]
    expect("steps have speeds", len(speeds) >= 6 and min(speeds) > 0, found["steps"])
    expect("memory stands beside the formula", found["steps"]["memory_formula"]["f32"]["rows"], found["steps"])
    expect("evaluation has an rSum", found["evaluation"]["rsum"]["cpu"] > 300, found["evaluation"])
    resume = found["resume"]
    agree = resume["went_on"] and resume["two_runs_agree"] and resume["resumed_agrees"] and resume["same_losses"]
    expect("a killed run went on exactly", agree, resume)
    expect("emoji were learnt", found["emoji"]["epochs"] >= 1 and found["emoji"]["rsum"]["test"] is not None, found["emoji"])


def stand_ins(folder, work):
    """A copy whose programs misbehave."""
    copy = work / "stand-ins"
    copy.mkdir()
    for path in folder.iterdir():
        # Of a script a link would lead back to the real folder.
        if path.suffix == ".py":
            shutil.copyfile(path, copy / path.name)
        elif path.name == "parts":
            shutil.copytree(path, copy / path.name)
        elif path.name != "bin":
            (copy / path.name).symlink_to(path)
    emoji = copy / "emoji"
    if not emoji.exists():
        # Nobody looks at the lines, but runs copy some of them.
        emoji.mkdir()
        (emoji / "id_mapping.json").write_text("{}")
        for name in ("train_ids.txt", "train_caps.txt", "test_ids.txt", "test_caps.txt"):
            (emoji / name).write_text("x\n" * 600)
    (copy / "bin").mkdir()
    (copy / "bin/avse").write_text(STAND_IN)
    (copy / "bin/avse").chmod(0o755)
    return copy


def faults(copy, work):
    out = work / "faults.json"
    code = start(copy, out, "--peer-python", "none", "--minutes", "0.6", cwd=work).wait(timeout=120)
    data = read(out)
    parts = data["parts"]
    expect("faults: the file has every part", list(parts) == PARTS and data["state"] == "complete", data)
    expect("the archive's C++ library is taken", parts["doctor"]["found"]["own_libraries"], parts["doctor"])
    expect("a crash is a failure", parts["parity"]["state"] == "failed" and "101" in parts["parity"]["why"], parts["parity"])
    tests = parts["parity"]["found"]["tests"]
    expect("what ran before it is kept", tests == {"first": "ok", "second": "not ended"}, parts["parity"])
    expect("its last words are kept", "out of luck" in parts["parity"]["found"]["runs"][0]["tail"], parts["parity"])
    expect("a part that hangs is ended", parts["gradients"]["state"] == "time out", parts["gradients"])
    expect("a loss that is no number is a failure", parts["steps"]["state"] == "failed", parts["steps"])
    killed = parts["resume"]["found"]["rows"][0]
    expect("a signal is named", killed["why"] == "ended by SIGSEGV" and parts["resume"]["state"] == "failed", parts["resume"])
    expect("parts after all these still run", parts["collective"]["found"]["rows"][0]["ok"], parts["collective"])
    expect("nothing else was skipped", "skipped" not in states(data).values(), states(data))
    expect("the run says that not all is well", code == 1)


def interrupted(copy, work):
    for number, name in [(signal.SIGTERM, "term"), (signal.SIGKILL, "kill")]:
        out = work / f"{name}.json"
        process = start(copy, out, "--peer-python", "none", cwd=work)
        end = time.monotonic() + 60
        # Parity has crashed, the next part hangs.
        while time.monotonic() < end:
            if out.exists() and read(out)["parts"]["gradients"]["state"] == "running":
                break
            time.sleep(0.01)
        os.kill(process.pid, number)
        process.wait(timeout=30)
        data = read(out)
        expect(f"{name}: what was there is kept", data["parts"]["parity"]["state"] == "failed", data)
        if number == signal.SIGTERM:
            expect("term: the file says so", data["state"] == data["parts"]["gradients"]["state"] == "interrupted", data)
            expect("term: the rest was not reached", data["parts"]["emoji"]["state"] == "not reached", data)
        else:
            expect("kill: the file shows where it was", data["state"] == "running", data)


def main():
    folder = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="avse-rehearsal-") as work:
        work = Path(work)
        copy = stand_ins(folder, work)
        faults(copy, work)
        interrupted(copy, work)
        if "--stand-ins" not in sys.argv:
            whole(folder, work)
    print("rehearsal: all well")


if __name__ == "__main__":
    main()
