"""Cut a box out of an image, and put it back."""

from __future__ import annotations

from torch import Tensor

from mbu_ops.errors import ShapeError


def crop(image: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """Return the pixels inside a box.

    Args:
        image: ``(B, C, H, W)``.
        box: left, top, right, bottom in pixels; right and bottom are the first column and row outside.

    Returns:
        ``(B, C, bottom - top, right - left)``, a view of ``image``.

    Raises:
        ShapeError: if the box is empty or not inside the image.

    Example:
        >>> import torch
        >>> crop(torch.arange(6.0).view(1, 1, 2, 3), (1, 0, 3, 1))
        tensor([[[[1., 2.]]]])
    """
    left, top, right, bottom = _inside(image, box)
    return image[..., top:bottom, left:right]


def paste(image: Tensor, patch: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """Return a copy of the image with a patch in place of a box; nothing outside the box changes.

    Gradients reach the patch, and the image outside the box.

    Args:
        image: ``(B, C, H, W)``.
        patch: ``(B, C, bottom - top, right - left)``.
        box: left, top, right, bottom as in :func:`crop`.

    Returns:
        ``(B, C, H, W)``.

    Raises:
        ShapeError: if the box is empty or not inside the image, or the patch does not fill it.

    Example:
        >>> import torch
        >>> paste(torch.zeros(1, 1, 2, 3), torch.ones(1, 1, 1, 2), (1, 0, 3, 1))
        tensor([[[[0., 1., 1.],
                  [0., 0., 0.]]]])
    """
    left, top, right, bottom = _inside(image, box)
    expected = (*image.shape[:-2], bottom - top, right - left)
    if tuple(patch.shape) != expected:
        raise ShapeError(f"expected a patch of shape {expected} for the box {box}, got {tuple(patch.shape)}")
    result = image.clone()
    result[..., top:bottom, left:right] = patch
    return result


def _inside(image: Tensor, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    height, width = image.shape[-2:]
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ShapeError(
            f"expected a box left,top,right,bottom with 0 <= left < right <= {width} and 0 <= top < bottom <= {height} "
            f"(the image is {width}x{height} pixels), got {left},{top},{right},{bottom}"
        )
    return left, top, right, bottom
