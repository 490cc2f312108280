"""Peer of `avse bench training`, which starts this anew for each job and asks for one run at a time.

    python training_steps.py FOLDER THREADS

FOLDER holds `network.json`, and for an evaluation `weights.safetensors` under the official names, `vocab.txt` and a
dataset in the official layout. After a first line with the versions, each line of standard input is answered by a line of
JSON, `seconds`, `check` and `peak_bytes`, the largest resident memory of this process so far:

    step BATCH     one training step as the official code takes it: hardest negatives, regulariser, clipping, AdamW
    evaluate       pixels and words from their files, each image once for each of its captions as its ids file has it,
                   embeddings, scores, recalls; `check`: the scores of the first images with the first captions
"""

import json
import os
import resource
import sys
import time
from importlib.metadata import version

folder, threads = sys.argv[1], int(sys.argv[2])
os.environ["OMP_NUM_THREADS"] = str(threads)

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402
from transformers import BertTokenizer  # noqa: E402

from avse_torch import Avse, groups, regulariser, triplet_loss  # noqa: E402

torch.set_num_threads(threads)
cv2.setNumThreads(1)

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
# The official --batch_size and --shard_size.
BATCH, SHARD = 128, 256
CHECKED = 8

network = json.load(open(os.path.join(folder, "network.json")))


class Training:
    """A network of random weights, and its optimiser."""

    def __init__(self):
        self.model = Avse(network).train()
        self.optimiser = torch.optim.AdamW(groups(self.model), weight_decay=1e-4)

    def step(self, batch):
        side, tokens = network["image_size"], network["caption_tokens"]
        pixels = torch.rand(batch, 3, side, side) * 4 - 2
        ids = torch.randint(network["bert"]["vocab_size"], (batch, tokens))
        start = time.perf_counter()
        self.optimiser.zero_grad()
        images = self.model.img_enc(pixels)
        captions = self.model.txt_enc(ids, torch.full((batch,), tokens))
        loss = triplet_loss(self.model.scores(images, captions)) + regulariser(images)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self.optimiser.step()
        value = loss.item()
        assert np.isfinite(value), value
        return time.perf_counter() - start, []


class Pairs(Dataset):
    """A split of the official layout: an image and a caption for every line."""

    def __init__(self):
        root = os.path.join(folder, "data", "f30k")

        def lines(name):
            return open(os.path.join(root, f"test_{name}.txt"), encoding="utf-8").read().splitlines()

        self.ids, self.captions = lines("ids"), lines("caps")
        self.files = json.load(open(os.path.join(root, "id_mapping.json")))
        self.tokenizer = BertTokenizer(os.path.join(folder, "vocab.txt"))

    def __len__(self):
        return len(self.captions)

    def __getitem__(self, at):
        path = os.path.join(folder, "data", "flickr30k-images", self.files[self.ids[at]])
        image = cv2.imread(path)[:, :, ::-1].astype(np.float32)
        side = network["image_size"]
        image = (cv2.resize(image, (side, side)) / 255 - MEAN) / STD
        tokenizer = self.tokenizer
        pieces = [
            piece
            for word in tokenizer.basic_tokenizer.tokenize(self.captions[at])
            for piece in tokenizer.wordpiece_tokenizer.tokenize(word)
        ]
        ids = tokenizer.convert_tokens_to_ids(["[CLS]", *pieces, "[SEP]"])
        return torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32)), torch.tensor(ids)


def together(samples):
    images, captions = zip(*samples)
    lengths = torch.tensor([len(caption) for caption in captions])
    return torch.stack(images), torch.nn.utils.rnn.pad_sequence(captions, batch_first=True), lengths


class Evaluation:
    def __init__(self):
        self.model = Avse(network)
        weights = load_file(os.path.join(folder, "weights.safetensors"))
        missing, unknown = self.model.load_state_dict(weights, strict=False)
        # What the network never uses may be missing from our file, nothing else.
        missing = [name for name in missing if not any(part in name for part in ("pooler", ".layernorm.", "bns.1"))]
        assert not missing and not unknown, (missing, unknown)
        self.model.eval()

    @torch.no_grad()
    def run(self):
        start = time.perf_counter()
        images, captions = [], []
        # A spawned worker would read this file again; on Linux it is forked.
        for pixels, ids, lengths in DataLoader(Pairs(), BATCH, num_workers=threads, collate_fn=together):
            kept = torch.tensor(network["kept"]).expand(len(pixels), -1, -1)
            images.append(self.model.img_enc(pixels, kept))
            captions.append(self.model.txt_enc(ids, lengths))
        images, captions = torch.cat(images), torch.cat(captions)
        each = network["captions_each"]
        images = images[::each]
        rows = []
        for first in range(0, len(images), SHARD):
            shards = [
                self.model.scores(images[first : first + SHARD], captions[second : second + SHARD])
                for second in range(0, len(captions), SHARD)
            ]
            rows.append(torch.cat(shards, dim=1))
        scores = torch.cat(rows).numpy()
        recalls = self.recalls(scores, each)
        assert len(recalls) == 6
        return time.perf_counter() - start, scores[:CHECKED, :CHECKED].flatten().tolist()

    @staticmethod
    def recalls(scores, each):
        image_ranks = [
            np.flatnonzero(np.argsort(-row) // each == at)[0] for at, row in enumerate(scores)
        ]
        caption_ranks = [
            np.flatnonzero(np.argsort(-column) == at // each)[0] for at, column in enumerate(scores.T)
        ]
        return [100.0 * np.mean(np.array(ranks) < k) for ranks in (image_ranks, caption_ranks) for k in (1, 5, 10)]


packages = ("torch", "transformers", "numpy", "opencv-python-headless")
print(json.dumps({name: version(name) for name in packages}), flush=True)
job = None
for line in sys.stdin:
    request, *arguments = line.split()
    if request == "step":
        job = job or Training()
        seconds, check = job.step(int(arguments[0]))
    else:
        assert request == "evaluate", request
        job = job or Evaluation()
        seconds, check = job.run()
    # Kibibytes on Linux, bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "check": check, "peak_bytes": peak}), flush=True)
