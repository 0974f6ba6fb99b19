"""Sample sheets: one picture that shows what a network can do by now."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mbu_ops.functional.grid import grid
from mbu_ops.methods.base import each_content
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.transfer import Transfer


@torch.no_grad()
def edits_sheet(model: Any, without: Tensor, with_: Tensor) -> Tensor:
    """Draw a sheet with a column per pair of images.

    Rows: guide, image, transfer, its mask, its raw pixels, removal from the guide, its mask, its raw pixels. A network
    of two contents gets these rows for each; what is the guide for one is the image for the other.

    Args:
        model: the networks, in evaluation mode.
        without: ``(N, 3, R, R)`` RGB in [0, 1], the images.
        with_: ``(N, 3, R, R)`` RGB in [0, 1], the guides.

    Returns:
        ``(3, height, width)``.
    """
    count = min(len(with_), len(without))
    rows: list[Tensor] = []
    for index, method in enumerate(each_content(model)):
        guide, image = (with_, without) if index == 0 else (without, with_)
        added, removed = Transfer(method).edit(image[:count], guide[:count]), Remove(method).edit(guide[:count])
        rows += [guide[:count], image[:count]]
        rows += [added.image, added.mask, added.raw, removed.image, removed.mask, removed.raw]
    return grid(rows)
