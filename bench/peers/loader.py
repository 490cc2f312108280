"""Peer of `avse bench loader`, which starts this and asks for one run at a time.

    python loader.py FOLDER THREADS

FOLDER holds JPEG files. After a first line with the versions, each line of standard input is answered by a line of
JSON, `seconds` and `check`:

    load SIDE COUNT SEED   loads COUNT images: decode, random crop, bilinear resize to SIDE, mirror, normalise to f32, channels
                           first, into batches of 32; whatever THREADS says, in one thread
    check SIDE VALUES      so many values a channel of the first image, whole

Each step is what was fastest of several forms in NumPy and OpenCV: bytes are resized, not floats as in the official
code, and each channel is normalised on its way into the batch.
"""

import json
import os
import sys
import time

import cv2
import numpy as np

cv2.setNumThreads(1)

BATCH = 32
CROP = (0.6, 1.0)
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
SCALE = (1 / (255 * STD)).astype(np.float32)
OFFSET = (-MEAN / STD).astype(np.float32)

folder = sys.argv[1]
names = sorted(name for name in os.listdir(folder) if name.lower().endswith((".jpg", ".jpeg")))
paths = [os.path.join(folder, name) for name in names]


def decode(path):
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)


def crop(image, random):
    ratio = random.uniform(*CROP)
    height, width = image.shape[:2]
    tall, wide = int(height * ratio), int(width * ratio)
    top, left = int(random.random() * (height - tall)), int(random.random() * (width - wide))
    return image[top : top + tall, left : left + wide]


def put(image, side, mirrored, out):
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    if mirrored:
        small = cv2.flip(small, 1)
    for channel in range(3):
        # OpenCV has blue first.
        np.multiply(small[:, :, 2 - channel], SCALE[channel], out=out[channel])
        out[channel] += OFFSET[channel]


def load(side, count, seed):
    random = np.random.default_rng(seed)
    # One batch for all: fresh memory for each would cost the peer more.
    batch = np.empty((BATCH, 3, side, side), np.float32)
    for at in range(count):
        image = crop(decode(paths[at % len(paths)]), random)
        put(image, side, random.random() < 0.5, batch[at % BATCH])


def check(side, values):
    out = np.empty((3, side, side), np.float32)
    put(decode(paths[0]), side, False, out)
    flat = out.reshape(3, -1)
    at = np.arange(values) * flat.shape[1] // values
    return flat[:, at].ravel().tolist()


print(json.dumps({"opencv": cv2.__version__, "numpy": np.__version__}), flush=True)
for line in sys.stdin:
    work, *numbers = line.split()
    numbers = [int(number) for number in numbers]
    start = time.perf_counter()
    if work == "check":
        answer = {"seconds": 0, "check": check(*numbers)}
    else:
        load(*numbers)
        answer = {"seconds": time.perf_counter() - start, "check": []}
    print(json.dumps(answer), flush=True)
