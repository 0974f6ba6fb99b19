"""How well networks that compose pictures keep pictures, masks and what is not exchanged; and sheets to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mbu_ops.data.labelled import Labelled
from mbu_ops.errors import ConfigurationError
from mbu_ops.evaluation.distances import described, frechet_distance, kernel_distance
from mbu_ops.evaluation.figures import Figure, decibels, mean, peak_signal_to_noise
from mbu_ops.functional.grid import grid
from mbu_ops.functional.mask import dilate, resize
from mbu_ops.methods.base import to_signed
from mbu_ops.ops.swap import Swap

DILATION = 4
"""How far a component's region grows, in pixels of the frame, before what changes outside it is measured."""

_CHUNK = 16


@torch.no_grad()
def measure_portrait(
    model: Any, pictures: Labelled, contents: Sequence[str], parser: nn.Module, count: int = 400, seed: int = 0
) -> list[Figure]:
    """Measure networks on pictures that training has not seen, in the shapes of their hand-made masks.

    Args:
        model: the networks, in eval mode, such as :class:`mbu_ops.methods.portrait.Portrait`.
        pictures: at the networks' resolution.
        contents: names of what the networks exchange, the whole last.
        parser: another network that names parts, ``(B, 3, R, R)`` to ``(B, parts, R, R)``, for agreement with masks;
            it must not be the one that trained the networks.
        count: how many pairs of two pictures to compose; some are the same where there are fewer.
        seed: of the pairs.

    Raises:
        ConfigurationError: for fewer than two pictures.
        MissingPackageError: if the package with the weights that pictures are compared by is not installed.
    """
    from mbu_ops.evaluation.networks.image_features import pretrained

    if len(pictures.pixels) < 2:
        raise ConfigurationError(f"expected at least 2 pictures, got {len(pictures.pixels)}")
    features = pretrained()  # now, rather than after minutes of work, should it be missing
    images, labels = pictures.examples(len(pictures.pixels))
    codes = torch.cat([_codes(model, *part) for part in _parts(images, labels)])
    drawn = _composed(model, images, labels, codes)
    foreground = model.regions(model.one_hot(labels)).sum(1, keepdim=True)
    within = ((drawn - images).square() * foreground).flatten(1).sum(1) / (3 * foreground.flatten(1).sum(1)).clamp(
        min=1
    )
    figures = [
        mean("psnr", "PSNR, put together again", peak_signal_to_noise(drawn, images), "dB"),
        mean("psnr_foreground", "PSNR of the components alone", decibels(within), "dB"),
        _agreement("agreement_real", "real pictures: parser agrees with mask", parser, images, labels),
        _agreement("agreement_paired", "put together again: parser agrees", parser, drawn, labels),
    ]
    sources, targets = pairs(len(images), count, seed)
    mixed = _composed(model, images[targets], labels[targets], codes[sources])
    figures.append(_agreement("agreement", "look of another: parser agrees", parser, mixed, labels[targets]))
    figures += _distances(features, images, drawn, mixed)
    for index, name in enumerate(contents[:-1]):
        figures += list(_outside(model, index, name, images, labels, codes))
    return figures


def pairs(people: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return sources and targets, two different pictures each, drawn evenly.

    Example:
        >>> sources, targets = pairs(10, 20, seed=0)
        >>> len(sources), bool((sources != targets).all())
        (20, True)
    """
    random = np.random.default_rng(seed)
    targets = np.arange(count) % people
    sources = (targets + random.integers(1, people, size=count)) % people
    return torch.from_numpy(sources), torch.from_numpy(targets)


def _parts(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    yield from zip(*(torch.split(tensor, _CHUNK) for tensor in tensors), strict=True)


def _codes(model: Any, images: Tensor, labels: Tensor) -> Tensor:
    mask = model.one_hot(labels)
    codes: Tensor = model.encode(model.crops(to_signed(images), mask), mask)
    return codes


def _composed(model: Any, images: Tensor, labels: Tensor, codes: Tensor) -> Tensor:
    """Return pictures with the codes' looks, in the shapes and before the backgrounds of others."""
    return torch.cat(
        [model.compose(code, model.one_hot(label), image) for image, label, code in _parts(images, labels, codes)]
    )


def _agreement(name: str, title: str, parser: nn.Module, images: Tensor, labels: Tensor) -> Figure:
    shares = torch.cat([resize(parser(part), (labels.shape[-2], labels.shape[-1])) for (part,) in _parts(images)])
    right = (shares.argmax(1, keepdim=True) == labels).flatten(1).float().mean(1)
    return mean(name, title, right, "share")


def _distances(features: nn.Module, images: Tensor, drawn: Tensor, mixed: Tensor) -> list[Figure]:
    real, again, other = (described(features, part) for part in (images, drawn, mixed))
    return [
        kernel_distance("kid_paired", "KID-Lite0 x100, put together again", real, again),
        kernel_distance("kid", "KID-Lite0 x100, look of another", real, other),
        frechet_distance("fid", "FID-Lite0, look of another", real, other),
    ]


def _outside(model: Any, index: int, name: str, images: Tensor, labels: Tensor, codes: Tensor) -> Iterator[Figure]:
    """Measure what changes away from a component that is exchanged, by the networks and by the op."""
    chosen = list(model.config.contents[index])
    mixed = codes.clone()
    mixed[:, chosen] = codes.roll(1, 0)[:, chosen]
    before, after = (_composed(model, images, labels, one) for one in (codes, mixed))
    region = model.regions(model.one_hot(labels))[:, chosen].sum(1, keepdim=True)
    yield _change(f"outside_{name}", f"{name} exchanged: change outside, drawn", before, after, region)
    swapped = torch.cat(
        [Swap(model.for_content(index))(part, guide) for part, guide in _parts(images, images.roll(1, 0))]
    )
    yield _change(f"outside_{name}_op", f"{name} exchanged: change outside, swap", images, swapped, region)


def _change(name: str, title: str, before: Tensor, after: Tensor, region: Tensor) -> Figure:
    beyond = 1 - dilate(region, DILATION)
    change = (after - before).abs().mean(1, keepdim=True) * beyond
    return mean(name, title, change.flatten(1).sum(1) / beyond.flatten(1).sum(1).clamp(min=1))


@torch.no_grad()
def swaps_sheet(model: Any, index: int, images: Tensor, side: int = 8) -> Tensor:
    """Draw sources down the side, targets across the top, and each target with each source's component.

    Args:
        model: the networks.
        index: number of the content that is exchanged.
        images: ``(N, 3, R, R)`` RGB in [0, 1]; the first are the sources, the next the targets.
        side: how many of each, if there are as many.

    Returns:
        ``(3, (side + 1) R, (side + 1) R)``.
    """
    side = max(1, min(side, len(images) // 2))
    sources, targets = images[:side], images[side : 2 * side]
    swap = Swap(model.for_content(index))
    rows = [torch.cat([torch.ones_like(targets[:1]), targets])]
    for source in sources:
        rows.append(torch.cat([source[None], swap(targets, source[None].expand(len(targets), -1, -1, -1))]))
    return grid(rows)
