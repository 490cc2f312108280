"""How fast towers encode; evaluation and search on the GPU beside the CPU."""

import shutil

from process import say

from .common import Failed, judged, last_json
from .steps import bench


def evaluation(run):
    """How fast towers encode; the committed model on the emoji test, and its search, on this device and on the CPU."""
    found = {"rows": []}
    for what, batch, count in [("images", 100, 1000), ("captions", 500, 5000)]:
        batch, count = (2, 4) if run.quick else (batch, count)
        words = ["--what", what, "--batch_size", str(batch), "--warmup", "2", "--repetitions", str(count // batch)]
        row = {"name": f"{what}-{count}", **bench(run, what, words, min(run.left(), 40), "10")}
        say(f"  {what}: {row['why'] if not row['ok'] else round(row['per_second'], 1)} a second")
        found["rows"].append(row)
        run.keep(found)
    results, hits = {}, {}
    queries = ["a red apple", "train in the snow"]
    for device in dict.fromkeys([run.device, "cpu"]):
        name = "cpu" if device == "cpu" else "gpu"
        words = [run.avse, "eval", *run.emoji(), "--model", run.here("emoji-model"), "--gpu-id", device, "--json"]
        answer = run.call(f"eval-{name}", words, min(run.left(), 60), quiet=True)
        rsum = rsum_of(last_json(answer.out))
        found["rows"].append({"name": f"eval-{name}", "rsum": rsum, **answer.row()})
        results[name] = rsum
        gallery = run.file(f"gallery-{name}")
        shutil.rmtree(gallery, ignore_errors=True)
        words = [run.avse, "index", "build", *run.emoji(), "--split", "test", "--gallery", gallery]
        words += ["--model", run.here("emoji-model"), "--gpu-id", device]
        answer = run.call(f"index-{name}", words, min(run.left(), 60), quiet=True)
        found["rows"].append({"name": f"index-{name}", **answer.row()})
        hits[name] = []
        for at, query in enumerate(queries):
            words = [run.avse, "search", query, "--gallery", gallery, "--gpu-id", device, "--json"]
            answer = run.call(f"search-{name}-{at}", words, min(run.left(), 20), quiet=True)
            answered = last_json(answer.out) or {}
            hits[name].append([(hit["key"], hit["score"]) for hit in answered.get("hits", [])])
            if at == 0 or not answer.ok:
                found["rows"].append({"name": f"search-{name}", "answered": answered.get("seconds"), **answer.row()})
        run.keep(found)
    found["rsum"] = results
    if "gpu" in hits:
        found["search"] = compared(hits["gpu"], hits["cpu"])
        say(f"  rSum {results['gpu']} on the GPU, {results['cpu']} on the CPU; search: {found['search']}")
        if results["gpu"] is not None and results["cpu"] is not None and abs(results["gpu"] - results["cpu"]) > 2:
            raise Failed("the GPU's rSum is another than the CPU's", found)
    return judged(found, found["rows"])


def rsum_of(report):
    try:
        return report["sets"][-1]["metrics"]["rsum"]
    except (TypeError, KeyError, IndexError):
        return None


def compared(ours, theirs):
    """Of several questions: hits that both lists hold, hits at the same place, the largest difference of a score."""
    same = [len({key for key, _ in a} & {key for key, _ in b}) for a, b in zip(ours, theirs)]
    placed = [sum(x[0] == y[0] for x, y in zip(a, b)) for a, b in zip(ours, theirs)]
    scores = [abs(dict(b)[key] - score) for a, b in zip(ours, theirs) for key, score in a if key in dict(b)]
    return {
        "hits": sum(map(len, theirs)),
        "in_both": sum(same),
        "same_place": sum(placed),
        "largest_score_difference": max(scores, default=None),
    }
