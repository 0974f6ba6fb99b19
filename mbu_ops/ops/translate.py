"""Bring an image of one domain into the other: a guide's content instead of the image's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from torch import Tensor

from mbu_ops.ops.base import Method, apply_layer, expand_code, to_frame
from mbu_ops.ops.edit import Edit
from mbu_ops.ops.transfer import Transfer

if TYPE_CHECKING:
    from mbu_ops.methods.base import Layer


class Translator(Method, Protocol):
    """A method that edits one of several contents and can take the others away."""

    def translate(self, image: Tensor, code: Tensor) -> Layer:
        """Return the image with a code's content, and free of all others."""


def translate(
    model: Translator,
    image: Tensor,
    code: Tensor,
    threshold: float = 0.1,
    softness: float = 0.1,
    detail: float = 1.0,
) -> Edit:
    """Draw the image with a code's content and without the method's other contents (DIDD, section 3), in one pass.

    Args:
        model: a method that can translate.
        image: ``(B, 3, H, W)`` RGB in [0, 1].
        code: ``(1, C, S, S)`` for all images, or ``(B, C, S, S)``.
        threshold: see :func:`mbu_ops.ops.transfer.transfer`; with ``softness`` 0 too, the drawing replaces the image.
        softness: see :func:`mbu_ops.ops.transfer.transfer`.
        detail: see :func:`mbu_ops.ops.transfer.transfer`.

    Returns:
        The edit, at the image's size and dtype.
    """
    frame = to_frame(model, image)
    layer = model.translate(frame, expand_code(model, image, code))
    return apply_layer(image, frame, layer, threshold, softness, detail)


class Translate(Transfer):
    """Give images a guide's content instead of the other contents that the network knows.

    Smiling faces get the guide's glasses and stop smiling. Used as :class:`~mbu_ops.ops.transfer.Transfer` is.

    Args:
        model: a method that can translate, such as ``mbu_ops.methods.didd.DIDD().for_content(0)``.
        threshold: mask values up to this one leave the image as it is, bit for bit.
        softness: length of the ramp from there to a full mask; 0 for a hard mask.
        detail: share of the image's own detail, beyond the model's resolution, to keep where the structure stayed.
        guides: default guide codes ``(N, C, S, S)`` for ``bind``.

    Raises:
        UnsupportedVerbError: if the method cannot translate.

    Example:
        >>> import torch
        >>> from mbu_ops.methods.didd import DIDD
        >>> translate = Translate(DIDD("digits").eval().for_content(1))
        >>> translate(torch.rand(2, 3, 48, 40), torch.rand(1, 3, 30, 30)).shape
        torch.Size([2, 3, 48, 40])
    """

    verb: ClassVar[str] = "translate"

    def edit_code(self, image: Tensor, code: Tensor) -> Edit:
        """Return the edit with a code in place of the guide; arguments as in ``Transfer.edit_code``."""
        model = cast("Translator", self.model)
        return translate(model, image, code, self.threshold, self.softness, self.detail)
