"""Take pixels from anywhere in an image: the one place where edits and cuts are resampled."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def sample(pixels: Tensor, at: Tensor, beyond: str = "border", mode: str = "bilinear") -> Tensor:
    """Return an image's values at some places. Differentiable with respect to both.

    Args:
        pixels: ``(B, C, H, W)`` floating point.
        at: ``(B or 1, h, w, 2)`` or ``(h, w, 2)``, x and y in pixels; pixel ``i`` covers ``i`` to ``i + 1``, and its
            centre gives its own value.
        beyond: what lies around the image: ``"border"``, its own border going on, or ``"zeros"``.
        mode: ``"bilinear"``, or ``"bicubic"``, which is smoother and overshoots a little.

    Returns:
        ``(B, C, h, w)`` of the same dtype.

    Example:
        >>> sample(torch.tensor([[[[1.0, 2.0, 4.0]]]]), torch.tensor([[[0.5, 0.5], [2.0, 0.5]]]))
        tensor([[[[1., 3.]]]])
    """
    # no half-precision interpolation on CPU
    wide = pixels.float() if pixels.dtype in (torch.float16, torch.bfloat16) else pixels
    height, width = pixels.shape[-2:]
    # to [-1, 1] before rounding: float32 holds a thousandth of a pixel of the largest photos
    grid = (at * torch.tensor([2 / width, 2 / height], dtype=at.dtype, device=at.device) - 1).to(wide.dtype)
    grid = grid.expand(pixels.shape[0], -1, -1, -1)
    return F.grid_sample(wide, grid, mode=mode, padding_mode=beyond, align_corners=False).to(pixels.dtype)


def affine_places(
    matrix: Tensor, size: tuple[int, int], start: tuple[int, int] = (0, 0), like: Tensor | None = None
) -> Tensor:
    """Return where an affine matrix puts the centres of a block of pixels.

    Args:
        matrix: ``(3, 3)`` float64, on the CPU, from pixels to wherever they are wanted.
        size: rows and columns of the block.
        start: its first column and first row.
        like: a tensor of the dtype and on the device wanted; float32 on the CPU if None.

    Returns:
        ``(rows, columns, 2)``, x and y.

    Example:
        >>> affine_places(torch.eye(3, dtype=torch.float64), (1, 2), (3, 0))
        tensor([[[3.5000, 0.5000],
                 [4.5000, 0.5000]]])
    """
    dtype, device = (torch.float32, None) if like is None else (like.dtype, like.device)
    dtype = torch.promote_types(dtype, torch.float32)
    # by rows and columns in float64: far from the origin single precision would round whole pixels apart
    x = torch.arange(size[1], dtype=torch.float64) + (start[0] + 0.5)
    y = torch.arange(size[0], dtype=torch.float64) + (start[1] + 0.5)
    across = matrix[:2, 0] * x[:, None]
    along = matrix[:2, 1] * y[:, None] + matrix[:2, 2]
    return across.to(device, dtype) + along.to(device, dtype)[:, None]


def arrows(flow: Tensor, matrix: Tensor) -> Tensor:
    """Return a flow ``(B, 2, h, w)`` in sides of a frame as ``(B, h, w, 2)`` in pixels.

    Args:
        flow: the flow.
        matrix: ``(3, 3)`` float64 from fractions of the frame's sides to pixels.
    """
    wide = torch.promote_types(flow.dtype, torch.float32)
    return flow.to(wide).permute(0, 2, 3, 1) @ matrix[:2, :2].mT.to(flow.device, wide)
