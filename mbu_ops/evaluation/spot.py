"""Spot the edit: how surely a fresh classifier tells edited pictures from real ones by their texture.

A judge says whether the content is there; it does not say whether anybody would take the picture for a photo. Here a
linear classifier learns to tell edits from real pictures that already are as the edit should be. What it is shown are
statistics of a pretrained network's feature maps, early and middle ones for texture and the last for what is seen. The
idea is that of classifier two-sample tests (Lopez-Paz and Oquab, ICLR 2017).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.data.traits import matched
from mbu_ops.evaluation.edits import Edits
from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.figures import Figure, area_under_curve
from mbu_ops.evaluation.networks.image_features import ImageFeatures
from mbu_ops.evaluation.window import Window

FOLDS = 5
"""Each picture is scored by a classifier that has learnt from the people of the other folds."""

FEWEST = 20
"""Pictures of each kind below which nothing is said."""

_TEXTURES = 3
"""Stages of the network, of sides 64, 32 and 16, whose feature maps are described by mean and deviation."""

_DECAY = 0.05


@torch.no_grad()
def texture(features: ImageFeatures, images: Tensor) -> Tensor:
    """Return what texture pictures have, and what is seen in them.

    Args:
        features: the network.
        images: ``(N, 3, H, W)`` RGB in [0, 1].

    Returns:
        ``(N, D)``: mean and deviation of each early and middle feature map, and the mean of each of the last.

    Example:
        >>> texture(ImageFeatures(), torch.rand(2, 3, 64, 64)).shape
        torch.Size([2, 1440])
    """
    parts = []
    for chunk in torch.split(images, 32):
        *stages, last = features.stages(chunk)
        statistics = [part for maps in stages[:_TEXTURES] for part in (maps.mean((2, 3)), maps.std((2, 3)))]
        parts.append(torch.cat([*statistics, last.mean((2, 3))], dim=1))
    return torch.cat(parts)


def told_apart(
    edited: Tensor, real: Tensor, people: tuple[np.ndarray, np.ndarray], seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Return how sure a linear classifier is that each picture is an edited one, having learnt from other people.

    Logistic regression of standardised descriptions with a penalty on squared weights, five-fold over people.

    Args:
        edited: ``(N, D)`` descriptions of edited pictures.
        real: ``(M, D)`` of real ones.
        people: who is in each picture of either set.
        seed: of the folds.

    Returns:
        Scores, ``(N,)`` and ``(M,)``: the higher, the surer that it is edited.
    """
    shown = torch.cat([edited, real])
    truth = torch.cat([torch.ones(len(edited)), torch.zeros(len(real))])
    names, person = np.unique(np.concatenate(people), return_inverse=True)
    fold = torch.from_numpy(np.random.default_rng(seed).permutation(len(names))[person] % FOLDS)
    scores = torch.zeros(len(shown))
    for number in range(FOLDS):
        test = fold == number
        scores[test] = _scores(shown[~test], truth[~test], shown[test])
    return scores[: len(edited)], scores[len(edited) :]


@torch.enable_grad()
def _scores(known: Tensor, truth: Tensor, asked: Tensor) -> Tensor:
    """Learn from known descriptions, and return the scores of others."""
    mean, deviation = known.mean(0), known.std(0) + 1e-3
    known, asked = (((one - mean) / deviation).clamp(-5, 5) for one in (known, asked))
    weights, bias = torch.zeros(known.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(known @ weights + bias, truth)
        value = value + _DECAY * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return (asked @ weights + bias).detach()


def spot_the_edit(examples: Examples, edits: Edits, window: Window, features: ImageFeatures) -> list[Figure]:
    """Measure how surely edits are told from real pictures that already are as wanted, within a window.

    Pictures are matched, so that the sets differ in none of the labels that training balances.

    Args:
        examples: the pictures.
        edits: what became of them.
        window: what of each picture is looked at.
        features: describes texture.

    Returns:
        Areas under the ROC curve, 0.5 = cannot tell, 1 = always: of removals, of additions, and of real pictures with
        the content against real ones without it, which is the scale; nothing if there are too few matching pictures.
    """
    ours, theirs = examples.traits
    with_, without = matched(ours, theirs)
    if len(with_) < FEWEST:
        return []
    chosen, others = torch.from_numpy(with_), torch.from_numpy(without)

    def described(images: Tensor, which: Tensor) -> Tensor:
        return texture(features, window.cut(images[which]))

    real_with, real_without = described(examples.with_, chosen), described(examples.without, others)
    people, strangers = ours.people[with_], theirs.people[without]
    removed = described(edits.removed.image, chosen)
    compared = [
        ("spot_remove", "spot the edit, AUC: removed against real, without", removed, real_without, people, strangers)
    ]
    if edits.added is not None:
        added = described(edits.added.image, others)
        compared.append(
            ("spot_add", "spot the edit, AUC: added against real, with", added, real_with, strangers, people)
        )
    compared.append(
        ("spot_real", "spot the edit, AUC: real, with against without", real_with, real_without, people, strangers)
    )
    return [
        area_under_curve(name, title, *told_apart(edited, real, (them, others)))
        for name, title, edited, real, them, others in compared
    ]
