#!/usr/bin/env python3
"""Tries AVSE on this machine's GPU in a few minutes and writes what it found as JSON, after every part.

    python3 run.py [--minutes 8] [--out FILE] [--device 0|cpu]

Needs Python 3.8 or newer and nothing else: no network, no Rust, no package. PyTorch and transformers are measured beside it where
this Python has them. Everything that it writes, apart from FILE, goes into a temporary folder. `--device cpu` rehearses all parts with
tiny sizes; those figures mean nothing. bench/gpu/README.md describes the file.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import machine  # noqa: E402
import parts  # noqa: E402
from process import call, end_all, say  # noqa: E402
from record import Record  # noqa: E402

# Left for the last write, and for programs that take a moment to end.
MARGIN = 3


class Run:
    """What parts are given: the device, where things are, and how much time is left."""

    def __init__(self, options, work):
        self.device, self.work = options.device, work
        self.cpu = options.device == "cpu"
        self.end = time.monotonic() + 60 * options.minutes
        self.quick = ["--quick"] if options.tiny else []
        self.gpus = 0
        self.part, self.part_end, self.record = None, self.end, None
        self.avse = self.here("bin", "avse")
        self.python, self.peer_state = None, None
        # avse leaves both to a file of the user's, so the file has to name both.
        folder = json.dumps(self.file("cubecl"))
        self.cubecl = f"[environment]\npath = {{ directory = {folder} }}\n\n[compilation]\ncache = true\n"
        with open(self.file("cubecl.toml"), "w", encoding="utf-8") as file:
            file.write(self.cubecl)
        os.makedirs(self.file("logs"), exist_ok=True)
        self.env = self.environment()
        self.peer_env, self.own_libraries = self.env, False
        self.watch = machine.MemoryWatch(self.device)

    def here(self, *names):
        """A file of the archive."""
        return os.path.join(HERE, *names)

    def file(self, *names):
        """A file of this run."""
        return os.path.join(self.work, *names)

    def environment(self):
        """What programs see: their caches in this run's folder, CUDA's math library and NCCL where they were found, no hub,
        and no Vulkan or OpenGL driver, on which the tests would run once more."""
        env = dict(os.environ)
        # Tests would fail for want of a Vulkan driver there.
        env.pop("CI", None)
        env.update(
            XDG_CACHE_HOME=self.file("cache"),
            TORCHINDUCTOR_CACHE_DIR=self.file("inductor"),
            TRITON_CACHE_DIR=self.file("triton"),
            HF_HUB_OFFLINE="1",
            VK_DRIVER_FILES="/nonexistent",
            VK_ICD_FILENAMES="/nonexistent",
            __EGL_VENDOR_LIBRARY_FILENAMES="/nonexistent",
        )
        env.setdefault("HOME", self.work)
        folder, _ = machine.cuda_path(self.work)
        if folder:
            env["CUDA_PATH"] = folder
        self.nccl = machine.nccl_folder(self.work)
        if self.nccl:
            env["LD_LIBRARY_PATH"] = joined(env.get("LD_LIBRARY_PATH"), self.nccl)
        return env

    def use_own_libraries(self):
        """Has our programs take the archive's C++ library, where the machine's is missing or too old; not PyTorch, which
        may need a newer one."""
        self.env = {**self.env, "LD_LIBRARY_PATH": joined(self.here("lib"), self.env.get("LD_LIBRARY_PATH"))}
        self.own_libraries = True

    def left(self):
        """Seconds that this part still has."""
        return self.part_end - time.monotonic()

    def call(self, name, command, limit, *, env=None, cwd=None, **watched):
        say(f"  {name}: {' '.join(map(str, [os.path.basename(str(command[0])), *command[1:]]))}"[:300])
        log = self.file("logs", f"{name.replace(',', '-').replace(' ', '-')}.txt")
        limit = min(float(limit), self.left())
        return call(command, limit, env=env or self.env, cwd=cwd or self.work, log=log, **watched)

    def keep(self, found):
        """Writes down what the part has found so far."""
        self.record.part(self.part, found=found)

    def network(self):
        """The file of the network's sizes for the peer."""
        path = self.file("network.json")
        if not os.path.exists(path):
            answer = self.call("network", [self.avse, "bench", "gpu", "--what", "network", *self.quick], 20, quiet=True)
            if not answer.ok:
                raise parts.Failed(f"the network's sizes: {answer.why()}")
            with open(path, "w", encoding="utf-8") as file:
                file.write(answer.out)
        return path

    def emoji(self):
        """Options that name the archive's emoji set."""
        return ["--dataset", "emoji", "--data_path", self.here("emoji"), "--images", self.here("emoji", "images.tar")]

    def small_emoji(self, train, other):
        """Options that name the first pictures of the set, in a folder of their own."""
        folder = self.file(f"emoji-{train}-{other}")
        if not os.path.isdir(folder):
            os.makedirs(folder)
            shutil.copyfile(self.here("emoji", "id_mapping.json"), os.path.join(folder, "id_mapping.json"))
            for name in os.listdir(self.here("emoji")):
                if not name.endswith(".txt"):
                    continue
                with open(self.here("emoji", name), encoding="utf-8") as file:
                    lines = file.read().splitlines(keepends=True)
                # Three captions of a training picture, five of others: whole pictures.
                count = 3 * (train // 3) if name.startswith("train_") else 5 * (other // 5)
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.writelines(lines[:count])
        return ["--dataset", "emoji", "--data_path", folder, "--images", self.here("emoji", "images.tar")]


def joined(*paths):
    """Those that there are, as an environment variable lists them."""
    return ":".join(path for path in paths if path)


def one(run, record, name, part, limit, later):
    """A part, whatever becomes of it."""
    now = time.monotonic()
    limit = min(limit, run.end - MARGIN - later - now)
    if limit < 1:
        record.part(name, state="skipped", why="no time was left")
        return
    say(f"\n== {name}, at most {limit:.0f} s")
    run.part, run.part_end = name, now + limit
    record.part(name, state="running", limit_seconds=round(limit, 1))
    values = {"state": "ok"}
    try:
        values["found"] = part(run)
    except parts.Failed as failure:
        values.update(state="failed", why=str(failure))
        if failure.found is not None:
            values["found"] = failure.found
    except Exception as error:  # A fault of this script must not cost the parts that follow.
        values.update(state="failed", why=f"{type(error).__name__}: {error}", trace=traceback.format_exc().splitlines())
    seconds = time.monotonic() - now
    if values["state"] == "failed" and run.left() <= 0:
        values["state"] = "time out"
    record.part(name, seconds=round(seconds, 1), **values)
    say(f"== {name}: {values['state']}{': ' + values['why'] if 'why' in values else ''}, {seconds:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=8.0, help="in all (8)")
    parser.add_argument("--out", default="avse-gpu.json", help="what is found (avse-gpu.json)")
    parser.add_argument("--device", default="0", help="a GPU's number, or cpu for a rehearsal (0)")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to try the script; cpu implies it")
    names = [part[0] for part in parts.PARTS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="PART", help="doctor and these parts: " + ", ".join(names))
    parser.add_argument("--peer-python", help="a Python that has torch and transformers, or none")
    parser.add_argument("--work", help="folder for everything else; kept (a temporary one, removed)")
    options = parser.parse_args()
    if options.device != "cpu" and not options.device.isdigit():
        parser.error("--device: a number or cpu")
    options.tiny = options.tiny or options.device == "cpu"
    # The other parts need what the doctor finds out.
    chosen = [part for part in parts.PARTS if not options.only or part[0] in ("doctor", *options.only)]
    if options.work and os.path.isdir(options.work) and os.listdir(options.work):
        parser.error("--work: the folder is not empty")
    if os.path.exists(options.out):
        os.replace(options.out, options.out + ".previous")

    try:
        with open(os.path.join(HERE, "archive.json"), encoding="utf-8") as file:
            archive = json.load(file)
    except (OSError, ValueError):
        archive = None
    head = {"archive": archive, "device": options.device, "minutes": options.minutes, "tiny": options.tiny}
    record = Record(options.out, head, [part[0] for part in chosen])
    if options.work:
        os.makedirs(options.work, exist_ok=True)
    work = os.path.abspath(options.work) if options.work else tempfile.mkdtemp(prefix="avse-gpu-")
    # After a signal: what there is stays, and nothing goes on running.
    state = "interrupted"

    def stop(number, _):
        raise KeyboardInterrupt(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        run = Run(options, work)
        run.record = record
        run.python, run.peer_state = parts.find_peer(options.peer_python)
        say(f"{options.minutes:g} minutes on device {options.device}; PyTorch: {run.peer_state}; writes {record.path}")
        for at, (name, part, limit, _) in enumerate(chosen):
            # In a run of another length every part has accordingly more or less, also what is left to it.
            scale = options.minutes / 8
            one(run, record, name, part, scale * limit, scale * sum(least for *_, least in chosen[at + 1 :]))
        state = "complete"
    except KeyboardInterrupt:
        say("\ninterrupted")
    finally:
        end_all()
        record.end(state)
        if not options.work:
            shutil.rmtree(work, ignore_errors=True)
    states = {name: part["state"] for name, part in record.data["parts"].items()}
    say(f"\n{record.data['seconds']:.0f} s: " + ", ".join(f"{name} {state}" for name, state in states.items()))
    say(f"written: {record.path}")
    if state != "complete":
        return 130
    return 0 if all(state == "ok" for state in states.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
