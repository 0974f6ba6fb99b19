"""What tests of `mbu-ops parse`, `edit` and `generate` share beside fixtures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mbu_ops import images

from ..tiny_faces import ANATOMY
from .conftest import pixels_of


def tensor(path: Path) -> Tensor:
    return images.read(path).to_tensor()[None]


def labels_of(path: Path) -> Tensor:
    return torch.from_numpy(images.read_labels(path, ANATOMY.colours))[None, None]


def near(path: Path, expected: Tensor) -> bool:
    """Whether a file holds a picture, but for the rounding to 8 bits."""
    wanted = 255 * expected[0].detach().movedim(0, -1).numpy()
    return bool(np.abs(pixels_of(path) - wanted).max() < 0.51)
