"""The images that edits are measured on, with whatever is known of the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mbu_ops.data.celeba import Partition
from mbu_ops.data.domains import Domains
from mbu_ops.data.pairs import drawn_again, drawn_pairs
from mbu_ops.data.traits import Traits
from mbu_ops.families.planes import derived_masks
from mbu_ops.families.spec import AttributeSpec, FamilySpec


@dataclass(frozen=True, slots=True)
class Examples:
    """Images to measure on.

    Attributes:
        with_: ``(N, 3, R, R)`` RGB in [0, 1], images with the content.
        without: ``(M, 3, R, R)``, images without it.
        masks: ``(N, 1, R, R)`` bool: where the content is in ``with_``, or None if nobody knows.
        known: ``(N,)`` bool: for which images the mask is known.
        removed: ``(N, 3, R, R)``: ``with_`` as it would be without the content, or None.
        with_traits: what else is known of ``with_`` images; nothing where None.
        without_traits: the same of ``without`` images.
        guides: ``(M, 3, R, R)``: for each ``without`` image another subject with one content, or None.
        added: ``(M, 3, R, R)``: ``without`` as it would be with that content, or None.
    """

    with_: Tensor
    without: Tensor
    masks: Tensor | None = None
    known: Tensor | None = None
    removed: Tensor | None = None
    with_traits: Traits | None = None
    without_traits: Traits | None = None
    guides: Tensor | None = None
    added: Tensor | None = None

    @property
    def traits(self) -> tuple[Traits, Traits]:
        """What is known of ``with_`` images and of ``without`` images."""
        count = len(self.with_)
        return (
            self.with_traits or Traits.unknown(count),
            self.without_traits or Traits.unknown(len(self.without), count),
        )

    @classmethod
    def drawn(
        cls,
        family: FamilySpec,
        attribute: AttributeSpec,
        resolution: int,
        count: int,
        partition: Partition = "validation",
    ) -> Examples:
        """Have a family draw images; the truth is known of each.

        Args:
            family: a family that draws pictures.
            attribute: what they are to show.
            resolution: side of the images.
            count: how many with the content, and how many without it; nobody is in both.
            partition: whom to draw: partitions share nobody.

        Raises:
            ConfigurationError: if the family draws no pictures.
            PluginError: if drawing fails.
            DataError: if what is drawn is not what was asked for.
        """
        pairs = list(drawn_pairs(family, attribute, partition, 2 * count, resolution))
        mine, others = pairs[:count], pairs[count:]
        again = drawn_again(family, others)
        return cls(
            with_=_floating(np.stack([pair.with_ for pair in mine])),
            without=_floating(np.stack([pair.without for pair in others])),
            masks=torch.from_numpy(np.stack([pair.mask for pair in mine]))[:, None],
            known=torch.ones(count, dtype=torch.bool),
            removed=_floating(np.stack([pair.without for pair in mine])),
            guides=None if again is None else _floating(np.stack([pair.with_ for pair in again])),
            added=None if again is None else _floating(np.stack([pair.with_ for pair in others])),
        )

    @classmethod
    def chosen(
        cls, domains: Domains, count: int, seed: int, family: FamilySpec | None, attribute: AttributeSpec | None
    ) -> Examples:
        """Take the first images of a seeded shuffle of each domain, with the masks that the family can derive.

        Args:
            domains: validation images.
            count: how many of each domain, at most.
            seed: of the shuffle.
            family: whose images they are, if any's.
            attribute: what the domains differ in.

        Raises:
            PluginError: if the family's function for masks cannot be loaded or fails.
        """
        chosen, others = (_shuffle(pixels, seed, count) for pixels in (domains.with_, domains.without))
        with_, without = _chosen(domains.with_, chosen), _chosen(domains.without, others)
        masks = derived_masks(family, attribute, with_) if family is not None and attribute is not None else None
        return cls(
            with_,
            without,
            masks,
            None if masks is None else masks.flatten(1).any(1),
            with_traits=None if domains.with_traits is None else domains.with_traits[chosen],
            without_traits=None if domains.without_traits is None else domains.without_traits[others],
        )


def _floating(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def _shuffle(pixels: Tensor, seed: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(len(pixels))[:count]


def _chosen(pixels: Tensor, indices: NDArray[np.int64]) -> Tensor:
    return pixels[torch.from_numpy(indices)].float() / 255
