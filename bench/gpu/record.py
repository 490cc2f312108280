"""What a run has found so far, in one JSON file that is whole at every moment."""

import json
import os
import time


class Record:
    """Parts by name, in their order. Every change is written beside the file and renamed over it."""

    def __init__(self, path, head, names):
        self.path = os.path.abspath(path)
        self.began = time.time()
        self.data = {
            "format": 1,
            "state": "running",
            "started": stamp(),
            **head,
            "parts": {name: {"state": "not reached"} for name in names},
        }
        self.write()

    def write(self):
        self.data["written"] = stamp()
        self.data["seconds"] = round(time.time() - self.began, 1)
        beside = f"{self.path}.part"
        with open(beside, "w", encoding="utf-8") as file:
            json.dump(plain(self.data), file, indent=1, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.path)

    def part(self, name, **values):
        self.data["parts"][name].update(values)
        self.write()

    def end(self, state):
        self.data["state"] = state
        for part in self.data["parts"].values():
            if part["state"] == "running":
                part["state"] = state
        self.write()


def plain(value):
    """NaN and infinity as words: JSON has neither, and both are findings."""
    if isinstance(value, float) and value - value != 0:
        return str(value)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
