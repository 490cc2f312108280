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
        if self.precision not in ("f32", "f16", "int8"):
            raise SystemExit(f"{folder}: weights in {self.precision} cannot be read here")
        self.config = json.loads((folder / "config.json").read_text())
        self.tokenizer = folder / "tokenizer.json"
        self._weights = load_file(folder / "model.safetensors")

    def weight(self, name):
        """In f32, as the network computes with it; 8-bit matrices have a scale for each row beside them."""
        values = self._weights[name].astype(np.float32)
        scale = self._weights.get(f"{name}.scale")
        if self._weights[name].dtype != np.int8 or scale is None:
            return values
        # A row is what the first dimension that is not 1 counts; the last is never cut.
        axis = next((at for at, size in enumerate(values.shape[:-1]) if size != 1), 0)
        return values * scale.reshape([-1 if at == axis else 1 for at in range(values.ndim)])

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
