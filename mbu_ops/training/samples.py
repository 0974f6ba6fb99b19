"""Sample sheets: one picture that shows what a network can do by now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mbu_ops import images
from mbu_ops.methods.base import each_content
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.transfer import Transfer


@torch.no_grad()
def sample_sheet(path: Path, model: Any, with_: Tensor, without: Tensor) -> None:
    """Write a sheet with a column per pair of images.

    Rows: guide, image, transfer, its mask, its raw pixels, removal from the guide, its mask, its raw pixels. A network
    of two contents gets these rows for each; what is the guide for one is the image for the other.

    Args:
        path: where to write the PNG.
        model: the networks, in evaluation mode.
        with_: ``(N, 3, R, R)`` RGB in [0, 1], the guides.
        without: ``(N, 3, R, R)`` RGB in [0, 1], the images.
    """
    count = min(len(with_), len(without))
    rows: list[Tensor] = []
    for index, method in enumerate(each_content(model)):
        guide, image = (with_, without) if index == 0 else (without, with_)
        added, removed = Transfer(method).edit(image[:count], guide[:count]), Remove(method).edit(guide[:count])
        rows += [guide[:count], image[:count]]
        rows += [added.image, added.mask, added.raw, removed.image, removed.mask, removed.raw]
    sheet = torch.cat([torch.cat(list(row.expand(-1, 3, -1, -1)), dim=2) for row in rows], dim=1)
    images.write(path, sheet.clamp(0, 1).cpu(), overwrite=True)
