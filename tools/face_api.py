"""Read the networks of the package ``@vladmandic/face-api`` (MIT): quantised to 8 bits, a scale for each tensor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def face_api(folder: Path, name: str) -> dict[str, Tensor]:
    """Read a network of face-api: float, with convolutions as (out, in, height, width)."""
    (manifest,) = json.loads((folder / f"{name}-weights_manifest.json").read_text(encoding="utf-8"))
    content = b"".join((folder / part).read_bytes() for part in manifest["paths"])
    tensors, offset = {}, 0
    for entry in manifest["weights"]:
        quantised = entry.get("quantization")
        kind = np.dtype(quantised["dtype"] if quantised else entry["dtype"])
        values = np.frombuffer(content, kind, int(np.prod(entry["shape"])), offset).astype(np.float32)
        offset += values.size * kind.itemsize
        if quantised:
            values = values * quantised["scale"] + quantised["min"]
        tensor = torch.from_numpy(values.copy()).reshape(entry["shape"])
        tensors[entry["name"]] = tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor
    if offset != len(content):
        raise SystemExit(f"{name}: expected {offset} bytes, got {len(content)}")
    return tensors
