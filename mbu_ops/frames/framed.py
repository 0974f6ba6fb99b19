"""Let an op work in one box of a picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mbu_ops.frames.box import Box
from mbu_ops.functional.warp import crop, paste
from mbu_ops.ops.edit import Edit, edit_with


class Framed(nn.Module):
    """A one-input op that sees, and changes, only what is inside a box.

    Args:
        op: a one-input op: ``Remove``, ``Segment``, a bound op, a chain, or any module from images to images.
        box: where it works, in pixels of the picture.

    Example:
        >>> import torch
        >>> from mbu_ops.ops.remove import Remove
        >>> from mbu_ops.testing import tiny_mbu
        >>> framed = Framed(Remove(tiny_mbu()), Box.parse("10,10,50,50"))
        >>> picture = torch.rand(1, 3, 60, 90)
        >>> result = framed(picture)
        >>> torch.equal(result[..., 50:], picture[..., 50:])
        True
    """

    def __init__(self, op: nn.Module, box: Box) -> None:
        super().__init__()
        self.op = op
        self.box = box

    @property
    def makes_mask(self) -> bool:
        """Whether the result is a mask."""
        return bool(getattr(self.op, "makes_mask", False))

    def forward(self, image: Tensor) -> Tensor:
        """Return the picture with the op's result in the box.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.

        Returns:
            Same shape and dtype; for an op that makes a mask ``(B, 1, H, W)``, 0 outside the box.

        Raises:
            ShapeError: if the box is not inside the picture.
        """
        box = self.box.sides
        result = self.op(crop(image, box))
        return paste(torch.zeros_like(image[:, :1]) if self.makes_mask else image, result, box)

    def edit(self, image: Tensor) -> Edit:
        """Return the result with its mask, 0 outside the box, and its raw pixels, the picture's own outside it.

        Args:
            image: as in :meth:`forward`.
        """
        box = self.box.sides
        edit = edit_with(self.op, crop(image, box))
        return Edit(
            image=paste(image, edit.image, box),
            mask=paste(torch.zeros_like(image[:, :1]), edit.mask, box),
            raw=paste(image, edit.raw, box),
        )

    def extra_repr(self) -> str:
        """Show the box in ``repr``."""
        return f"box={self.box}"
