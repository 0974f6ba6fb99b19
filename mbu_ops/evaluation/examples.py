"""The images that edits are measured on, with whatever is known of the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mbu_ops.data.domains import Domains
from mbu_ops.data.pairs import drawn_pairs
from mbu_ops.errors import PluginError
from mbu_ops.families.registry import load_target
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
    """

    with_: Tensor
    without: Tensor
    masks: Tensor | None = None
    known: Tensor | None = None
    removed: Tensor | None = None

    @classmethod
    def drawn(cls, family: FamilySpec, attribute: AttributeSpec, resolution: int, count: int) -> Examples:
        """Have a family draw validation images; the truth is known of each.

        Raises:
            ConfigurationError: if the family draws no pictures.
            PluginError: if drawing fails.
            DataError: if what is drawn is not what was asked for.
        """
        pairs = list(drawn_pairs(family, attribute, "validation", 2 * count, resolution))
        mine, others = pairs[:count], pairs[count:]
        return cls(
            with_=_floating(np.stack([pair.with_ for pair in mine])),
            without=_floating(np.stack([pair.without for pair in others])),
            masks=torch.from_numpy(np.stack([pair.mask for pair in mine]))[:, None],
            known=torch.ones(count, dtype=torch.bool),
            removed=_floating(np.stack([pair.without for pair in mine])),
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
        with_, without = (_shuffled(pixels, seed, count) for pixels in (domains.with_, domains.without))
        if family is None or attribute is None or family.masks is None:
            return cls(with_, without)
        derive = load_target(family, "masks")
        try:
            masks = derive(attribute.name, with_)
        except Exception as error:
            raise PluginError(
                f"family {family.name!r}: deriving masks failed: {type(error).__name__}: {error}"
            ) from error
        if masks is None:
            return cls(with_, without)
        if not isinstance(masks, Tensor) or masks.shape != (len(with_), 1, *with_.shape[-2:]):
            raise PluginError(
                f"family {family.name!r}: expected masks (N, 1, H, W), got {getattr(masks, 'shape', masks)}"
            )
        masks = masks > 0.5
        return cls(with_, without, masks, masks.flatten(1).any(1))


def _floating(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def _shuffled(pixels: Tensor, seed: int, count: int) -> Tensor:
    order = np.random.default_rng(seed).permutation(len(pixels))[:count]
    return pixels[torch.from_numpy(order)].float() / 255
