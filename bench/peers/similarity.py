"""Peers of `avse bench similarity`, which starts this and asks for one run at a time.

    python similarity.py FOLDER THREADS

FOLDER holds `arrays.json` (name -> shape) and each array as `NAME.f32`, little-endian, row by row.
After a first line with the versions, each line of standard input names a run (a key of `RUNS` and,
where it takes one, the name of a data set) and is answered by a line of JSON: `seconds`, and `check`,
numbers that must agree with those of the engine.
"""

import json
import os
import sys
import time
from importlib.metadata import version

folder, threads = sys.argv[1], int(sys.argv[2])
# Read when the libraries are loaded.
os.environ["RAYON_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(threads)

import maxsim_cpu  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

BLOCK_WIDTH = 256
# The default of the official `--shard_size`.
SHARD_SIZE = 256
TOP = 10

shapes = json.load(open(os.path.join(folder, "arrays.json")))
loaded = {}


def array(name):
    if name not in loaded:
        path = os.path.join(folder, name + ".f32")
        loaded[name] = np.fromfile(path, dtype="<f4").reshape(shapes[name])
    return loaded[name]


def unit(x):
    """The official norm: epsilon added to the root."""
    return x / (x.pow(2).sum(dim=-1, keepdim=True).sqrt() + 1e-8)


def match(images, captions):
    """[n, I, W] and [m, C, W] -> [n, m]: for each caption block the best image block, summed."""
    products = torch.einsum("niw,mcw->nmic", images, captions)
    return products.max(dim=-2)[0].sum(dim=-1)


def cut(embeddings):
    return embeddings.reshape(len(embeddings), -1, BLOCK_WIDTH)


def official(images, captions):
    """What the official evaluation does to a pair of shards: it norms whole embeddings (the caption's
    twice), then blocks, every time."""
    return match(unit(cut(unit(images))), unit(cut(unit(unit(captions)))))


def already_unit(images, captions):
    return match(cut(images), cut(captions))


def sharded(pair, images, captions):
    scores = torch.zeros(len(images), len(captions))
    for i in range(0, len(images), SHARD_SIZE):
        for j in range(0, len(captions), SHARD_SIZE):
            shard = pair(images[i : i + SHARD_SIZE], captions[j : j + SHARD_SIZE])
            scores[i : i + SHARD_SIZE, j : j + SHARD_SIZE] = shard
    return scores


def pair_of(name):
    return [torch.from_numpy(array(f"{name}-{side}")) for side in ("images", "captions")]


def score_matrix(form, check, name):
    images, captions = (blocks.flatten(1) for blocks in pair_of(name))
    seconds, scores = timed(lambda: sharded(form, images, captions))
    return seconds, check(scores)


def mean(scores):
    return [scores.double().mean().item()]


def sgemm(name):
    """The products alone, in one call, all of them written to memory."""
    images, captions = pair_of(name)
    seconds, products = timed(lambda: images.flatten(0, 1) @ captions.flatten(0, 1).T)
    products = products.view(len(images), -1, len(captions), captions.shape[1])
    return seconds, mean(products.amax(1).sum(-1))


def maxsim():
    query, documents = array("query")[0], array("gallery")

    def run():
        scores = maxsim_cpu.maxsim_scores(query, documents)
        best = np.argpartition(-scores, min(TOP, len(scores) - 1))[:TOP]
        return np.sort(scores[best])[::-1]

    seconds, best = timed(run)
    return seconds, [float(score) for score in best]


def timed(work):
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def recalls(scores):
    """R@1, 5, 10 of captions for images and of images for captions, in per cent; not timed."""
    images, captions = scores.shape
    each = captions // images
    own_image = torch.arange(captions) // each
    own = scores[own_image, torch.arange(captions)]
    text_to_image = (scores > own).sum(0)
    best = own.view(images, each).max(1)[0]
    image_to_text = (scores > best[:, None]).sum(1)
    directions = (image_to_text, text_to_image)
    return [100 * (ranks < k).double().mean().item() for ranks in directions for k in (1, 5, 10)]


RUNS = {
    "official": lambda name: score_matrix(official, mean, name),
    "official-ranks": lambda name: score_matrix(official, recalls, name),
    "already-unit": lambda name: score_matrix(already_unit, mean, name),
    "sgemm": sgemm,
    "maxsim": maxsim,
}


def say(answer):
    print(json.dumps(answer), flush=True)


torch.set_num_threads(threads)
torch.set_grad_enabled(False)
say({name: version(name) for name in ("torch", "maxsim-cpu", "numpy")})
for line in sys.stdin:
    name, *arguments = line.split()
    seconds, check = RUNS[name](*arguments)
    say({"seconds": seconds, "check": check})
