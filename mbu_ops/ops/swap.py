"""Exchange an image's content for a guide's."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from mbu_ops.ops.base import Method
from mbu_ops.ops.edit import Edit, compose
from mbu_ops.ops.remove import remove
from mbu_ops.ops.transfer import Transfer, transfer


def swap(
    model: Method,
    image: Tensor,
    code: Tensor,
    threshold: float = 0.1,
    softness: float = 0.1,
    detail: float = 1.0,
) -> Edit:
    """Remove the image's own content, then transfer the code's (MBU, section 4).

    Args:
        model: a method that can remove and transfer.
        image: ``(B, 3, H, W)`` RGB in [0, 1].
        code: ``(1, C, S, S)`` for all images, or ``(B, C, S, S)``.
        threshold: of the transfer's mask; removal uses its own defaults.
        softness: of the transfer's mask.
        detail: of both, see :func:`mbu_ops.ops.transfer.transfer`.

    Returns:
        Both as one edit, at the image's size and dtype: the mask is the union of the two.
    """
    removed = remove(model, image, detail=detail)
    return compose(removed, transfer(model, removed.image, code, threshold, softness, detail))


class Swap(Transfer):
    """Exchange the content (these glasses for those).

    Removes, then transfers; used as :class:`~mbu_ops.ops.transfer.Transfer` is.

    Args:
        model: a method that can swap, such as :class:`mbu_ops.methods.mbu.MBU`.
        threshold: of the transfer's mask, as for ``Transfer``; removal uses its own defaults.
        softness: of the transfer's mask, as for ``Transfer``.
        detail: of both, as for ``Transfer``.
        guides: default guide codes ``(N, C, S, S)`` for ``bind``.

    Raises:
        UnsupportedVerbError: if the method cannot swap.

    Example:
        >>> import torch
        >>> from mbu_ops.testing import tiny_mbu
        >>> Swap(tiny_mbu())(torch.rand(2, 3, 48, 40), torch.rand(1, 3, 30, 30)).shape
        torch.Size([2, 3, 48, 40])
    """

    verb: ClassVar[str] = "swap"

    def edit_code(self, image: Tensor, code: Tensor) -> Edit:
        """Return the edit with a code in place of the guide; arguments as in ``Transfer.edit_code``."""
        return swap(self.model, image, code, self.threshold, self.softness, self.detail)
