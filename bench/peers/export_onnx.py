"""An AVSE bundle as two ONNX graphs, for other runtimes to be measured against ours.

    python export_onnx.py BUNDLE OUT [--search KIND:N ...] [--queries FILE] [--check NPY ...]

OUT/image.onnx   pixels [B, 3, R, R], normalised, f32 -> blocks [B, blocks * width], both fixed views
OUT/text.onnx    ids [1, T], int64 -> blocks [1, blocks * width]
OUT/search-KIND-N.onnx   query [blocks, width] -> scores [10], rows [10]: the ten best of N images (or captions);
                         the gallery's blocks are external data, `gallery.f32`, which the runtime is given
OUT/queries.json FILE, a list of sentences, with their token ids

ResNet and ViT backbones. Weights that the bundle has in f16 are stored so, and widened when they are loaded; those of
f32 and int8 bundles are stored in f32.
"""

import argparse
import json
from pathlib import Path

from avse_onnx import image, search, text
from avse_onnx.bundle import Bundle

# Embeddings are unit blocks.
TOLERANCE = 1e-3


def main():
    parser = argparse.ArgumentParser(description="An AVSE bundle as ONNX graphs")
    parser.add_argument("bundle", help="folder of the model")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--search", nargs="*", default=[], help="galleries to make search graphs for: images:2000")
    parser.add_argument("--queries", type=Path, help="JSON list of sentences whose token ids are wanted")
    parser.add_argument("--check", nargs="*", default=[], help=".npy files of `avse encode` to compare with")
    parser.add_argument("--limit", type=int, default=200, help="rows of each that are compared")
    arguments = parser.parse_args()
    bundle, out = Bundle(arguments.bundle), arguments.out
    out.mkdir(parents=True, exist_ok=True)
    half = bundle.precision == "f16"
    graphs = {"image": image.build(bundle, half), "text": text.build(bundle, half)}
    for kind, rows in (gallery.split(":") for gallery in arguments.search):
        graphs[f"search-{kind}-{rows}"] = search.build(bundle, kind, int(rows))
    for name, graph in graphs.items():
        path = out / f"{name}.onnx"
        path.write_bytes(graph.SerializeToString())
        print(f"{path}: {path.stat().st_size} bytes, {len(graph.graph.node)} nodes")
    if arguments.queries or arguments.check:
        # Only these need a tokenizer and a runtime.
        from avse_onnx import check

        if arguments.queries:
            sentences = json.loads(arguments.queries.read_text())
            ids = check.token_ids(bundle, sentences)
            queries = [{"text": text, "ids": ids} for text, ids in zip(sentences, ids)]
            (out / "queries.json").write_text(json.dumps(queries))
        differences = [check.compare(bundle, out, expected, arguments.limit) for expected in arguments.check]
        if any(not difference <= TOLERANCE for difference in differences):
            raise SystemExit(f"the graphs differ by more than {TOLERANCE}")


if __name__ == "__main__":
    main()
