"""Find the images in a sample of a data set, as torchvision's v2 transforms do; torchvision need not be there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from mbu_ops.errors import DTypeError


def map_images(sample: Any, edit: Callable[[Tensor], Tensor]) -> Any:
    """Return a sample with its images edited, and all else as it is.

    Images are torchvision's ``tv_tensors.Image``, all of them; in a sample that holds none, the first plain tensor.

    Args:
        sample: a tensor, or tensors and anything else in tuples, lists and dictionaries.
        edit: from an image, as a plain tensor, to an image.

    Raises:
        DTypeError: if there is no image in it, or one that is no tensor yet.

    Example:
        >>> import torch
        >>> image, boxes = torch.rand(3, 8, 8), torch.rand(2, 4)
        >>> edited, target = map_images((image, {"boxes": boxes, "label": 3}), lambda pixels: 1 - pixels)
        >>> torch.equal(edited, 1 - image), target["boxes"] is boxes, target["label"]
        (True, True, 3)
    """
    leaves, structure = tree_flatten(sample)
    # whoever has such tensors has imported the module; nobody else needs it
    tv_tensors: Any = sys.modules.get("torchvision.tv_tensors")
    for index in _images_among(leaves, tv_tensors):
        image = leaves[index]
        if tv_tensors is not None and isinstance(image, tv_tensors.Image):
            leaves[index] = tv_tensors.wrap(edit(image.as_subclass(Tensor)), like=image)
        else:
            leaves[index] = edit(image)
    return tree_unflatten(leaves, structure)


def _images_among(leaves: Sequence[object], tv_tensors: Any) -> list[int]:
    """Return the numbers of the leaves that are images."""
    if any(isinstance(leaf, Image.Image) for leaf in leaves):
        raise DTypeError(
            "expected images as tensors, got PIL's: make tensors of floating-point numbers in [0, 1] of them first "
            "(torchvision's v2.ToImage() and v2.ToDtype(torch.float32, scale=True))"
        )
    tensors = {index: leaf for index, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
    if tv_tensors is not None:
        images = [index for index, leaf in tensors.items() if isinstance(leaf, tv_tensors.Image)]
        if images:
            return images
        tensors = {index: leaf for index, leaf in tensors.items() if not isinstance(leaf, tv_tensors.TVTensor)}
    if not tensors:
        kinds = ", ".join(sorted({type(leaf).__name__ for leaf in leaves})) or "nothing"
        raise DTypeError(f"expected a sample with an image, a tensor (3, H, W) or (B, 3, H, W), got {kinds}")
    return [min(tensors)]
