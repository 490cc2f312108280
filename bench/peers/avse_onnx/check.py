"""The exported graphs in onnxruntime beside what `avse encode` wrote."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Images of one run of the network.
BATCH = 32


def token_ids(bundle, sentences):
    """Token ids of each sentence, as the network sees them."""
    tokenizer = Tokenizer.from_file(str(bundle.tokenizer))
    tokenizer.no_padding()
    tokenizer.enable_truncation(bundle.config["text"]["max_position_embeddings"])
    return [encoding.ids for encoding in tokenizer.encode_batch(sentences)]


def pixels(path, side):
    """[3, R, R]: bilinear interpolation of a picture on white, half-pixel centres, then ImageNet's mean and deviation."""
    image = Image.open(path).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    image = np.asarray(Image.alpha_composite(white, image).convert("RGB"), np.float32)
    for axis in (0, 1):
        size = image.shape[axis]
        at = np.clip((np.arange(side) + 0.5) * size / side - 0.5, 0, size - 1)
        low = at.astype(int)
        share = (at - low).astype(np.float32).reshape([-1, 1, 1] if axis == 0 else [1, -1, 1])
        first, second = image.take(low, axis), image.take(np.minimum(low + 1, size - 1), axis)
        image = first + share * (second - first)
    normalised = (image / 255 - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return normalised.transpose(2, 0, 1).astype(np.float32)


def compare(bundle, folder, expected, limit):
    """The largest difference from `expected`, the .npy of `avse encode` with its .items.json beside it.
    Its kind follows from its number of blocks."""
    rows = np.load(expected)[:limit]
    about = json.loads(Path(f"{expected}.items.json").read_text())
    items = about["items"][: len(rows)]
    shape = rows.shape[1:]
    images = shape[0] == bundle.views * bundle.config["embed_size"] // bundle.block
    session = onnxruntime.InferenceSession(Path(folder) / ("image.onnx" if images else "text.onnx"))
    run = lambda name, value: session.run(None, {name: value})[0]
    if images:
        source = about["source"]
        root = Path(source.get("images") or source["path"])
        side = bundle.config["image_size"]
        inputs = np.stack([pixels(root / item["path"], side) for item in items])
        found = [run("pixels", inputs[at : at + BATCH]) for at in range(0, len(inputs), BATCH)]
    else:
        found = [run("ids", np.array([ids])) for ids in token_ids(bundle, [item["caption"] for item in items])]
    difference = np.abs(np.concatenate(found).reshape(-1, *shape) - rows)
    print(f"{'images' if images else 'captions'}: {len(rows)} compared, largest difference {difference.max():.2e}")
    return float(difference.max())
