"""A trained model's folder: configuration and weights."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file


class Bundle:
    def __init__(self, folder):
        folder = Path(folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        self.precision = manifest["precision"]
        if self.precision not in ("f32", "f16"):
            raise SystemExit(f"{folder}: weights in {self.precision}; only f32 and f16 can be exported")
        self.config = json.loads((folder / "config.json").read_text())
        self.tokenizer = folder / "tokenizer.json"
        self._weights = load_file(folder / "model.safetensors")

    def weight(self, name):
        """In f32, as the network computes with it."""
        return self._weights[name].astype(np.float32)

    def has(self, name):
        return name in self._weights

    @property
    def views(self):
        return self.config.get("sampling", {}).get("views", 2)

    @property
    def block(self):
        return self.config.get("block_size", 256)

    def pooling(self, key):
        defaults = {"position_size": 32, "hidden_size": 32, "temperature": 0.1}
        return (defaults | self.config.get("pooling", {}))[key]
