"""What tests of portrait networks share beside fixtures."""

from __future__ import annotations

from torch import Tensor

from mbu_ops.methods.base import to_signed
from mbu_ops.methods.portrait import Portrait

LEFT_EYE, RIGHT_EYE, MOUTH, SKIN = 1, 2, 3, 4


def codes_of(model: Portrait, image: Tensor, mask: Tensor) -> Tensor:
    return model.encode(model.crops(to_signed(image), mask), mask)


def read_as(model: Portrait, mask: Tensor) -> None:
    """Have every picture's mask be this one, whatever it shows."""
    model.mask_of = lambda image: mask.to(image.dtype).expand(len(image), -1, -1, -1)  # type: ignore[method-assign]
