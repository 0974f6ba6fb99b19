"""Measure add, remove and segment on examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.figures import (
    Figure,
    intersection_over_union,
    largest,
    mean,
    peak_signal_to_noise,
    share,
)
from mbu_ops.evaluation.judge import Judge
from mbu_ops.ops.edit import Edit
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.ops.transfer import Transfer


@torch.no_grad()
def measure(
    weights: str | Path, examples: Examples, judge: Judge, seed: int = 1, threshold: float = 0.5
) -> list[Figure]:
    """Measure the edits of some weights.

    Args:
        weights: name or path, as the ops take it.
        examples: images that neither the weights nor the judge have seen.
        judge: who says whether an edit shows the content.
        seed: of the choice of guides.
        threshold: mask value from which a pixel counts as content.

    Returns:
        What the judge says of the images themselves (his own limit), of additions and of removals; how large masks are,
        and how far pixels outside them changed; where the truth is known, also how well masks and removals match it,
        beside the figure of an untouched image.
    """
    with_, without = examples.with_, examples.without
    transfer, remove = Transfer.from_pretrained(weights), Remove.from_pretrained(weights)
    chosen = np.random.default_rng(seed).integers(len(with_), size=len(without))
    added = _edits(lambda images, guides: transfer.edit(images, guides), without, with_[torch.from_numpy(chosen)])
    removed = _edits(remove.edit, with_)
    figures = [
        share("judge_with", "judge says with: untouched, with", judge.says_with(with_)),
        share("judge_without", "judge says without: untouched, without", ~judge.says_with(without)),
        share("add", "judge says with: added, random guide", judge.says_with(added.image)),
    ]
    if transfer.default_guides is not None:
        said = [
            judge.says_with(_edits(lambda images, code=code: transfer.edit_code(images, code[None]), without).image)
            for code in transfer.default_guides
        ]
        convinced = torch.stack(said).double().mean(0)  # a person with eight guides is one person
        figures.append(mean("add_default", "judge says with: added, default guides", convinced, "share"))
    figures += [
        share("remove", "judge says without: removed", ~judge.says_with(removed.image)),
        mean("mask_add", "mean mask of additions", added.mask.flatten(1).mean(1)),
        mean("mask_remove", "mean mask of removals", removed.mask.flatten(1).mean(1)),
        largest("outside_add", "largest change outside the mask, additions", _largest_change(added, without)),
        largest("outside_remove", "largest change outside the mask, removals", _largest_change(removed, with_)),
    ]
    if examples.masks is not None and examples.known is not None and examples.known.any():
        segment = Segment.from_pretrained(weights)
        found = torch.cat([segment(chunk) for chunk in torch.split(with_[examples.known], _CHUNK)]) >= threshold
        overlap = intersection_over_union(found, examples.masks[examples.known])
        figures.append(mean("mask_iou", f"mask IoU, threshold {threshold:g}", overlap))
    if examples.removed is not None:
        figures += [
            mean("remove_psnr", "PSNR of removals", peak_signal_to_noise(removed.image, examples.removed), "dB"),
            mean("untouched_psnr", "PSNR of doing nothing", peak_signal_to_noise(with_, examples.removed), "dB"),
        ]
    return figures


_CHUNK = 32
"""Images edited at once: memory stays the same however many there are."""


def _edits(edit: Callable[..., Edit], *images: Tensor) -> Edit:
    """Return the edit of many images, made a few at a time."""
    parts = [edit(*chunks) for chunks in zip(*(torch.split(one, _CHUNK) for one in images), strict=True)]
    return Edit(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _largest_change(edit: Edit, before: Tensor) -> Tensor:
    return ((edit.image - before).abs() * (edit.mask == 0)).flatten(1).amax(1)
