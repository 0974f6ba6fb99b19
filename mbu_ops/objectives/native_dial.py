"""The objective of native dials: each direction learns as native networks do, and from the other's edits.

What one makes of photos is what the other learns from: the target is the photo again (back-translation: Sennrich,
Haddow and Birch, ACL 2016). Half of the pairs are such, the others are laid on photos; what puts a content on has those
only where its place was found in photos without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mbu_ops.data.capture import softened
from mbu_ops.data.composites import Pairs
from mbu_ops.functional.grid import grid
from mbu_ops.functional.mask import change_mask
from mbu_ops.methods.native_dial import NativeDial
from mbu_ops.objectives.native import NativeLossWeights, NativeObjective, PairsObjective, Step, named
from mbu_ops.objectives.options import DistanceOptions

_LEARNT_FROM = 0.5
"""How sure an edit must be that there was something to do, for its photo to be learnt from."""


@dataclass(frozen=True, slots=True)
class NativeDialLossWeights(NativeLossWeights):
    """Weights of both directions' terms, see :class:`mbu_ops.objectives.native.NativeLossWeights`.

    Attributes:
        less: of all that the network for less learns; with 0 it stays as it is.
        more: of all that the network for more learns.
    """

    less: float = 1.0
    more: float = 1.0


LOSS_WEIGHTS: dict[str, NativeDialLossWeights] = {"quick": NativeDialLossWeights()}


class NativeDialObjective(PairsObjective):
    """Losses of one step, for both networks with a discriminator and a classifier each.

    Args:
        model: the networks.
        weights: weight of each term.
        loss: distance of the reconstructions, see :data:`mbu_ops.objectives.terms.DISTANCES`.
    """

    network = NativeDial
    recipes = LOSS_WEIGHTS
    options = DistanceOptions

    def __init__(self, model: NativeDial, weights: NativeDialLossWeights | None = None, loss: str = "l1") -> None:
        super().__init__()
        self.model: Any = model
        self.weights = weights or NativeDialLossWeights()
        self.less, self.more = (NativeObjective(one, self.weights, loss) for one in (model.less, model.more))

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates."""
        less, more = self.less.parameter_groups(), self.more.parameter_groups()
        return {name: less[name] + more[name] for name in less}

    def guides(self, model: Any, *examples: Tensor) -> Tensor:
        """Return the one code that all guides have: full strength."""
        code: Tensor = model.encode_guide(examples[0][:1])
        return code

    def steps(self, pairs: Tensor, with_: Tensor, without: Tensor, reverse: Tensor | None = None) -> Iterator[Step]:
        """Yield what to minimise, as :meth:`mbu_ops.objectives.native.NativeObjective.steps` does.

        Args:
            pairs: see there.
            with_: see there.
            without: see there.
            reverse: ``(B, 7, H, W)``, photos with the content, and without it as something was laid on.
        """
        photos, count, weights = with_[:, :3], len(pairs), self.weights
        if weights.less:
            # half of what it learns from is what the other put on, as soon as that does
            taught = self._edited(self.model.more, without)[: count // 2]
            batch = torch.cat([pairs[: count - len(taught)], taught]), with_, without
            yield from named("less", weights.less, self.less.steps(*batch))
        if weights.more:
            taught = self._edited(self.model.less, photos)
            if reverse is not None:
                # the more of them show what no network made, the better
                taught = taught[: count // 4]
                taught = torch.cat([self._rid(reverse[: count - len(taught)]), taught])
            elif not len(taught):
                taught = self._edited(self.model.less, photos, all_of_them=True)
            # where a content will lie on a photo nobody knows: nothing is kept by a mask
            anywhere = torch.cat([without, torch.ones_like(without[:, :1])], 1)
            batch = taught.repeat(count, 1, 1, 1)[:count], anywhere, photos
            yield from named("more", weights.more, self.more.steps(*batch))

    @torch.no_grad()
    def _edited(self, network: Any, photos: Tensor, all_of_them: bool = False) -> Tensor:
        """Return pairs ``(K, 7, H, W)``: photos, and what one of the networks makes of them.

        Photos on which it sees nothing to do are left out.
        """
        planes = network.planes(photos).float()
        shown = planes.shown(photos).clamp(0, 1)
        chosen = (planes.presence >= _LEARNT_FROM) | all_of_them
        shown, wanted = shown[chosen], photos[chosen]
        # softened once more: no trace of the network that edited may tell
        return torch.cat([softened(shown) if len(shown) else shown, wanted, change_mask(wanted, shown)], 1)

    @torch.no_grad()
    def _rid(self, reverse: Tensor) -> Tensor:
        """Return pairs the other way, without what is left of the content where something is."""
        pair = Pairs.of(reverse)
        planes = self.model.less.planes(pair.shown).float()
        cleared = softened(planes.shown(pair.shown).clamp(0, 1))
        chosen = (planes.presence >= _LEARNT_FROM).view(-1, 1, 1, 1)
        masks = torch.maximum(pair.masks, change_mask(pair.wanted, cleared))
        return torch.where(chosen, torch.cat([cleared, pair.wanted, masks], 1), reverse)

    def sheet(self, model: Any, without: Tensor, with_: Tensor) -> Tensor:
        """Draw photos with the content, and removed; photos without it, and added at half and at full strength."""
        with torch.no_grad():
            put_on = model.more.planes(without)
            half = put_on.scaled(torch.full((len(without),), 0.5).to(without))
            shares = [share.expand(-1, 3, -1, -1) for share in (put_on.mask, put_on.redrawn)]
            removed = model.less.planes(with_).shown(with_)
            again = model.more.planes(removed).shown(removed)
            return grid([with_, removed, again, without, half.shown(without), put_on.shown(without), *shares])
