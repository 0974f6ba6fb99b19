"""How well a network names the parts of pictures whose parts are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mbu_ops.data.labelled import Labelled
from mbu_ops.evaluation.distances import torchmetrics
from mbu_ops.evaluation.figures import Figure

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class ParsingFigures:
    """What was measured.

    Attributes:
        accuracy: share of the pixels that are named right.
        mean_overlap: mean over the parts of their intersections over unions.
        overlaps: of each part that pictures or answers show, over all pictures together.
    """

    accuracy: Figure
    mean_overlap: Figure
    overlaps: tuple[Figure, ...]


@torch.no_grad()
def measure_parsing(labels: Callable[[Tensor], Tensor], pictures: Labelled, chunk: int = 16) -> ParsingFigures:
    """Compare the parts that a network names with those that people did.

    Intervals are percentiles of 1,000 resamples of the pictures, with a fixed seed.

    Args:
        labels: gives numbers of parts ``(B, 1, R, R)`` for ``(B, 3, R, R)`` RGB in [0, 1], such as
            :meth:`mbu_ops.Parse.labels`.
        pictures: of which training has seen none.
        chunk: pictures at a time.

    Raises:
        ConfigurationError: without torchmetrics.
    """
    confusion = torchmetrics("functional.classification").multiclass_confusion_matrix
    names = pictures.anatomy.names
    each = []
    for start in range(0, len(pictures.pixels), chunk):
        found = labels(pictures.pixels[start : start + chunk].float() / 255)
        truth = pictures.labels[start : start + chunk].long()
        each += [confusion(one, other, len(names)) for one, other in zip(found, truth, strict=True)]
    return figures_of(torch.stack(each), names)


def figures_of(confusions: Tensor, names: tuple[str, ...]) -> ParsingFigures:
    """Return figures of confusion matrices.

    Args:
        confusions: ``(N, parts, parts)``, one a picture: pixels of a part (rows) that were named so (columns).
        names: of the parts.

    Example:
        >>> figures = figures_of(torch.tensor([[[3, 1], [0, 4]]]), ("rest", "hair"))
        >>> figures.accuracy.value, [figure.value for figure in figures.overlaps]
        (0.875, [0.75, 0.8])
    """
    count = len(confusions)
    chosen = np.random.default_rng(0).integers(count, size=(_RESAMPLES, count))
    drawn = np.stack([np.bincount(one, minlength=count) for one in chosen])
    sums = torch.from_numpy(drawn).double() @ confusions.double().flatten(1)
    resampled = sums.view(-1, *confusions.shape[1:])
    whole = confusions.double().sum(0, keepdim=True)

    def figure(name: str, title: str, value: Tensor, values: Tensor) -> Figure:
        known = values[values.isfinite()]
        low, high = (float(known.quantile(share)) for share in (0.025, 0.975)) if count > 1 else (None, None)
        return Figure(name, title, float(value), low, high, count, "share")

    overlap, overlaps = _overlaps(whole)[0], _overlaps(resampled)
    return ParsingFigures(
        figure("accuracy", "pixels named right", _accuracy(whole)[0], _accuracy(resampled)),
        figure("mean_overlap", "mean overlap of the parts (IoU)", overlap.nanmean(), overlaps.nanmean(1)),
        tuple(
            figure(f"overlap_{name}", f"overlap, {name}", overlap[part], overlaps[:, part])
            for part, name in enumerate(names)
            if bool(overlap[part].isfinite())
        ),
    )


def _accuracy(confusion: Tensor) -> Tensor:
    return confusion.diagonal(0, 1, 2).sum(1) / confusion.sum((1, 2))


def _overlaps(confusion: Tensor) -> Tensor:
    right = confusion.diagonal(0, 1, 2)
    return right / (confusion.sum(1) + confusion.sum(2) - right)  # NaN for a part that nobody shows or names
