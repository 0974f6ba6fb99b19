"""Many small pictures as one."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import torch
from torch import Tensor

from mbu_ops.functional.mask import resize

_COLUMNS, _WIDTH, _CELL = 8, 1024, 512
"""Most images that a sheet shows, its width, and the longest side of one of them, in pixels."""


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


def sheet_png(rows: Sequence[Tensor]) -> bytes:
    r"""Return the first eight images of a batch as the bytes of a PNG file, for notebooks to show.

    Args:
        rows: each ``(N, 3, H, W)`` or ``(N, 1, H, W)`` in [0, 1], all of one N, H and W.

    Example:
        >>> sheet_png([torch.rand(4, 3, 8, 8), torch.rand(4, 1, 8, 8)])[:4]
        b'\x89PNG'
    """
    from PIL import Image

    count, _, height, width = rows[0][:_COLUMNS].shape
    scale = min(1.0, min(_CELL, _WIDTH // count) / max(height, width))
    size = max(1, round(scale * height)), max(1, round(scale * width))
    sheet = grid([resize(row[:_COLUMNS].detach().float().cpu(), size) for row in rows])
    buffer = BytesIO()
    Image.fromarray(sheet.mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()).save(buffer, "PNG")
    return buffer.getvalue()
