"""Find the content of an image."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from mbu_ops.functional.mask import binarise
from mbu_ops.ops.base import Method, Op, to_frame, to_native
from mbu_ops.ops.edit import Edit


def segment(model: Method, image: Tensor, threshold: float | None = None) -> Tensor:
    """Return the mask of the image's own content: what the with decoder draws for its own codes (MBU, section 4).

    Args:
        model: a method that can segment.
        image: ``(B, 3, H, W)`` RGB in [0, 1].
        threshold: makes the mask hard, 1 above it; None keeps it soft.

    Returns:
        ``(B, 1, H, W)`` in [0, 1], in the image's dtype.
    """
    mask = to_native(model.segment(to_frame(model, image)), image)
    return mask if threshold is None else binarise(mask, threshold)


class Segment(Op):
    """Find where the content (the glasses, the smile) is, learnt without a single mask.

    Args:
        model: a method that can segment, such as :class:`mbu_ops.methods.mbu.MBU`.
        threshold: makes masks hard, 1 above it; None keeps them soft. The paper tunes it on validation data.
        guides: default guide codes; segmenting needs none, so they are only kept.

    Raises:
        UnsupportedVerbError: if the method cannot segment.

    Example:
        >>> import torch
        >>> from mbu_ops.testing import tiny_mbu
        >>> Segment(tiny_mbu(), threshold=0.5)(torch.rand(2, 3, 48, 40)).unique()
        tensor([0., 1.])
    """

    verb: ClassVar[str] = "segment"
    makes_mask: ClassVar[bool] = True

    def __init__(self, model: nn.Module, threshold: float | None = None, *, guides: Tensor | None = None) -> None:
        super().__init__(model, guides=guides)
        self.threshold = threshold

    def forward(self, image: Tensor) -> Tensor:
        """Return the mask.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.

        Returns:
            ``(B, 1, H, W)`` in [0, 1], in the image's dtype.

        Raises:
            ShapeError: if the image has another shape, or is empty.
            DTypeError: if it holds no floating-point numbers.
            DeviceError: if it is not where the weights are.
        """
        return segment(self.model, image, self.threshold)

    def edit(self, image: Tensor) -> Edit:
        """Return the image as it is, the mask, and the content as the method redraws it.

        Args:
            image: as in :meth:`forward`.
        """
        mask = self(image)
        frame = to_frame(self.model, image)
        raw = self.model.transfer(frame, self.model.encode_guide(frame)).raw
        return Edit(image, mask, to_native(raw, image))
