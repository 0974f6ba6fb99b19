"""Nothing to do: what edits change in pictures that already are as wanted."""

from __future__ import annotations

from torch import Tensor

from mbu_ops.evaluation.edits import Edits
from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.figures import Figure, mean, share

VISIBLE, STRONG = 4, 16
"""Levels of 255 by which a pixel must change to count as changed, and as strongly changed."""


def changed(after: Tensor, before: Tensor, levels: float) -> Tensor:
    """Return which pixels differ by more than some levels of 255 in one of their channels, as ``(N, H, W)`` bool.

    Args:
        after: ``(N, 3, H, W)`` RGB in [0, 1].
        before: the same.
        levels: by how much.

    Example:
        >>> import torch
        >>> black = torch.zeros(1, 3, 1, 2)
        >>> changed(black + torch.tensor([0.01, 0.02]), black, 4)
        tensor([[[False,  True]]])
    """
    # a hair more: differences of 8-bit levels are rounded in floating point
    return (after - before).abs().amax(1) > (levels + 1e-3) / 255


def untouched_figures(examples: Examples, edits: Edits) -> list[Figure]:
    """Measure removals from pictures without the content, and additions to pictures that have it.

    Beside each, how many pictures with something to do were left as they were.

    Args:
        examples: the pictures.
        edits: what became of them.
    """
    figures = []
    for kind in reversed(edits.kinds(examples)):
        name, title = kind.name, kind.lack
        visible, strong = (
            changed(kind.idle, kind.idle_before, levels).flatten(1).double() for levels in (VISIBLE, STRONG)
        )
        unchanged = (kind.edit.image == kind.before).flatten(1).all(1)
        figures += [
            share(f"missed_{name}", f"something to do, left as it was: {kind.title}", unchanged),
            share(f"untouched_{name}", f"nothing to do, left untouched: {title}", visible.sum(1) == 0),
            mean(
                f"idle_{VISIBLE}_{name}",
                f"nothing to do, pixels changed by > {VISIBLE}: {title}",
                visible.mean(1),
                "share",
            ),
            mean(
                f"idle_{STRONG}_{name}",
                f"nothing to do, pixels changed by > {STRONG}: {title}",
                strong.mean(1),
                "share",
            ),
        ]
    return figures
