"""Training steps of the same network in PyTorch on one device, as `avse bench gpu` takes them: run.py starts this.

    python peer.py NETWORK.json [--device 0|cpu] [--batch N] [--precision f32|tf32|bf16] [--compile] [--seconds S]

NETWORK.json comes from `avse bench gpu --what network`; weights are random, nothing is fetched. The last line of standard
output is JSON with the keys of `avse bench gpu`. tf32: f32 with products of shortened numbers; bf16: autocast. --compile
compiles the encoder blocks of both towers, where the time goes.
"""

import argparse
import json
import sys
import time
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

here = Path(__file__).resolve().parent
# Beside this file in an archive, in bench/peers of the repository.
sys.path[:0] = [str(here), str(here.parent / "peers")]

import torch  # noqa: E402

from avse_torch import Avse, groups, regulariser, triplet_loss  # noqa: E402

# As many as bench/gpu.rs takes between two waits.
TOGETHER = 4


def blocks(model):
    """Encoder blocks of both towers."""
    vit, bert = model.img_enc.visual_encoder, model.txt_enc.bert
    return [*(vit.encoder.layer if hasattr(vit, "encoder") else vit.layers), *bert.encoder.layer]


class Training:
    """A network, its optimiser, and a batch on the host that every step copies to the device."""

    def __init__(self, network, options, device):
        self.device, self.bf16 = device, options.precision == "bf16"
        torch.manual_seed(0)
        self.model = Avse(network).to(device).train()
        if options.compile:
            for block in blocks(self.model):
                block.compile(dynamic=False)
        cuda = device.type == "cuda"
        self.optimiser = torch.optim.AdamW(groups(self.model), weight_decay=1e-4, fused=cuda)
        side, tokens = network["image_size"], network["caption_tokens"]
        self.pixels = torch.rand(options.batch, 3, side, side) * 4 - 2
        self.ids = torch.randint(network["bert"]["vocab_size"], (options.batch, tokens))
        if cuda:
            self.pixels, self.ids = self.pixels.pin_memory(), self.ids.pin_memory()
        self.lengths = torch.full((options.batch,), tokens)

    def step(self):
        """The loss, still on the device."""
        self.optimiser.zero_grad()
        pixels = self.pixels.to(self.device, non_blocking=True)
        ids = self.ids.to(self.device, non_blocking=True)
        with torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext():
            images = self.model.img_enc(pixels)
            captions = self.model.txt_enc(ids, self.lengths)
        images, captions = images.float(), captions.float()
        loss = triplet_loss(self.model.scores(images, captions)) + regulariser(images)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self.optimiser.step()
        return loss.detach()


def measure(training, options):
    cuda = training.device.type == "cuda"
    wait = torch.cuda.synchronize if cuda else lambda: None
    losses = []

    def several(count):
        began = time.perf_counter()
        for _ in range(count):
            loss = training.step()
        wait()
        losses.append(loss.item())
        return (time.perf_counter() - began) / count

    warmup = [several(1) for _ in range(options.warmup)]
    print("warm-up:", " ".join(f"{seconds:.3f} s" for seconds in warmup), flush=True)
    timed, left, began = [], options.repetitions, time.perf_counter()
    while left > 0 and (not timed or time.perf_counter() - began < options.seconds):
        count = min(left, TOGETHER)
        timed.append(several(count))
        left -= count
    return {
        "device": torch.cuda.get_device_name(training.device) if cuda else "CPU",
        "batch": options.batch,
        "precision": options.precision,
        "compiled": options.compile,
        "attention": getattr(training.model.img_enc.visual_encoder.config, "_attn_implementation", None),
        "warmup_seconds": warmup,
        "run_seconds": timed,
        "per_second": options.batch * len(timed) / sum(timed),
        "losses": [losses[0], losses[-1]],
        "device_memory": {
            "in_use": torch.cuda.max_memory_allocated(training.device),
            "reserved": torch.cuda.max_memory_reserved(training.device),
        }
        if cuda
        else None,
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("network")
    parser.add_argument("--device", default="0")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="bf16")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    device = torch.device("cpu" if options.device == "cpu" else f"cuda:{options.device}")
    torch.set_float32_matmul_precision("high" if options.precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
    network = json.loads(Path(options.network).read_text())
    print(json.dumps(measure(Training(network, options, device), options)), flush=True)


if __name__ == "__main__":
    main()
