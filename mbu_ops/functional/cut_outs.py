"""Pictures of a thing alone, on a transparent ground: laid where such things lie in a frame."""

from __future__ import annotations

import torch
from torch import Tensor

from mbu_ops.errors import FrameError
from mbu_ops.functional.blend import premultiplied, straight
from mbu_ops.functional.similarity import Rectangle, extract

_SEEN = 0.1
"""Least alpha of what is the thing."""

_LARGEST = 2048
"""Longest side of a result, in pixels."""


def laid_like(picture: Tensor, example: Tensor) -> Tensor:
    """Return a cut-out moved and scaled so that it lies in its frame as an example does: as wide, in the same middle.

    Args:
        picture: ``(1, 4, h, w)`` in [0, 1], RGB and alpha.
        example: ``(1, 4, H, W)``, another thing of the kind, in the frame.

    Returns:
        ``(1, 4, H', W')`` of the frame's shape, at the picture's own pixels unless that would be more than 2,048.

    Raises:
        FrameError: if the picture is transparent all over.

    Example:
        >>> example, picture = torch.zeros(1, 4, 24, 56), torch.zeros(1, 4, 90, 90)
        >>> example[..., 10:14, 14:42], picture[..., 40:50, 10:80] = 1, 1
        >>> laid = laid_like(picture, example)
        >>> laid.shape, laid[0, 3, 30].nonzero().flatten()[[0, -1]].tolist()
        (torch.Size([1, 4, 60, 140]), [35, 104])
    """
    left, top, right, bottom = _bounds(picture)
    like_left, like_top, like_right, like_bottom = _bounds(example)
    height, width = example.shape[-2:]
    scale = (right - left) / (like_right - like_left)  # pixels of the picture for one of the example
    rectangle = Rectangle(
        (left + right) / 2 + (width / 2 - (like_left + like_right) / 2) * scale,
        (top + bottom) / 2 + (height / 2 - (like_top + like_bottom) / 2) * scale,
        width * scale,
        height * scale,
    )
    shrunk = min(1.0, _LARGEST / (scale * max(height, width)))
    size = max(1, round(height * scale * shrunk)), max(1, round(width * scale * shrunk))
    # beyond the border the border goes on: there nothing is left to see
    clear = torch.nn.functional.pad(premultiplied(picture), (2, 2, 2, 2))
    return straight(extract(clear, rectangle.moved(2, 2), size))


def _bounds(picture: Tensor) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is seen.

    Raises:
        FrameError: if there is nothing.
    """
    seen = picture[0, 3] > _SEEN
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    if not len(rows):
        raise FrameError("expected a thing on a transparent ground, got a picture that is transparent all over")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
