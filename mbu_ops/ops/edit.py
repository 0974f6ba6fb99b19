"""What an edit is made of, how two in a row become one, and the edit that any module makes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mbu_ops.functional.blend import blend


class Edit(NamedTuple):
    """An edited image together with what it was made from, all at the size and dtype of the input.

    ``image`` is ``blend(input, raw, mask)``, except that :class:`~mbu_ops.ops.segment.Segment` leaves it alone.

    Attributes:
        image: ``(B, 3, H, W)`` RGB in [0, 1], the result.
        mask: ``(B, 1, H, W)`` in [0, 1], where the image changed; exactly 0 where it did not.
        raw: ``(B, 3, H, W)`` RGB in [0, 1], the pixels that were blended in under the mask.
    """

    image: Tensor
    mask: Tensor
    raw: Tensor


def compose(first: Edit, second: Edit) -> Edit:
    """Return two edits, the second made on the first's result, as one edit of the first's input.

    The masks unite as ``1 - (1 - m1)(1 - m2)``; raw is the mixture of the two that gives the same image.

    Args:
        first: any edit.
        second: an edit of ``first.image``.

    Returns:
        An edit with ``image = second.image``.

    Example:
        >>> import torch
        >>> one, half = torch.ones(1, 3, 1, 1), torch.full((1, 1, 1, 1), 0.5)
        >>> compose(Edit(0.5 * one, half, one), Edit(0.25 * one, half, 0 * one)).mask.item()
        0.75
    """
    mask = first.mask + second.mask - first.mask * second.mask
    share = second.mask / torch.where(mask > 0, mask, 1)
    return Edit(second.image, mask, blend(first.raw, second.raw, share))


def edit_with(module: nn.Module, image: Tensor) -> Edit:
    """Return the edit a one-in one-out module makes.

    Args:
        module: an op with ``edit(image)``, or any module from images to images of the same size, whose edit then covers
            the whole image.
        image: ``(B, 3, H, W)`` RGB in [0, 1].
    """
    edit = getattr(module, "edit", None)
    if edit is not None:
        result: Edit = edit(image)
        return result
    output = module(image)
    return Edit(output, torch.ones_like(output[:, :1]), output)
