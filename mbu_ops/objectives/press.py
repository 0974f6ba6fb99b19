"""The objective of Press et al. (ICLR 2019): two reconstructions and the confusion of the common code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.networks import to_signed
from mbu_ops.methods.press import Press
from mbu_ops.objectives.terms import ContentObjective, LossWeights


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


class PressObjective(ContentObjective):
    """Losses of one step, for the networks and for the discriminator.

    Args:
        model: the networks.
        weights: weight of each term.
        loss: ``"l1"``, ``"l2"`` or ``"l2-reconstruction"``; the last two are the same here.
        guide_variation: how strongly to vary the image that the separate encoder sees, see
            :class:`mbu_ops.objectives.terms.GuideVariation`.
    """

    network = Press
    recipes = LOSS_WEIGHTS

    def __init__(
        self, model: Press, weights: PressLossWeights | None = None, loss: str = "l1", guide_variation: float = 0.0
    ) -> None:
        super().__init__(model, loss, guide_variation)
        if loss == "l2-self-blend":
            raise ConfigurationError("press has no self-blends: expected the distance l1 or l2, got l2-self-blend")
        self.weights = weights or PressLossWeights()

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
