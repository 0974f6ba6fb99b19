"""Say which part of a picture each pixel belongs to."""

from __future__ import annotations

from typing import ClassVar, Protocol, cast

from torch import Tensor, nn

from mbu_ops.functional.mask import resize
from mbu_ops.ops.base import MaskOp
from mbu_ops.ops.method import Method, to_frame


class Parser(Method, Protocol):
    """Networks that tell parts apart."""

    part_count: int

    def parse(self, image: Tensor) -> Tensor:
        """Return how likely each pixel belongs to each part, ``(B, parts, R, R)``."""


class Parse(MaskOp):
    """Tell the parts of pictures apart: skin, hair, left eye ...; of a face, the nineteen of CelebAMask-HQ.

    What the numbers mean stands in the family's anatomy, as
    ``mbu_ops.families.get_family("faces").anatomy.names``.

    Args:
        model: a network that parses, such as :class:`mbu_ops.methods.parsing.Parsing`.

    Raises:
        UnsupportedVerbError: if the method cannot parse.

    Example:
        >>> import torch
        >>> from mbu_ops.methods.parsing import Parsing
        >>> parse, image = Parse(Parsing("lite").eval()), torch.rand(2, 3, 48, 40)
        >>> parse(image).shape, parse.labels(image).shape
        (torch.Size([2, 19, 48, 40]), torch.Size([2, 1, 48, 40]))
    """

    verb: ClassVar[str] = "parse"
    whole: ClassVar[bool] = True

    def __init__(self, model: nn.Module, *, guides: Tensor | None = None) -> None:
        super().__init__(model, guides=guides)

    @property
    def part_count(self) -> int:
        """How many parts it tells apart."""
        return cast("Parser", self.model).part_count

    @property
    def channels(self) -> int:
        """How many masks an image gets: one for each part."""
        return self.part_count

    def predict(self, seen: Tensor) -> Tensor:
        """Return how likely each pixel belongs to each part; they sum to 1."""
        return cast("Parser", self.model).parse(seen)

    def labels(self, image: Tensor) -> Tensor:
        """Return the number of each pixel's likeliest part.

        Args:
            image: as in :meth:`forward`.

        Returns:
            ``(B, 1, H, W)`` int64.
        """
        # in the networks' dtype: shares that an image's half precision cannot tell apart differ there
        shares = resize(self.predict(to_frame(self.model, image)), (image.shape[-2], image.shape[-1]))
        return shares.argmax(1, keepdim=True)
