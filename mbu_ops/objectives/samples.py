"""Sample sheets: one picture that shows what a network can do by now."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mbu_ops.functional.grid import grid
from mbu_ops.methods.base import each_content
from mbu_ops.ops.edit import edit_with
from mbu_ops.ops.plan import op_class
from mbu_ops.ops.verbs import verbs


@torch.no_grad()
def edits_sheet(model: Any, without: Tensor, with_: Tensor) -> Tensor:
    """Draw a sheet with a column per pair of images.

    Rows: guide, image, and for each simple verb (:attr:`mbu_ops.ops.verbs.Verb.joins`: add, remove) that the networks
    serve its result, mask and raw pixels; verbs that take a guide are shown on the image, others on the guide. A
    network of two contents gets these rows for each; what is the guide for one is the image for the other.

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
        guide, image = (with_[:count], without[:count]) if index == 0 else (without[:count], with_[:count])
        rows += [guide, image]
        for verb in verbs():
            if verb.joins and verb.call in method.info.verbs:
                codes = [method.encode_guide(guide)] * verb.guides
                step = op_class(verb).for_step(method, {}, codes)
                rows += edit_with(step, image if verb.guides else guide)
    return grid(rows)
