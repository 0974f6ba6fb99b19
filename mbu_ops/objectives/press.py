"""The objective of Press et al. (ICLR 2019): two reconstructions and the confusion of the common code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.networks import to_signed
from mbu_ops.methods.press import Press
from mbu_ops.objectives.terms import GuideVariation, LatentDiscriminator, LossWeights, distance_named


@dataclass(frozen=True, slots=True)
class PressLossWeights(LossWeights):
    """Weight of each term; 0 switches a term off. Defaults are the paper's.

    Attributes:
        reconstruction_without: distance of ``D(Ec(a), 0)`` from a ``without`` image a.
        reconstruction_with: distance of ``D(Ec(b), Es(b))`` from a ``with`` image b.
        confusion: both domains' common codes should look like ``without`` to the discriminator.
    """

    reconstruction_without: float = 1.0
    reconstruction_with: float = 1.0
    confusion: float = 0.001


LOSS_WEIGHTS: dict[str, PressLossWeights] = {
    **dict.fromkeys(("glasses", "smile", "hair_women", "hair_men"), PressLossWeights()),
    "quick": PressLossWeights(reconstruction_without=5.0, reconstruction_with=7.0, confusion=0.2),
}
"""The published weights, the same in every experiment; and ``quick``: MBU's for runs of hours, so that a comparison is
of methods and not of settings."""


class PressObjective(nn.Module):
    """Losses of one step, for the networks and for the discriminator.

    Args:
        model: the networks.
        weights: weight of each term.
        loss: ``"l1"`` or ``"l2"``.
        guide_variation: how strongly to vary the image that the separate encoder sees, see
            :class:`mbu_ops.objectives.terms.GuideVariation`.
    """

    def __init__(
        self, model: Press, weights: PressLossWeights | None = None, loss: str = "l1", guide_variation: float = 0.0
    ) -> None:
        super().__init__()
        self.model = model
        self.weights = weights or PressLossWeights()
        self.discriminator = LatentDiscriminator(model.config)
        self.vary_guide = GuideVariation(guide_variation) if guide_variation else nn.Identity()
        self._distance = distance_named(loss)

    @classmethod
    def build(
        cls, model: nn.Module, recipe: str, overrides: Mapping[str, float], distance: str, guide_variation: float
    ) -> Self:
        """Return the objective by names, see :func:`mbu_ops.objectives.build_objective`."""
        if not isinstance(model, Press):
            raise ConfigurationError(f"the objective of 'press' trains a Press network, got {type(model).__name__}")
        return cls(model, PressLossWeights.named(LOSS_WEIGHTS, recipe, overrides), distance, guide_variation)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates."""
        return {
            "networks": list(self.model.parameters()),
            "discriminator": list(self.discriminator.parameters()),
        }

    def steps(self, without: Tensor, with_: Tensor) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield what to minimise on one pair of batches, in order; update that group before asking for the next.

        Args:
            without: ``(B, 3, R, R)`` RGB in [0, 1] from the domain without the content.
            with_: the same from the domain with it.

        Yields:
            The parameter group to update, the weighted terms whose sum is its loss, and measurements for the log.
        """
        model, weights = self.model, self.weights
        guide = to_signed(self.vary_guide(with_))
        without, with_ = to_signed(without), to_signed(with_)
        common_without, common_with = model.common_code(without), model.common_code(with_)
        terms: dict[str, Tensor] = {}
        if weights.reconstruction_without:
            none = model.zero_code(common_without)
            terms["reconstruction_without"] = self._distance(model.decode(common_without, none), without)
        if weights.reconstruction_with:
            drawn = model.decode(common_with, model.separate_code(guide))
            terms["reconstruction_with"] = self._distance(drawn, with_)
        if weights.confusion:
            self.discriminator.requires_grad_(False)
            terms["confusion"] = self.discriminator.confusion(common_without, common_with)
        yield "networks", {name: getattr(weights, name) * value for name, value in terms.items()}, {}
        if weights.confusion:
            self.discriminator.requires_grad_(True)
            loss = self.discriminator.loss(common_without.detach(), common_with.detach())
            yield "discriminator", {"discriminator": loss}, {}

    def settle(self, model: Press, without: Tensor, with_: Tensor) -> None:  # noqa: ARG002 - the protocol's signature
        """Measure the statistics of images that show the content.

        Args:
            model: the networks, such as the average of those that were trained.
            without: ``(N, 3, R, R)`` RGB in [0, 1] from the domain without the content; not needed here.
            with_: ``(M, 3, R, R)`` RGB in [0, 1] from the domain with it.
        """
        model.measure_content(torch.split(with_, 64))
