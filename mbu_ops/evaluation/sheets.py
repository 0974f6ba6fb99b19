"""Pictures of a report: grids of what some weights do, and the curve of masks over their threshold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from mbu_ops import images
from mbu_ops.evaluation.edits import can
from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.figures import intersection_over_union
from mbu_ops.evaluation.measurement import DIAL, Follower
from mbu_ops.functional.grid import grid
from mbu_ops.ops.adjust import Adjust
from mbu_ops.ops.interpolate import Interpolate
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.ops.swap import Swap
from mbu_ops.ops.transfer import Transfer

if TYPE_CHECKING:
    from mbu_ops.weights import Pretrained

_ROWS, _COLUMNS, _STRENGTHS = 5, 8, 7


def transfers(weights: Pretrained, examples: Examples) -> Tensor:
    """Guides down the side, pictures across the top, and each picture with each guide's content."""
    add = Transfer.of(weights).edit
    guides, people = examples.with_[:_COLUMNS], examples.without[:_COLUMNS]
    corner = torch.ones_like(people[:1])
    rows = [torch.cat([corner, people])]
    for guide in guides:
        rows.append(torch.cat([guide[None], add(people, guide[None].expand(len(people), -1, -1, -1)).image]))
    return grid(rows)


def defaults(weights: Pretrained, examples: Examples) -> Tensor:
    """Pictures across the top, and below each with every default guide's content."""
    transfer, people = Transfer.of(weights), examples.without[:_COLUMNS]
    return grid([people, *(bound(people) for bound in transfer.defaults())])


def layers(weights: Pretrained, examples: Examples) -> Tensor:
    """Guide, picture, mask, raw pixels and result, a column each."""
    count = min(_COLUMNS, len(examples.with_), len(examples.without))
    guides, people = examples.with_[:count], examples.without[:count]
    edit = Transfer.of(weights).edit(people, guides)
    return grid([guides, people, edit.mask, edit.raw, edit.image])


def removals(weights: Pretrained, examples: Examples) -> Tensor:
    """Picture, mask, raw pixels and result, and the true picture where it is known."""
    pictures = examples.with_[:_COLUMNS]
    edit = Remove.of(weights).edit(pictures)
    truth = [] if examples.removed is None else [examples.removed[:_COLUMNS]]
    return grid([pictures, edit.mask, edit.raw, edit.image, *truth])


def interpolations(weights: Pretrained, examples: Examples) -> Tensor:
    """A picture a row; from one guide's content to another's across."""
    interpolate = Interpolate.of(weights)
    first, second = examples.with_[:1], examples.with_[1:2]
    people = examples.without[:_ROWS]
    steps = [interpolate(people, first, second, step / (_STRENGTHS - 1)) for step in range(_STRENGTHS)]
    return grid([torch.stack(row) for row in zip(people, *steps, strict=True)])


def swaps(weights: Pretrained, examples: Examples) -> Tensor:
    """Picture, guide and the picture with the guide's content in place of its own."""
    pictures = examples.with_[:_COLUMNS]
    guides = pictures.roll(1, 0)
    return grid([pictures, guides, Swap.of(weights)(pictures, guides)])


def chains(weights: Pretrained, examples: Examples, follower: Follower) -> Tensor:
    """Two edits one after another: picture, added, second added; then picture, removed, second added."""
    count = min(_COLUMNS, len(examples.with_), len(examples.without))
    pictures, people = examples.with_[:count], examples.without[:count]
    added = Transfer.of(weights).edit(people, pictures.roll(1, 0)).image
    removed = Remove.of(weights)(pictures)
    return grid([people, added, follower.after(added), pictures, removed, follower.after(removed)])


def segmentations(weights: Pretrained, examples: Examples, threshold: float) -> Tensor:
    """Picture, soft mask, mask cut at the threshold, and the true mask where it is known."""
    pictures = examples.with_[:_COLUMNS]
    soft = Segment.of(weights)(pictures)
    truth = [] if examples.masks is None else [examples.masks[:_COLUMNS].float()]
    return grid([pictures, soft, (soft >= threshold).float(), *truth])


