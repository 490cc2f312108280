"""The machine, as `avse doctor` sees it, and the Python of the peer."""

import importlib.util
import os
import re
import shutil
import sys

import machine
from process import call, say

from .common import Failed, last_json


def doctor(run):
    """What the program sees of the machine, as it is and with CUDA's math library where it was found."""
    found = {"machine": machine.describe(), "nvidia_smi": machine.nvidia_smi(), "libdevice": machine.libdevices()}
    found.update(cuda_path=run.env.get("CUDA_PATH"), nccl=run.nccl)
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
    # CUDA_PATH is this script's where the user has none.
    bare = {**run.env, "CUDA_PATH": os.environ.get("CUDA_PATH")}
    bare = {key: value for key, value in bare.items() if value is not None}
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
