"""The parts of a run, most valuable first. Each is a function that is given the run and returns what it found; a part that
cannot fulfil its purpose raises `Failed`."""

from .common import Failed
from .doctor import doctor, find_peer
from .retrieval import evaluation
from .steps import kernel_times, savings, steps
from .suites import suite
from .training import collective, emoji, resume

__all__ = ["PARTS", "Failed", "find_peer"]

# What a run does, in its order: name, part, seconds at most, seconds that the parts before leave to it.
PARTS = [
    ("doctor", doctor, 60, 10),
    ("parity", suite("parity"), 100, 40),
    ("gradients", suite("gradients"), 100, 50),
    ("steps", steps, 210, 110),
    ("kernels", kernel_times, 40, 10),
    ("evaluation", evaluation, 60, 20),
    ("savings", savings, 60, 20),
    ("resume", resume, 50, 12),
    ("collective", collective, 40, 8),
    ("emoji", emoji, 150, 70),
]
