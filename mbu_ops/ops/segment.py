"""Find the content of an image."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from mbu_ops.functional.mask import binarise
from mbu_ops.ops.base import MaskOp


class Segment(MaskOp):
    """Find where the content (the glasses, the smile) is, learnt without a single mask (MBU, section 4).

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

    def __init__(self, model: nn.Module, threshold: float | None = None, *, guides: Tensor | None = None) -> None:
        super().__init__(model, guides=guides)
        self.threshold = threshold

    def predict(self, seen: Tensor) -> Tensor:
        """Return the soft mask of the content: what the with decoder draws for the image's own codes."""
        return self.model.segment(seen)

    def finish(self, mask: Tensor) -> Tensor:
        """Return the mask, hard if there is a threshold."""
        return mask if self.threshold is None else binarise(mask, self.threshold)
