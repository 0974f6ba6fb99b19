"""Figures with their 95% confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

_Z = 1.959964
"""Normal quantile of a two-sided 95% interval."""

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Attributes:
        name: short name, as in a manifest's metrics.
        title: what was measured, for people.
        value: the number; shares are fractions.
        low: lower end of the 95% interval; None where there is none.
        high: upper end; None where there is none.
        count: images it was measured on.
        unit: ``"share"``, ``"dB"`` or empty.
    """

    name: str
    title: str
    value: float
    low: float | None
    high: float | None
    count: int
    unit: str = ""

    def __str__(self) -> str:
        """Return the figure as a line of a table."""
        value, interval = self._shown()
        return f"{self.title:<46} {value}{interval and '  ' + interval}  n={self.count}"

    def short(self) -> str:
        """Return the figure without its title."""
        value, interval = self._shown()
        return " ".join(part for part in (value.strip(), interval, f"n={self.count}") if part)

    def _shown(self) -> tuple[str, str]:
        shown = {"share": "{:6.1%}", "dB": "{:6.1f}"}.get(self.unit, "{:6.3g}").format
        unit = f" {self.unit}" if self.unit == "dB" else ""
        known = self.low is not None and self.high is not None
        interval = f"[{shown(self.low).strip()}, {shown(self.high).strip()}]" if known else ""
        return f"{shown(self.value)}{unit}", interval


def share(name: str, title: str, said: Tensor) -> Figure:
    """Return how large a share is true, with its Wilson score interval (Wilson, JASA 1927).

    Args:
        name: see :class:`Figure`.
        title: see :class:`Figure`.
        said: ``(N,)`` bool.

    Example:
        >>> figure = share("add", "judge is convinced", torch.tensor([True] * 9 + [False]))
        >>> figure.value, round(figure.low, 3), round(figure.high, 3)
        (0.9, 0.596, 0.982)
    """
    count, part = len(said), int(said.sum()) / len(said)
    middle = (part + _Z * _Z / (2 * count)) / (1 + _Z * _Z / count)
    half = _Z / (1 + _Z * _Z / count) * math.sqrt(part * (1 - part) / count + _Z * _Z / (4 * count * count))
    # at 0 and at 1 an end of the interval is the share itself, but for rounding
    low, high = (0.0 if part == 0 else middle - half), (1.0 if part == 1 else middle + half)
    return Figure(name, title, part, low, high, count, "share")


def balanced(with_: Tensor, without: Tensor) -> Figure:
    """Return how often a classifier is right where either kind is as common: the mean of two shares.

    Its interval joins the shares' own (Newcombe, Statistics in Medicine 1998: method 10, for the mean).

    Args:
        with_: ``(N,)`` bool: whether it is right on images with the content.
        without: ``(M,)`` bool: the same without it.

    Example:
        >>> figure = balanced(torch.tensor([True] * 9 + [False]), torch.tensor([True] * 20))
        >>> round(figure.value, 3), round(figure.low, 3), round(figure.high, 3)
        (0.95, 0.778, 0.991)
    """
    parts = share("", "", with_), share("", "", without)
    lows, highs = zip(*((part.low or 0.0, part.high or 0.0) for part in parts), strict=True)
    middle = sum(part.value for part in parts) / 2
    down, up = (
        math.hypot(*(part.value - end for part, end in zip(parts, ends, strict=True))) / 2 for ends in (lows, highs)
    )
    count = len(with_) + len(without)
    return Figure("balanced", "right, either kind as common", middle, middle - down, middle + up, count, "share")


def mean(name: str, title: str, values: Tensor, unit: str = "") -> Figure:
    """Return the mean of one number an image, with its bootstrap percentile interval; none for a single image.

    1,000 resamples of the images with a fixed seed (Efron, Annals of Statistics 1979), so no end of the interval lies
    beyond all images' values.

    Args:
        name: see :class:`Figure`.
        title: see :class:`Figure`.
        values: ``(N,)``.
        unit: see :class:`Figure`.

    Example:
        >>> mean("mask", "mean mask", torch.tensor([0.1, 0.2, 0.3])).value
        0.2...
    """
    return _bootstrapped(np.mean, name, title, values, unit)


