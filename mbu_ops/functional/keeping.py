"""A photo's own detail in graphs that hold for images of any size, some of which have none to keep."""

from __future__ import annotations

import torch
from torch import Tensor

from mbu_ops.functional.layer import Layer, Moved


def keeping_where(finer: Tensor, layer: Layer, seen: Tensor, share: float = 1.0) -> Layer:
    """Return a layer that keeps detail where something is true, and else draws what it drew before.

    Args:
        finer: ``()`` bool.
        layer: the layer.
        seen: as in :meth:`mbu_ops.functional.layer.Layer.keeping`.
        share: the same.

    Example:
        >>> from mbu_ops.functional.layer import painted
        >>> seen, layer = torch.rand(1, 3, 8, 8), painted(torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8))
        >>> keeping_where(torch.tensor(False), layer, seen).own.gain.max().item()
        0.0
    """
    kept = layer.keeping(seen, share)
    if kept.own is None or kept is layer:
        return kept
    if layer.own is None:
        return kept._replace(own=kept.own._replace(gain=kept.own.gain * finer))
    gain, flow, low = layer.own
    assert kept.own.low is not None  # noqa: S101 - what gives way is named
    low = torch.zeros_like(kept.own.low) if low is None else low
    return kept._replace(
        own=Moved(torch.where(finer, kept.own.gain, gain), flow, torch.where(finer, kept.own.low, low))
    )
