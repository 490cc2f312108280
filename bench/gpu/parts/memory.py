"""Measured peaks of memory beside the formula."""


def formula(rows):
    """Measured peaks beside those that the formula for GPUs says, and its numbers fitted to this device; per precision."""
    out = {}
    for precision in ("f32", "bf16"):
        points = []
        for row in rows:
            counted, memory = row.get("counted"), row.get("device_memory")
            if row["who"] == "ours" and row["ok"] and counted and row["method"]["precision"] == precision:
                # The driver's figure has the context in it, as the formula has.
                peak = row.get("driver_peak_bytes") or (memory or {}).get("reserved") or row.get("host_peak_bytes")
                if peak:
                    points.append((row["name"], counted, peak))
        if not points:
            continue
        table = [{"name": name, "peak_bytes": peak, "predicted_bytes": counted["predicted"]} for name, counted, peak in points]
        rest = [(counted["kept"], peak - counted["weights"]) for _, counted, peak in points]
        out[precision] = {"rows": table, "fitted": fitted(rest)}
    return out


def fitted(points):
    """`fixed` and `kept` of peak - weights = fixed + kept x numbers, by least squares; None for fewer than two sizes."""
    if len({x for x, _ in points}) < 2:
        return None
    count, mean_x, mean_y = len(points), sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return {"fixed": mean_y - slope * mean_x, "kept": slope, "points": count}
