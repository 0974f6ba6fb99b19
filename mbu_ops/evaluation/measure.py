"""Measure add, remove and segment on examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.figures import Figure, intersection_over_union, mean, peak_signal_to_noise, share
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
    added, removed = transfer.edit(without, with_[torch.from_numpy(chosen)]), remove.edit(with_)
    figures = [
        share("judge_with", "judge says with: untouched, with", judge.says_with(with_)),
        share("judge_without", "judge says without: untouched, without", ~judge.says_with(without)),
        share("add", "judge says with: added, random guide", judge.says_with(added.image)),
    ]
    if transfer.default_guides is not None:
        said = [judge.says_with(transfer.edit_code(without, code[None]).image) for code in transfer.default_guides]
        figures.append(share("add_default", "judge says with: added, default guides", torch.cat(said)))
    figures += [
        share("remove", "judge says without: removed", ~judge.says_with(removed.image)),
        mean("mask_add", "mean mask of additions", added.mask.flatten(1).mean(1)),
        mean("mask_remove", "mean mask of removals", removed.mask.flatten(1).mean(1)),
        mean("outside_add", "largest change outside the mask, additions", _largest_change(added, without)),
        mean("outside_remove", "largest change outside the mask, removals", _largest_change(removed, with_)),
    ]
    if examples.masks is not None and examples.known is not None and examples.known.any():
        found = Segment.from_pretrained(weights)(with_[examples.known]) > threshold
        overlap = intersection_over_union(found, examples.masks[examples.known])
        figures.append(mean("mask_iou", f"mask IoU, threshold {threshold:g}", overlap))
    if examples.removed is not None:
        figures += [
            mean("remove_psnr", "PSNR of removals", peak_signal_to_noise(removed.image, examples.removed), "dB"),
            mean("untouched_psnr", "PSNR of doing nothing", peak_signal_to_noise(with_, examples.removed), "dB"),
        ]
    return figures


def _largest_change(edit: Edit, before: Tensor) -> Tensor:
    return ((edit.image - before).abs() * (edit.mask == 0)).flatten(1).amax(1)
