"""The machine: GPUs and their memory as NVIDIA's driver says, and where CUDA's math library is."""

import ctypes
import glob
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import threading
import time

LIBDEVICE = "libdevice.10.bc"
# What Burn looks for under CUDA_PATH.
INSIDE = os.path.join("nvvm", "libdevice", LIBDEVICE)


def describe():
    """Processor, memory, Python, C library."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = {
        "system": platform.platform(),
        "cores": cores,
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
    }
    for path, key, name in [("/proc/cpuinfo", "model name", "processor"), ("/proc/meminfo", "MemTotal", "memory")]:
        try:
            with open(path, encoding="utf-8") as file:
                found[name] = next((line.split(":", 1)[1].strip() for line in file if line.startswith(key)), None)
        except OSError:
            found[name] = None
    return found


def nvidia_smi(fields="index,name,uuid,driver_version,memory.total,memory.used,compute_cap,clocks.max.sm,power.limit"):
    """What nvidia-smi says about every GPU; an empty list without it."""
    try:
        answer = subprocess.run(
            ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    if answer.returncode != 0:
        return []
    names = fields.split(",")
    return [dict(zip(names, map(str.strip, line.split(",")))) for line in answer.stdout.splitlines() if line.strip()]


def libdevices():
    """Files of CUDA's math library on this machine, those of a whole toolkit first."""
    roots = [os.environ.get("CUDA_PATH"), os.environ.get("CUDA_HOME"), "/usr/local/cuda", "/opt/cuda"]
    roots += sorted(glob.glob("/usr/local/cuda-*"), reverse=True) + ["/usr/lib/cuda", "/usr/lib/nvidia-cuda-toolkit", "/usr"]
    whole = [os.path.join(root, INSIDE) for root in roots if root]
    bare = []
    for folder in python_folders():
        # Packages of the toolkit's parts: nvidia/cuda_nvcc, nvidia/cu13, triton, jax, numba.
        for pattern in (
            f"nvidia/*/{INSIDE}",
            f"nvidia/*/*/{INSIDE}",
            f"triton/backends/nvidia/lib/{LIBDEVICE}",
            f"triton/third_party/cuda/lib/{LIBDEVICE}",
            f"*/{INSIDE}",
            f"*/*/{LIBDEVICE}",
        ):
            bare += sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))
    # A conda environment keeps it elsewhere.
    for prefix in {sys.prefix, os.environ.get("CONDA_PREFIX") or sys.prefix}:
        bare += [os.path.join(prefix, INSIDE), os.path.join(prefix, "targets/x86_64-linux", INSIDE)]
    found = []
    for path in whole + bare:
        if os.path.isfile(path) and path not in found:
            found.append(path)
    return found


def python_folders():
    """Where this and other Pythons of the machine keep packages."""
    folders = [sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"], *sys.path]
    for pattern in (
        "/usr/local/lib/python3*/dist-packages",
        "/usr/local/lib/python3*/site-packages",
        "/usr/lib/python3/dist-packages",
        "/opt/*/lib/python3*/site-packages",
        "/opt/*/*/lib/python3*/site-packages",
        "/root/.local/lib/python3*/site-packages",
    ):
        folders += sorted(glob.glob(pattern))
    return list(dict.fromkeys(folder for folder in folders if folder and os.path.isdir(folder)))


def cuda_path(work):
    """A folder for CUDA_PATH, and the file of the math library that it leads to; both None without one. A bare file
    gets a folder of its own under `work`, built as Burn looks for it."""
    found = libdevices()
    if not found:
        return None, None
    file = found[0]
    if file.endswith(INSIDE):
        return file[: -len(INSIDE) - 1], file
    folder = os.path.join(work, "cuda")
    place = os.path.join(folder, INSIDE)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    shutil.copyfile(file, place)
    return folder, file


class Nvml:
    """The memory of one GPU, from the driver's own library: quicker than a program for each look."""

    class Memory(ctypes.Structure):
        _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]

    def __init__(self, number):
        self.library = ctypes.CDLL("libnvidia-ml.so.1")
        if self.library.nvmlInit_v2() != 0:
            raise OSError("NVML does not start")
        self.handle = ctypes.c_void_p()
        if self.library.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(self.handle)) != 0:
            raise OSError(f"NVML knows no GPU {number}")

    def used(self):
        memory = self.Memory()
        if self.library.nvmlDeviceGetMemoryInfo(self.handle, ctypes.byref(memory)) != 0:
            return None
        return int(memory.used)


class Smi:
    """The same from nvidia-smi."""

    def __init__(self, number):
        self.number = number
        if self.used() is None:
            raise OSError("nvidia-smi does not answer")

    def used(self):
        for gpu in nvidia_smi("index,memory.used"):
            if gpu["index"] == str(self.number) and gpu["memory.used"].isdigit():
                return int(gpu["memory.used"]) << 20
        return None


def physical(device):
    """The driver's number of the GPU that programs call `device`."""
    name = visible(device)
    return int(name) if name.isdigit() else int(device)


def visible(device):
    """What CUDA_VISIBLE_DEVICES is set to, so that programs see no GPU but the one that they call `device` now."""
    names = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    number = int(device)
    return names[number] if number < len(names) else device


def nccl_folder(work):
    """A folder that has NCCL under a name that Burn tries (`libnccl.so.2`, which packages install, is none); None without
    NCCL."""
    found = []
    for folder in python_folders():
        found += glob.glob(os.path.join(glob.escape(folder), "nvidia", "nccl", "lib", "libnccl.so.2"))
    found += glob.glob("/usr/lib/*/libnccl.so.2")
    if not found:
        return None
    folder = os.path.join(work, "nccl")
    os.makedirs(folder, exist_ok=True)
    link = os.path.join(folder, "libnccl.so")
    if not os.path.lexists(link):
        os.symlink(found[0], link)
    return folder


class MemoryWatch:
    """The most memory in use on a GPU while something runs, over what was in use before; all programs count."""

    def __init__(self, device):
        self.source = None
        if device == "cpu":
            return
        for kind in (Nvml, Smi):
            try:
                self.source = kind(physical(device))
                break
            except (OSError, ValueError, AttributeError):
                continue

    def __enter__(self):
        self.before = self.source.used() if self.source else None
        self.peak = self.before
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        if self.source:
            self.thread.start()
        return self

    def watch(self):
        pause = 0.02 if isinstance(self.source, Nvml) else 0.2
        while not self.stop.wait(pause):
            used = self.source.used()
            if used is not None:
                self.peak = max(self.peak or 0, used)

    def __exit__(self, *_):
        self.stop.set()
        if self.source:
            self.thread.join(timeout=2)

    def bytes(self):
        """None where the driver does not say."""
        if self.peak is None or self.before is None:
            return None
        return self.peak - self.before


def settle(watch, seconds=3.0):
    """Waits until an ended program's memory is free again, at most a few seconds."""
    end = time.monotonic() + seconds
    last = None
    while watch.source and time.monotonic() < end:
        used = watch.source.used()
        if used == last:
            return
        last = used
        time.sleep(0.2)
