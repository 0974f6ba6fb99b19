"""Bring an image of one domain into the other: a guide's content instead of the image's own."""

from __future__ import annotations

from typing import ClassVar, Protocol, cast

from torch import Tensor

from mbu_ops.functional.layer import Layer
from mbu_ops.ops.method import Method
from mbu_ops.ops.transfer import Transfer


class Translator(Method, Protocol):
    """A method that edits one of several contents and can take the others away."""

    def translate(self, image: Tensor, code: Tensor) -> Layer:
        """Return the image with a code's content, and free of all others."""


class Translate(Transfer):
    """Give images a guide's content instead of the other contents that the network knows.

    Smiling faces get the guide's glasses and stop smiling, in one pass (DIDD, section 3). Used as
    :class:`~mbu_ops.ops.transfer.Transfer` is.

    Args:
        model: a method that can translate, such as ``mbu_ops.methods.didd.DIDD().for_content(0)``.
        look: as for ``Transfer``; with threshold and softness 0 the drawing replaces the image.
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
    guided: ClassVar[bool] = True

    def predict(self, seen: Tensor, code: Tensor) -> Layer:
        """Return the image with a code's content, and free of the method's others."""
        return cast("Translator", self.model).translate(seen, code)
