"""What the training loop asks of pictures, whatever they show and however they are labelled."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol, Self

from torch import Tensor

if TYPE_CHECKING:
    from mbu_ops.families import Anatomy


class Pictures(Protocol):
    """What networks learn from, in memory.

    :class:`mbu_ops.data.domains.Domains`, or :class:`mbu_ops.data.labelled.Labelled`.
    """

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, in pixels."""

    @property
    def resolution(self) -> int:
        """Width of the images, in pixels: the side of square ones."""

    @property
    def source(self) -> str:
        """Where they came from."""

    @property
    def anatomy(self) -> Anatomy | None:
        """What their pixels' labels mean, if they have labels."""

    @property
    def summary(self) -> str:
        """How many there are, for people."""

    @property
    def facts(self) -> dict[str, object]:
        """Where they came from and how many there are, as JSON holds it."""

    def with_aids(self, aids: Collection[str]) -> Self:
        """Return them with only what a method asks for beside them."""

    def examples(self, limit: int) -> tuple[Tensor, ...]:
        """Return the first of them, as an objective takes them."""

    def batch(self, size: int, seed: int, step: int, flip: bool = True) -> tuple[Tensor, ...]:
        """Draw the batch of one step: the same one for the same seed and step, whatever was drawn before."""
