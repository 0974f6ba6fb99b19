"""Say which part of a picture each pixel belongs to."""

from __future__ import annotations

from typing import ClassVar, Protocol, cast

from torch import Tensor, nn

from mbu_ops.functional.mask import resize
from mbu_ops.ops.base import Method, Op, to_frame, to_native


class Parser(Method, Protocol):
    """Networks that tell parts apart."""

    part_count: int

    def parse(self, image: Tensor) -> Tensor:
        """Return how likely each pixel belongs to each part, ``(B, parts, R, R)``."""


class Parse(Op):
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

    def forward(self, image: Tensor) -> Tensor:
        """Return how likely each pixel belongs to each part.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.

        Returns:
            ``(B, parts, H, W)`` in [0, 1], in the image's dtype; they sum to 1.

        Raises:
            ShapeError: if the image has another shape, or is empty.
            DTypeError: if it holds no floating-point numbers.
            DeviceError: if it is not where the weights are.
        """
        model = cast("Parser", self.model)
        return to_native(model.parse(to_frame(model, image)), image)

    def labels(self, image: Tensor) -> Tensor:
        """Return the number of each pixel's likeliest part.

        Args:
            image: as in :meth:`forward`.

        Returns:
            ``(B, 1, H, W)`` int64.
        """
        model = cast("Parser", self.model)
        # in the networks' dtype: shares that an image's half precision cannot tell apart differ there
        shares = resize(model.parse(to_frame(model, image)), (image.shape[-2], image.shape[-1]))
        return shares.argmax(1, keepdim=True)
