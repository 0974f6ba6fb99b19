"""Pictures as people have them: a path, a PIL image or an array, to what a file holds and back. Imports no torch."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mbu_ops.errors import DTypeError, ShapeError
from mbu_ops.images.file import ImageFile, ImageKind, Pixels
from mbu_ops.images.reader import from_pillow, read
from mbu_ops.images.writer import luma, quantise, to_samples

if TYPE_CHECKING:
    import torch

Picture: TypeAlias = "str | os.PathLike[str] | Image.Image | NDArray[Any] | ImageFile"
"""A picture: the path of a file, a PIL image, an array ``(H, W, 3)`` RGB of uint8 or uint16, or a decoded file."""

PICTURES = (str, os.PathLike, Image.Image, np.ndarray, ImageFile)
"""The types of :data:`Picture`."""


def as_image_file(picture: Picture, name: str = "picture") -> ImageFile:
    """Return a picture as :func:`mbu_ops.images.read` would have read it from a file: upright, RGB.

    Args:
        picture: the picture.
        name: what to call it in errors.

    Raises:
        DTypeError: if it is none, or an array of other numbers.
        ShapeError: if an array is not ``(H, W, 3)``, or empty.
        ImageFileError: if a file cannot be read, or a PIL image is of an unsupported kind.

    Example:
        >>> as_image_file(Image.new("L", (6, 4))).pixels.shape, as_image_file(np.zeros((4, 6, 3), np.uint8)).width
        ((4, 6, 3), 6)
    """
    if isinstance(picture, ImageFile):
        return picture
    if isinstance(picture, str | os.PathLike):
        return read(picture)
    if isinstance(picture, Image.Image):
        return from_pillow(picture)
    if not isinstance(picture, np.ndarray):
        raise DTypeError(
            f"expected {name} to be a path, a PIL image, an array (H, W, 3) of uint8 or an ImageFile, got "
            f"{type(picture).__name__}"
        )
    if picture.dtype not in (np.uint8, np.uint16):
        raise DTypeError(
            f"expected {name} as an array of uint8, got {picture.dtype}: convert floats in [0, 1] with "
            f"({name} * 255).round().astype(numpy.uint8)"
        )
    if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ShapeError(
            f"expected {name} as an array (H, W, 3), RGB, got {picture.shape}: of planes (3, H, W) take "
            f"{name}.transpose(1, 2, 0), of a batch list({name}), of grey and alpha Image.fromarray({name})"
        )
    return ImageFile(np.require(picture, requirements=["C", "W"]), None, ImageKind(bits=8 * picture.dtype.itemsize))


def edited(like: ImageFile, pixels: torch.Tensor | Pixels) -> ImageFile:
    """Return a picture with other pixels, of its own depth; grey stays grey.

    Args:
        like: the picture.
        pixels: ``(3, H, W)`` RGB in [0, 1], of its size, or samples ``(H, W, 3)``.

    Example:
        >>> grey = as_image_file(Image.new("L", (6, 4), 77))
        >>> edited(grey, grey.to_tensor()).pixels[0, 0]
        array([77, 77, 77], dtype=uint8)
    """
    samples = to_samples(pixels, like.kind.bits)
    return replace(like, pixels=_repeated(luma(samples)) if like.kind.grey else samples)


def mask_file(mask: torch.Tensor | Pixels) -> ImageFile:
    """Return a mask as a grey picture of 8 bits, 255 = content.

    Args:
        mask: ``(1, H, W)`` in [0, 1], or samples ``(H, W)``.
    """
    samples = mask if isinstance(mask, np.ndarray) else quantise(mask[0].float().numpy(), 8)
    return ImageFile(_repeated(samples), None, ImageKind(grey=True))


def in_kind_of(picture: Picture, file: ImageFile) -> Image.Image | Pixels | ImageFile:
    """Return a file as what somebody gave: arrays as arrays, ``(H, W)`` if grey; PIL images and paths as PIL images.

    Args:
        picture: what was given.
        file: what to return.
    """
    if isinstance(picture, ImageFile):
        return file
    if isinstance(picture, np.ndarray):
        return file.pixels[..., 0] if file.kind.grey else file.pixels
    return file.to_pillow()


def _repeated(grey: Pixels) -> Pixels:
    return np.repeat(grey[..., None], 3, axis=2)
