"""The objective of guided native networks: what removes learns as native networks do, what adds from other views.

A pair is a photo and a content that was laid on it; another view of the same content is the guide. Photos with the
content are pairs, too: what the remover makes of them, and another view of themselves. So every target but the drawn
and cut ones is a real photo.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.data.capture import even, lit, moved, softened
from mbu_ops.data.composites import Pairs
from mbu_ops.functional.grid import grid
from mbu_ops.functional.layer import Moved
from mbu_ops.functional.mask import dilate
from mbu_ops.methods.base import to_signed
from mbu_ops.methods.native_guided import NativeGuided
from mbu_ops.objectives.native import (
    GROWN,
    INSIDE,
    NativeLossWeights,
    NativeObjective,
    PairsObjective,
    Step,
    bands_apart,
    named,
    unruly,
)
from mbu_ops.objectives.options import DistanceOptions, option

_THIN = 3.0
"""How much more what is thin counts: a rim covers few pixels, and is what the eye looks at."""

_CELLS = 4, 6
"""Rows and columns of cells in which contents are told apart."""

_TEMPERATURE = 0.1

_BROAD = 4.0
"""Pixels of a Gaussian's standard deviation, beyond which nothing is thin."""


@dataclass(frozen=True, slots=True)
class NativeGuidedLossWeights(NativeLossWeights):
    """Weights of both networks' terms, see :class:`mbu_ops.objectives.native.NativeLossWeights`.

    ``gate``, ``drawn``, ``classifier``, ``same``, ``empty`` and ``area`` are of what removes alone.

    Attributes:
        less: of all that the network which removes learns; with 0 it stays as it is.
        adder: of all that the network which adds learns.
        light: how unlike neighbouring factors of a guide's light are.
        contrast: of telling a batch's guides apart by what was added; off by default, see docs/methods/native.md.
    """

    less: float = 1.0
    adder: float = 1.0
    light: float = 0.1
    contrast: float = 0.0


LOSS_WEIGHTS: dict[str, NativeGuidedLossWeights] = {"quick": NativeGuidedLossWeights()}


@dataclass(frozen=True, kw_only=True)
class NativeGuidedOptions(DistanceOptions):
    """What the objective can be told.

    Attributes:
        alone: share of the laid-on contents whose guide is the content alone, as a picture with alpha shows it.
    """

    alone: float = option(
        0.25,
        "How many guides show the content alone, on a transparent ground; 0 for what is no thing, as a smile.",
        least=0,
        most=1,
    )

    @property
    def arguments(self) -> dict[str, Any]:
        """What the objective's constructor is given beside networks and weights."""
        return super().arguments | {"alone": self.alone}


class NativeGuidedObjective(PairsObjective):
    """Losses of one step, for both networks with a discriminator each, and the remover's classifier.

    Args:
        model: the networks.
        weights: weight of each term.
        loss: distance of the reconstructions, see :data:`mbu_ops.objectives.terms.DISTANCES`.
        alone: share of the contents whose guide is the content alone.
    """

    network = NativeGuided
    recipes = LOSS_WEIGHTS
    options = NativeGuidedOptions

    def __init__(
        self,
        model: NativeGuided,
        weights: NativeGuidedLossWeights | None = None,
        loss: str = "l1",
        alone: float = 0.25,
    ) -> None:
        super().__init__()
        self.model: Any = model
        self.weights = weights or NativeGuidedLossWeights()
        self.less = NativeObjective(model.less, self.weights, loss)
        self.adder = _AdderObjective(cast(Any, model), self.weights, loss)
        self.adder.alone = alone

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates."""
        less, adder = self.less.parameter_groups(), self.adder.parameter_groups()
        return {name: less[name] + adder.get(name, []) for name in less}

    def steps(self, pairs: Tensor, with_: Tensor, without: Tensor, views: Tensor) -> Iterator[Step]:
        """Yield what to minimise, as :meth:`mbu_ops.objectives.native.NativeObjective.steps` does.

        Args:
            pairs: see there.
            with_: see there.
            without: see there.
            views: ``(B, 4, H, W)``, another view of each pair's content, and its mask.
        """
        if self.weights.less:
            yield from named("less", self.weights.less, self.less.steps(pairs, with_, without))
        if self.weights.adder:
            yield from named("adder", self.weights.adder, self.adder.steps(pairs, with_, without, views))

    def sheet(self, model: Any, without: Tensor, with_: Tensor) -> Tensor:
        """Draw guides, photos without the content, photos with each guide's content, and the masks of these."""
        with torch.no_grad():
            count = min(len(without), len(with_))
            photos, guides = without[:count], with_[:count]
            rows = [guides, photos]
            for turn in range(3):
                guide = guides.roll(turn, 0)
                planes = model.planes(photos, model.encode_guide(guide))
                rows += [planes.shown(photos, guide), planes.taken(guide), planes.mask.expand(-1, 3, -1, -1)]
            return grid(rows)


