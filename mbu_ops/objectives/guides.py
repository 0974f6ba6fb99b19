"""Default guide codes: a few of the training set's own contents, kept as codes so that no image is stored."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.functional.render import render
from mbu_ops.methods.base import draw_code, each_content


def default_guides(model: Any, with_: Tensor, without: Tensor) -> Tensor:
    """Choose default guides for every content of some networks, as a weights file holds them.

    Args:
        model: the networks.
        with_: ``(N, 3, R, R)`` RGB in [0, 1], images with the content; with the first of two.
        without: ``(M, 3, R, R)`` RGB in [0, 1], images without it; with the second of two.

    Returns:
        ``(count, *guide shape)``.
    """
    # of a pair of contents each domain shows one and lacks the other
    sides = ((with_, without), (without, with_))
    views = each_content(model)
    chosen = [choose_guides(view, *side) for view, side in zip(views, sides[: len(views)], strict=True)]
    codes = torch.stack([codes[: min(map(len, chosen))] for codes in chosen], dim=1)
    return codes if len(views) > 1 else codes[:, 0]


@torch.no_grad()
def choose_guides(model: Any, with_: Tensor, without: Tensor, count: int = 8, rounds: int = 20) -> Tensor:
    """Return guide codes that differ from each other and transfer well, best first.

    The codes of the ``with`` images are grouped by k-means; each group gives the code that survives a transfer best:
    drawn onto ``without`` images and read back, it has changed least relative to its length.

    Args:
        model: the networks.
        with_: ``(N, 3, R, R)`` RGB in [0, 1], images with the content.
        without: ``(M, 3, R, R)`` RGB in [0, 1], images without it.
        count: how many codes to return, at most N.
        rounds: rounds of k-means.

    Returns:
        ``(count, *code shape)``.
    """
    model.eval()
    codes = torch.cat([model.encode_guide(chunk) for chunk in torch.split(with_, 64)])
    faithful = _faithfulness(model, codes, without[:4])
    flat = codes.flatten(1)
    count = min(count, len(flat))
    centres = flat[torch.linspace(0, len(flat) - 1, count).long()].clone()
    for _ in range(rounds):
        nearest = torch.cdist(flat, centres).argmin(1)
        for index in torch.unique(nearest).tolist():
            centres[index] = flat[nearest == index].mean(0)
    nearest = torch.cdist(flat, centres).argmin(1)
    chosen = []
    for index in torch.unique(nearest).tolist():
        members = torch.nonzero(nearest == index).squeeze(1)
        chosen.append(int(members[faithful[members].argmax()]))
    chosen.sort(key=lambda member: -float(faithful[member]))
    return codes[chosen]


def _faithfulness(model: Any, codes: Tensor, faces: Tensor) -> Tensor:
    """Return, for each code, minus the relative change after drawing it on faces and reading it back."""
    scores = []
    for code in torch.split(codes, 16):
        images = faces.repeat(len(code), 1, 1, 1)
        wanted = code.repeat_interleave(len(faces), 0)
        back = model.encode_guide(render(images, draw_code(model, images, wanted)).image)
        change = F.mse_loss(back, wanted, reduction="none").flatten(1).mean(1) / wanted.square().flatten(1).mean(1)
        scores.append(-change.view(len(code), -1).mean(1))
    return torch.cat(scores)
