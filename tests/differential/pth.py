"""PyTorch files: what `torch.load` reads, the tensors by name with their bytes."""

import collections
import io
import itertools
import random
import zipfile

import torch

TYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64"]
TYPES += ["bool", "complex64", "float8_e4m3fn"]


def numbers(count, dtype):
    values = torch.arange(count) * 37 % 101 - (0 if dtype.startswith("u") else 50)
    return values.to(getattr(torch, dtype))


# Views of 120 numbers.
VIEWS = {
    "contiguous": lambda base: base.view(4, 30),
    "transposed": lambda base: base.view(4, 30).t(),
    "permuted": lambda base: base.view(2, 3, 4, 5).permute(3, 1, 0, 2),
    "strided": lambda base: base[3::7],
    "expanded": lambda base: base[5:6].expand(3, 4),
    "offset": lambda base: base[100:].view(4, 5),
    "scalar": lambda base: base[7],
    "empty": lambda base: base[:0].view(0, 3),
    "slice": lambda base: base.view(2, 6, 10)[1:, 2:4, 1:9:3],
    "ones": lambda base: base.view(1, 120, 1)[:, 10:20],
    "channels_last": lambda base: base.view(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
}

# How a state dict may be wrapped, and where the model's tensors are then.
CONTAINERS = {
    "bare": lambda weights: weights,
    "model": lambda weights: {"model": weights, "optimizer": {"state": {0: {"step": torch.ones(1)}}}, "epoch": 3},
    "state_dict": lambda weights: {"state_dict": weights, "loss": float("nan")},
    "nested": lambda weights: {"module": {"state_dict": weights}, "step": torch.tensor(5)},
    "defaultdict": lambda weights: {"model_state_dict": collections.defaultdict(list, weights), "x": collections.deque([1])},
    "ordered": lambda weights: collections.OrderedDict(weights),
}


def described(weights):
    found = {}
    for name, tensor in weights.items():
        data = tensor.detach().contiguous().flatten()
        data = data.view(torch.uint8) if data.numel() else data
        found[name] = [str(tensor.dtype).removeprefix("torch."), list(tensor.shape), bytes(data.tolist()).hex() if data.numel() else ""]
    return found


def loaded(data):
    """What PyTorch reads in a flat state dict, or nothing."""
    try:
        weights = torch.load(io.BytesIO(data), weights_only=True)
        return described(weights)
    except Exception:  # Whatever it says, it refuses.
        return None


def saved(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def cases(folder):
    forms = {f"zip, protocol {p}": {"pickle_protocol": p} for p in (2, 3, 4, 5)}
    forms["before 1.6"] = {"_use_new_zipfile_serialization": False}
    for (form, options), dtype in itertools.product(forms.items(), TYPES):
        weights = {name: view(numbers(120, dtype)) for name, view in VIEWS.items()}
        weights["tied"] = weights["contiguous"]
        for part in [*({name: weight} for name, weight in weights.items()), weights]:
            name = f"{form.replace(' ', '_')}-{dtype}-{'all' if len(part) > 1 else next(iter(part))}.pth"
            (folder / name).write_bytes(saved(part, **options))
            group = f"types and views, {form.split(',')[0]}"
            yield {"group": group, "name": name, "input": name, "expected": described(part)}

    plain = {"a": numbers(6, "float32").view(2, 3), "b.c": numbers(4, "int64")}
    for (form, options), (container, wrap) in itertools.product(forms.items(), CONTAINERS.items()):
        name = f"{form.replace(' ', '_')}-in-{container}.pth"
        (folder / name).write_bytes(saved(wrap(plain), **options))
        yield {"group": "containers", "name": name, "input": name, "expected": described(plain)}

    wide = {name: view(numbers(120, "float32")) for name, view in VIEWS.items()}
    squeezed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(wide))) as old, zipfile.ZipFile(squeezed, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))
    (folder / "compressed.pth").write_bytes(squeezed.getvalue())
    yield {"group": "compressed", "name": "compressed.pth", "input": "compressed.pth", "expected": described(wide)}

    chance = random.Random(15)
    for form, options in [("zip", {}), ("before 1.6", {"_use_new_zipfile_serialization": False})]:
        data = saved({"a": numbers(40, "float32").view(4, 10).t(), "b": numbers(9, "int16")}, **options)
        for percent in range(0, 100, 2):
            name = f"cut-{form.replace(' ', '_')}-{percent}.pth"
            cut = data[: len(data) * percent // 100]
            (folder / name).write_bytes(cut)
            yield {"group": f"cut short, {form}", "name": name, "input": name, "expected": loaded(cut)}
        for number in range(600):
            damaged = bytearray(data)
            at = chance.randrange(len(data))
            damaged[at] ^= 1 << chance.randrange(8)
            name = f"damaged-{form.replace(' ', '_')}-{number}.pth"
            (folder / name).write_bytes(damaged)
            yield {"group": f"one bit changed, {form}", "name": f"{name} (byte {at})", "input": name, "expected": loaded(bytes(damaged))}
