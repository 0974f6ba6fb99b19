"""How far pictures are from each other, one by one and set from set, to the eyes of a network."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.evaluation.figures import Figure
from mbu_ops.evaluation.networks.image_features import ImageFeatures

_SUBSETS = 100


@torch.no_grad()
def described(network: nn.Module, images: Tensor, chunk: int = 32) -> Tensor:
    """Return a network's descriptions of many images, made a few at a time.

    Args:
        network: images to vectors.
        images: ``(N, 3, H, W)`` RGB in [0, 1].
        chunk: how many at a time.

    Returns:
        ``(N, D)``.
    """
    return torch.cat([network(part) for part in torch.split(images, chunk)])


def average_in(values: Tensor, region: Tensor) -> Tensor:
    """Return each image's average of a map over a region, ``(N,)``; nan where the region is empty.

    Args:
        values: ``(N, C, H, W)``.
        region: ``(N, 1, H, W)`` bool.

    Example:
        >>> average_in(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[True, False]]]]))
        tensor([1.])
    """
    weight = region.to(values.dtype)
    return (values.mean(1, keepdim=True) * weight).flatten(1).sum(1) / weight.flatten(1).sum(1)


def perceptual_distance(features: ImageFeatures, images: Tensor, others: Tensor) -> Tensor:
    """Return how different image and image look, as ``(N,)``; 0 for equal ones.

    Feature maps at five scales, each position scaled to length 1; the squared distance, averaged over positions and
    summed over scales. After LPIPS (Zhang et al., CVPR 2018) without its learnt weights, so its numbers are not
    LPIPS's.

    Args:
        features: the network.
        images: ``(N, 3, H, W)`` RGB in [0, 1].
        others: the same.
    """
    parts = []
    for one, other in zip(torch.split(images, 32), torch.split(others, 32), strict=True):
        maps = zip(features.stages(one), features.stages(other), strict=True)
        parts.append(
            torch.stack(
                [(F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2)) for a, b in maps]
            ).sum(0)
        )
    return torch.cat(parts)


def kernel_distance(name: str, title: str, real: Tensor, other: Tensor, seed: int = 0) -> Figure:
    """Return the kernel distance of two sets of descriptions, times 100 (KID: Binkowski et al., ICLR 2018).

    The unbiased squared maximum mean discrepancy with the cubic polynomial kernel, over 100 random subsets of half of
    the smaller set; value = mean, interval = the middle 95% of the subsets, which is wide for a distance of whole sets.

    Args:
        name: see :class:`Figure`.
        title: see :class:`Figure`.
        real: ``(N, D)`` descriptions of real images.
        other: ``(M, D)`` descriptions of edited ones.
        seed: of the subsets.

    Raises:
        ConfigurationError: without torchmetrics.
    """
    poly_mmd = torchmetrics("image.kid").poly_mmd
    random = np.random.default_rng(seed)
    size = max(2, min(len(real), len(other)) // 2)
    values = []
    for _ in range(_SUBSETS):
        chosen = [torch.from_numpy(random.permutation(len(one))[:size]) for one in (real, other)]
        values.append(100 * float(poly_mmd(real[chosen[0]].double(), other[chosen[1]].double())))
    low, high = np.quantile(values, (0.025, 0.975))
    return Figure(name, title, float(np.mean(values)), float(low), float(high), len(other))


def frechet_distance(name: str, title: str, real: Tensor, other: Tensor) -> Figure:
    """Return the Frechet distance of two sets of descriptions (FID: Heusel et al., NeurIPS 2017).

    It has no interval, and a bias that shrinks with the number of images: compare it only between sets of one size.

    Args:
        name: see :class:`Figure`.
        title: see :class:`Figure`.
        real: ``(N, D)`` descriptions of real images.
        other: ``(M, D)`` descriptions of edited ones.

    Raises:
        ConfigurationError: without torchmetrics.
    """
    module = torchmetrics("image.fid")
    metric = module.FrechetInceptionDistance(feature=_Described(real.shape[1]))
    metric.update(real.double(), real=True)
    metric.update(other.double(), real=False)
    return Figure(name, title, float(metric.compute()), None, None, len(other))


class _Described(nn.Identity):
    """What torchmetrics takes for its network: the descriptions are made already."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.num_features = length


def torchmetrics(name: str) -> Any:
    """Import a module of torchmetrics.

    Raises:
        ConfigurationError: if it is not installed.
    """
    try:
        return import_module(f"torchmetrics.{name}")
    except ImportError as error:
        needed = "these figures need torchmetrics: pip install 'mbu-ops[eval]'"
        raise ConfigurationError(f"{needed} ({error})") from error


def rank_correlation(values: Tensor, others: Tensor) -> Tensor:
    """Return Spearman's rank correlation of each column, ``(N,)``; 0 for a column of equal values.

    Args:
        values: ``(K, N)``, K values each.
        others: the same.

    Raises:
        ConfigurationError: without torchmetrics.

    Example:
        >>> rank_correlation(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[0.1], [10.0], [11.0]])).round()
        tensor([1.])
    """
    correlate = torchmetrics("functional.regression").spearman_corrcoef
    columns = [correlate(one, other) for one, other in zip(values.T, others.T, strict=True)]
    return torch.stack(columns).nan_to_num()


def retrieved_guides(edited: Tensor, guides: Tensor) -> Tensor:
    """Return for which edits the nearest of a few guides is the one they were made with.

    What all edits of one image share is the image, and what all guides share is the kind of picture: both means are
    taken off, and directions compared.

    Args:
        edited: ``(N, G, D)`` descriptions of N images, each edited with the same G guides.
        guides: ``(G, D)`` descriptions of those.

    Returns:
        ``(N, G)`` bool; by chance 1 in G is true.

    Example:
        >>> guides = torch.eye(4)
        >>> bool(retrieved_guides(5 + guides.expand(3, -1, -1), guides).all())
        True
    """
    edited = F.normalize(edited - edited.mean(1, keepdim=True), dim=-1)
    wanted = F.normalize(guides - guides.mean(0), dim=-1)
    return (edited @ wanted.T).argmax(-1) == torch.arange(len(guides))
