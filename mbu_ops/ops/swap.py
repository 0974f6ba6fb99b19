"""Exchange the content of an image for that of a guide."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from mbu_ops.functional.layer import Layer
from mbu_ops.ops.look import REMOVAL
from mbu_ops.ops.one_input import Pass
from mbu_ops.ops.transfer import Transfer

if TYPE_CHECKING:
    from mbu_ops.methods.presence import Doing


class Swap(Transfer):
    """Exchange the content (these glasses for those).

    Removes, then transfers (MBU, section 4), the latter seeing the result of the former; a method that exchanges at
    once does it in one prediction. Used as :class:`~mbu_ops.ops.transfer.Transfer` is.

    Args:
        model: a method that can swap, such as :class:`mbu_ops.methods.mbu.MBU`.
        look: of the transfer, as for ``Transfer``; the removal uses its own, but for the detail.
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
    guided: ClassVar[bool] = True
    doing: ClassVar[Doing | None] = "remove"

    def predict(self, seen: Tensor, code: Tensor) -> Layer:
        """Return a code's content as it would sit on the image, instead of the image's own if the method can do so."""
        return self.model.swap(seen, code) if self.model.info.swaps_at_once else self.model.transfer(seen, code)

    def passes(self, *told: Tensor) -> tuple[Pass, ...]:
        """Return the removal, unless the method exchanges at once, and the transfer."""
        own = super().passes(*told)
        if self.model.info.swaps_at_once:
            return own
        return (lambda seen: self.with_look(self.model.remove(seen), REMOVAL, removes=True), *own)