def median(name: str, title: str, values: Tensor, unit: str = "") -> Figure:
    """Return the median of one number an image, with its bootstrap percentile interval; see :func:`mean`.

    Args:
        name: see :class:`Figure`.
        title: see :class:`Figure`.
        values: ``(N,)``.
        unit: see :class:`Figure`.

    Example:
        >>> median("sharpness", "sharpness", torch.tensor([0.5, 0.75, 9.0])).value
        0.75
    """
    return _bootstrapped(np.median, name, title, values, unit)


def _bootstrapped(statistic: Callable[..., Any], name: str, title: str, values: Tensor, unit: str) -> Figure:
    numbers = values.double().numpy()
    middle, count = float(statistic(numbers)), len(numbers)
    if count < 2:
        return Figure(name, title, middle, None, None, count, unit)
    resampled = numbers[np.random.default_rng(0).integers(count, size=(_RESAMPLES, count))]
    low, high = np.quantile(statistic(resampled, axis=1), (0.025, 0.975))
    return Figure(name, title, middle, float(low), float(high), count, unit)


def area_under_curve(name: str, title: str, positive: Tensor, negative: Tensor) -> Figure:
    """Return how often a score puts an image of one set above one of another: the area under the ROC curve.

    Equal scores count half (Hanley and McNeil, Radiology 1982). The interval is a bootstrap's: 1,000 resamples of the
    images of either set with a fixed seed (Efron, Annals of Statistics 1979).

    Args:
        name: see :class:`Figure`.
        title: see :class:`Figure`.
        positive: ``(N,)`` scores of the set that should have the higher ones.
        negative: ``(M,)`` scores of the other.

    Example:
        >>> area_under_curve("auc", "AUC", torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])).value
        0.75
    """
    above = (positive[:, None] > negative).double() + 0.5 * (positive[:, None] == negative).double()
    random = np.random.default_rng(0)
    rows, columns = (
        torch.from_numpy(random.multinomial(count, np.full(count, 1 / count), _RESAMPLES)).double() / count
        for count in above.shape
    )
    low, high = np.quantile(((rows @ above) * columns).sum(1).numpy(), (0.025, 0.975))
    return Figure(name, title, float(above.mean()), float(low), float(high), len(positive) + len(negative))


def largest(name: str, title: str, values: Tensor) -> Figure:
    """Return the largest of one number an image; an extreme has no interval.

    Args:
        name: see :class:`Figure`.
        title: see :class:`Figure`.
        values: ``(N,)``.

    Example:
        >>> print(largest("change", "largest change", torch.tensor([0.0, 0.25])))
        largest change                                   0.25  n=2
    """
    return Figure(name, title, float(values.max()), None, None, len(values))


def intersection_over_union(masks: Tensor, truth: Tensor) -> Tensor:
    """Return the overlap of two sets of masks, image by image; 1 where both are empty.

    Args:
        masks: ``(N, 1, H, W)`` bool.
        truth: ``(N, 1, H, W)`` bool.

    Example:
        >>> intersection_over_union(torch.tensor([[[[True, True]]]]), torch.tensor([[[[True, False]]]]))
        tensor([0.5000])
    """
    both, either = (masks & truth).flatten(1).sum(1), (masks | truth).flatten(1).sum(1)
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def peak_signal_to_noise(images: Tensor, truth: Tensor) -> Tensor:
    """Return the PSNR of each image in decibels, see :func:`decibels`.

    Args:
        images: ``(N, 3, H, W)`` in [0, 1].
        truth: the same.

    Example:
        >>> peak_signal_to_noise(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.1))
        tensor([20.])
    """
    return decibels((images - truth).square().flatten(1).mean(1))


def decibels(error: Tensor) -> Tensor:
    """Return mean squared errors of images in [0, 1] as PSNR; 100 at most, so that means stay finite.

    Args:
        error: ``(N,)``.

    Example:
        >>> decibels(torch.tensor([0.01, 0.0]))
        tensor([ 20., 100.])
    """
    return -10 * error.clamp(min=1e-10).log10()
