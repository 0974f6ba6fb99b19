"""What tests of portrait networks share beside fixtures."""

from __future__ import annotations

from torch import Tensor

from mbu_ops.functional.layer import Layer
from mbu_ops.functional.mask import change_mask
from mbu_ops.functional.render import render
from mbu_ops.methods.base import to_signed
from mbu_ops.methods.portrait import Portrait

LEFT_EYE, RIGHT_EYE, MOUTH, SKIN = 1, 2, 3, 4


def codes_of(model: Portrait, image: Tensor, mask: Tensor) -> Tensor:
    return model.encode(model.crops(to_signed(image), mask), mask)


def read_as(model: Portrait, mask: Tensor) -> None:
    """Have every picture's mask be this one, whatever it shows."""
    model.mask_of = lambda image: mask.to(image.dtype).expand(len(image), -1, -1, -1)  # type: ignore[method-assign]


def shown(image: Tensor, layer: Layer) -> Tensor:
    """What a layer shows under its mask, at the frame's own resolution."""
    return render(image, layer).raw


def carried_over(image: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """The change from one drawing to another, on the image itself, written plainly."""
    much = change_mask(before, after)
    return (image + (after - before) - much * (image - before)).clamp(0, 1)