def thin(masks: Tensor) -> Tensor:
    """Return how much more masks cover at each place than around it, ``(B, 1, H, W)`` in [0, 1]: rims, not lenses.

    Args:
        masks: ``(B, 1, H, W)`` in [0, 1].

    Example:
        >>> masks = torch.zeros(1, 1, 48, 48)
        >>> masks[..., 8:40, 8:40], masks[..., 20:22, :] = 0.2, 1.0
        >>> found = thin(masks)[0, 0]
        >>> bool(found[21, 24] > 0.5), bool(found[34, 24] < 0.05)
        (True, True)
    """
    side = 4 * int(_BROAD) + 1
    return F.relu(masks - gaussian_blur2d(masks, (side, side), (_BROAD, _BROAD), border_type="replicate"))


class _AdderObjective(NativeObjective):
    """Losses of what adds: the terms of a remover, with pairs the other way."""

    weights: NativeGuidedLossWeights
    alone: float = 0.25

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"networks": list(self.model.adder.parameters()), "discriminator": list(self.discriminator.parameters())}

    def steps(self, pairs: Tensor, with_: Tensor, without: Tensor, views: Tensor) -> Iterator[Step]:  # type: ignore[override]
        weights, pair, count = self.weights, Pairs.of(pairs), len(pairs)
        done = int(self.steps_done)
        self.steps_done += 1
        photos = with_[:, :3]
        with torch.no_grad():
            removed = self.model.less.planes(photos).float().shown(photos).clamp(0, 1)
            others = softened(lit(moved(moved(photos))))
            guides = torch.cat([views[:, :3], others, others.roll(1, 0)])
            codes = self.model.encode_guide(guides).float()
            codes[:count] = torch.where(even(views) < self.alone, self.model.encode_guide(views), codes[:count])
        images = torch.cat([pair.wanted, softened(removed), without])
        targets = to_signed(torch.cat([pair.shown, photos]))
        planes = self.model.planes(images, codes).float()
        edited = to_signed(planes.shown(images, guides))
        known, added = edited[: 2 * count], edited[2 * count :]
        inside = torch.cat([pair.masks, ((with_[:, 3:] - 0.08) / 0.2).clamp(0, 1)])
        counts = inside + _THIN * thin(inside)
        fakes = {"adversarial": known} | ({"unpaired": added} if weights.unpaired else {})
        discriminates = bool(weights.adversarial or weights.unpaired or weights.feature_matching)
        judged = torch.cat(list(fakes.values()))
        if discriminates:
            yield "discriminator", self._judged(to_signed(photos), judged.detach(), done), {}
        terms: dict[str, Tensor] = {}
        if weights.reconstruction:
            terms["reconstruction"] = ((known - targets).abs() ** self._power * (1 + INSIDE * counts)).mean()
        if weights.bands:
            terms["bands"] = bands_apart(known, targets, counts)
        if discriminates:
            terms |= self._seen_by_discriminator(fakes, judged, targets)
        if weights.keep:
            lands = Moved(torch.ones_like(planes.mask), planes.guide_flow.detach()).seen(codes[:, 4:])
            around = 1 - dilate((5 * lands[2 * count :]).clamp(0, 1), GROWN)
            terms["keep"] = ((added - to_signed(without)).abs() * around).mean()
        if weights.mask:
            truth = (1.2 * inside).clamp(0, 1) * self.model.adder.window
            with torch.autocast(images.device.type, enabled=False):
                found = (planes.mask * planes.worn)[: 2 * count].clamp(1e-4, 1 - 1e-4)
                terms["mask"] = F.binary_cross_entropy(found, truth.float(), 1 + counts.float())
        if weights.flow:
            terms["flow"] = unruly(planes.flow) + unruly(planes.guide_flow)
        if weights.contrast and count > 1:
            terms["contrast"] = self._contrast(edited[:count], images[:count], guides[:count])
        if weights.light:
            across, down = planes.light.diff(dim=-1).abs().mean(), planes.light.diff(dim=-2).abs().mean()
            terms["light"] = across + down
        found = {"covered": planes.mask[2 * count :].detach().mean(), "taken": 1 - planes.kept.detach().mean()}
        yield "networks", {name: self._weight(name, done) * value for name, value in terms.items()}, found

    def _contrast(self, edited: Tensor, photos: Tensor, guides: Tensor) -> Tensor:
        """Return how badly a batch's guides are told apart by what was added to photos.

        What a content is called by is what it changes in the features of the network that removes, which is frozen
        here: in few cells, so that it may move and yet keeps its shape. Source: InfoNCE (van den Oord, Li and Vinyals,
        2018, arXiv:1807.03748).

        Args:
            edited: ``(B, 3, H, W)`` in [-1, 1].
            photos: the same in [0, 1], before the edit.
            guides: ``(B, 3, H, W)`` in [0, 1].
        """
        self.model.less.requires_grad_(False)
        with torch.no_grad():
            bare = self.model.less.planes(guides).float().shown(guides).clamp(0, 1)
            before, wanted, without = (self._region(to_signed(some)) for some in (photos, guides, bare))
        added, asked = F.normalize(self._region(edited) - before), F.normalize(wanted - without)
        self.model.less.requires_grad_(True)
        return F.cross_entropy(added @ asked.T / _TEMPERATURE, torch.arange(len(added), device=added.device))

    def _region(self, pixels: Tensor) -> Tensor:
        """Return what the network that removes sees in pictures, ``(B, 3, H, W)`` in [-1, 1], a row of numbers each."""
        features = self.model.less.down_to(pixels)[1].float()
        return F.adaptive_avg_pool2d(features, _CELLS).flatten(1)
