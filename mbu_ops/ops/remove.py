"""Remove the content from an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from mbu_ops.functional.layer import Layer
from mbu_ops.ops.base import EditOp
from mbu_ops.ops.look import REMOVAL, Look
from mbu_ops.ops.one_input import OneInput

if TYPE_CHECKING:
    from mbu_ops.methods.presence import Doing


class Remove(EditOp, OneInput):
    """Remove the content (the glasses, the smile) from every image.

    The image is drawn free of content where its content is: ``M * raw + (1 - M) * image`` (MBU, section 3). The mask is
    grown a little before it is used, because a rim that stays visible shows what was there: over training faces, a
    judge took 58% of removed glasses for gone without it and 93% with it.

    Args:
        model: a method that can remove, such as :class:`mbu_ops.methods.mbu.MBU`.
        look: how the mask is cut and what detail is kept; :data:`mbu_ops.ops.look.REMOVAL` by default. The paper's mask
            is hard and not grown: ``Look(threshold=0.1, softness=0, dilation=0)``.
        guides: default guide codes; removing needs none, so they are only kept.

    Raises:
        UnsupportedVerbError: if the method cannot remove.

    Example:
        >>> import torch
        >>> from mbu_ops.testing import tiny_mbu
        >>> Remove(tiny_mbu())(torch.rand(2, 3, 48, 40)).shape
        torch.Size([2, 3, 48, 40])
    """

    verb: ClassVar[str] = "remove"
    doing: ClassVar[Doing | None] = "remove"
    usual_look: ClassVar[Look] = REMOVAL
    removes: ClassVar[bool] = True

    def predict(self, seen: Tensor) -> Layer:
        """Return the image free of content, where its content is."""
        return self.model.remove(seen)
