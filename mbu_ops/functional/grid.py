"""Many small pictures as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def grid(rows: Sequence[Tensor]) -> Tensor:
    """Return rows of images as one image.

    Args:
        rows: each ``(N, 3, H, W)`` or ``(N, 1, H, W)`` in [0, 1], all of one N, H and W.

    Returns:
        ``(3, rows * H, N * W)``.

    Example:
        >>> grid([torch.rand(4, 3, 8, 8), torch.rand(4, 1, 8, 8)]).shape
        torch.Size([3, 16, 32])
    """
    return torch.cat([torch.cat(list(row.expand(-1, 3, -1, -1)), dim=2) for row in rows], dim=1).clamp(0, 1)