def dials(weights: Pretrained, examples: Examples) -> Tensor:
    """A picture a row, half of them with the content; strengths from -1 to 1 across, the middle one untouched."""
    adjust = Adjust.of(weights)
    people = torch.cat([examples.without[:_ROWS], examples.with_[:_ROWS]])
    turned = [adjust(people, float(strength)) for strength in torch.linspace(-1, 1, DIAL)]
    return grid([torch.stack(row) for row in zip(*turned, strict=True)])


def threshold_curve(curves: dict[str, tuple[Tensor, Tensor]], side: int = 360) -> Image.Image:
    """Draw the mean overlap of masks over the threshold that cuts them.

    Args:
        curves: for each name, soft masks ``(N, 1, H, W)`` in [0, 1] and true ones, bool.
        side: of the picture's axes, in pixels.
    """
    colours = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e")
    margin = 40
    picture = Image.new("RGB", (side + 2 * margin, side + 2 * margin + 16 * len(curves)), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((margin, margin, margin + side, margin + side), outline="black")
    for tick in range(11):
        x, y = margin + side * tick // 10, margin + side - side * tick // 10
        pen.line((x, margin, x, margin + side), fill="#dddddd")
        pen.line((margin, y, margin + side, y), fill="#dddddd")
        if tick % 2 == 0:
            pen.text((x - 8, margin + side + 4), f"{tick / 10:g}", fill="black")
            pen.text((margin - 24, y - 6), f"{tick / 10:g}", fill="black")
    pen.text((margin, 8), "mask IoU over the threshold", fill="black")
    for number, (name, (soft, truth)) in enumerate(curves.items()):
        colour = colours[number % len(colours)]
        points = []
        for step in range(1, 50):
            overlap = float(intersection_over_union(soft >= step / 50, truth).mean())
            points.append((margin + side * step / 50, margin + side * (1 - overlap)))
        pen.line(points, fill=colour, width=2)
        pen.text((margin, side + 2 * margin - 8 + 16 * number), name, fill=colour)
    return picture


@torch.no_grad()
def write_sheets(
    folder: Path,
    weights: Pretrained,
    examples: Examples,
    threshold: float,
    follower: Follower | None = None,
    name: str = "weights",
) -> list[Path]:
    """Write every sheet that these examples and the weights' verbs allow.

    Args:
        folder: where to; must exist.
        weights: what edits them.
        examples: the images.
        threshold: mask value from which a pixel counts as content.
        follower: a second attribute to chain, if there is one.
        name: what to call the weights.

    Returns:
        The files.
    """
    drawn: dict[str, tuple[str, Callable[[], Tensor]]] = {
        "transfer": ("transfer", lambda: transfers(weights, examples)),
        "defaults": ("transfer", lambda: defaults(weights, examples)),
        "layers": ("transfer", lambda: layers(weights, examples)),
        "removal": ("remove", lambda: removals(weights, examples)),
        "interpolation": ("interpolate", lambda: interpolations(weights, examples)),
        "swap": ("swap", lambda: swaps(weights, examples)),
        "segmentation": ("segment", lambda: segmentations(weights, examples, threshold)),
        "dial": ("adjust", lambda: dials(weights, examples)),
    }
    if follower is not None:
        drawn["chain"] = ("transfer", lambda: chains(weights, examples, follower))
    written = []
    for sheet, (verb, draw) in drawn.items():
        if not can(weights, verb):
            continue
        written.append(folder / f"{sheet}.png")
        images.write(written[-1], draw(), overwrite=True)
    if examples.masks is not None and examples.known is not None and examples.known.any():
        written.append(folder / "threshold.png")
        segment = Segment.of(weights)
        soft = torch.cat([segment(chunk) for chunk in torch.split(examples.with_[examples.known], 32)])
        curve = threshold_curve({name: (soft, examples.masks[examples.known])})
        images.write(written[-1], to_tensor(curve), overwrite=True)
    return written


def to_tensor(picture: Image.Image) -> Tensor:
    """Return an RGB picture as ``(3, H, W)`` in [0, 1]."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
