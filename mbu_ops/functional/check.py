"""What every op expects of the tensors it is given.

Shapes, dtypes and devices only: looking at values would wait for the GPU and break compilation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mbu_ops.errors import DeviceError, DTypeError, ShapeError


def check_image(image: Tensor, name: str = "image") -> None:
    """Check that a tensor can be a batch of images.

    Args:
        image: expected ``(B, 3, H, W)`` floating point, no dimension empty.
        name: what to call it in the error.

    Raises:
        DTypeError: if it is no tensor, or holds integers.
        ShapeError: if it has another shape, or is empty.

    Example:
        >>> import torch
        >>> check_image(torch.rand(3, 64, 64))
        Traceback (most recent call last):
        mbu_ops.errors.ShapeError: expected image of shape (B, 3, H, W), got (3, 64, 64): add a batch dimension...
    """
    if not isinstance(image, Tensor):
        raise DTypeError(
            f"expected {name} to be a torch.Tensor (B, 3, H, W), got {type(image).__name__}: for paths, PIL images and "
            "arrays call mbu_ops.edit(steps, picture)"
        )
    check_floating(image, name)
    if image.ndim == 3:
        raise ShapeError(
            f"expected {name} of shape (B, 3, H, W), got {tuple(image.shape)}: add a batch dimension with {name}[None]"
        )
    if image.ndim != 4 or image.shape[1] != 3:
        raise ShapeError(
            f"expected {name} of shape (B, 3, H, W), RGB, got {tuple(image.shape)}: repeat a grey channel three times, "
            "drop an alpha channel"
        )
    if 0 in image.shape:
        raise ShapeError(f"expected {name} with at least one image and one pixel, got {tuple(image.shape)}")


def check_code(code: Tensor, shape: tuple[int, int, int], name: str = "code") -> None:
    """Check that a tensor can be a batch of guide codes.

    Args:
        code: expected ``(N, *shape)`` floating point, not empty.
        shape: of one code of the method at hand.
        name: what to call it in the error.

    Raises:
        DTypeError: if it is no tensor, or holds integers.
        ShapeError: if it has another shape, or is empty.
    """
    check_floating(code, name)
    if code.ndim != 4 or tuple(code.shape[1:]) != shape or code.shape[0] == 0:
        raise ShapeError(
            f"expected {name} of shape (N, {', '.join(map(str, shape))}) as encode(guide) of these weights gives it, "
            f"got {tuple(code.shape)}: keep the first dimension of stored codes with guides[i:i + 1], and use "
            "codes with the weights that made them"
        )


def check_labels(labels: Tensor, name: str = "labels") -> None:
    """Check that a tensor can be a batch of masks of parts.

    Args:
        labels: expected ``(B, 1, H, W)`` of whole numbers, no dimension empty.
        name: what to call it in the error.

    Raises:
        DTypeError: if it is no tensor, or holds floating-point numbers.
        ShapeError: if it has another shape, or is empty.
    """
    if not isinstance(labels, Tensor):
        raise DTypeError(f"expected {name} to be a torch.Tensor, got {type(labels).__name__}")
    if labels.is_floating_point() or labels.is_complex():
        raise DTypeError(
            f"expected {name} of whole numbers, each a part's, got {labels.dtype}: use Parse.labels(image)"
        )
    if labels.ndim != 4 or labels.shape[1] != 1 or 0 in labels.shape:
        raise ShapeError(
            f"expected {name} of shape (B, 1, H, W), not empty, got {tuple(labels.shape)}: of a single mask "
            f"(H, W) take {name}[None, None]"
        )


def check_floating(tensor: Tensor, name: str) -> None:
    """Check that something is a tensor of floating-point numbers.

    Raises:
        DTypeError: if it is not, or is sparse or nested.
    """
    if not isinstance(tensor, Tensor):
        raise DTypeError(f"expected {name} to be a torch.Tensor, got {type(tensor).__name__}")
    if tensor.layout is not torch.strided or tensor.is_nested:
        raise DTypeError(f"expected {name} to be a dense tensor, got a sparse or nested one: use {name}.to_dense()")
    if not tensor.is_floating_point():
        raise DTypeError(
            f"expected {name} of a floating-point dtype with values in [0, 1], got {tensor.dtype}: convert 8-bit "
            f"pixels with {name}.float() / 255"
        )


def check_fits(image: Tensor, other: Tensor, name: str) -> None:
    """Check that a guide, a code or an amount can go with a batch of images.

    Args:
        image: ``(B, ...)``.
        other: ``(1, ...)``, which goes with every image, or ``(B, ...)``, one each.
        name: what to call ``other`` in the error.

    Raises:
        DeviceError: if they are on different devices.
        ShapeError: if neither holds.
    """
    if other.device != image.device:
        raise DeviceError(
            f"expected {name} on the image's device {image.device}, got {other.device}: move it with "
            f'{name}.to("{image.device}")'
        )
    if other.shape[0] not in (1, image.shape[0]):
        raise ShapeError(
            f"expected one {name} for all images or one for each of the {image.shape[0]}, got {other.shape[0]}"
        )
