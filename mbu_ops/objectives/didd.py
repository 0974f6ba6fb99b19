"""The objective of DIDD: reconstructions, empty codes, confusion (ICCV 2019, section 3); and judged translations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.base import Networks, to_signed
from mbu_ops.methods.didd import DIDD, Codes
from mbu_ops.objectives.terms import ContentObjective, ImageDiscriminator, LossWeights


@dataclass(frozen=True, slots=True)
class DIDDLossWeights(LossWeights):
    """Weight of each term; 0 switches a term off. Defaults are the paper's.

    Attributes:
        reconstruction: L1 of each domain's images against their drawing from their common and own separate code.
        zero: L1 of each separate encoder's code of the other domain's images against 0.
        confusion: both domains' common codes should look alike to the discriminator.
        adversarial: translations should look like images of their new domain to an image discriminator; 0 in the paper.
        cycle: MSE between the codes of a translation and those it was drawn from; 0 in the paper.
    """

    reconstruction: float = 1.0
    zero: float = 1.0
    confusion: float = 0.001
    adversarial: float = 0.0
    cycle: float = 0.0


LOSS_WEIGHTS: dict[str, DIDDLossWeights] = {
    **dict.fromkeys(("glasses", "smile", "hair_women", "hair_men"), DIDDLossWeights()),
    "quick": DIDDLossWeights(reconstruction=7.0, zero=1.0, confusion=0.2, adversarial=0.1, cycle=0.1),
}
"""The published weights, the same in every experiment; and ``quick``, ours for runs of hours."""


class DIDDObjective(ContentObjective):
    """Losses of one step, for the networks and for the discriminators.

    The first domain's images show the first content and not the second: they are the ``with`` images; the ``without``
    images are the second domain's, which show the second content and not the first.

    Args:
        model: the networks.
        weights: weight of each term.
        loss: ``"l1"`` as published, or ``"l2"``.
        guide_variation: how strongly to vary the images that the separate encoders see, see
            :class:`mbu_ops.objectives.terms.GuideVariation`; 0 in the paper.
    """

    network = DIDD
    recipes = LOSS_WEIGHTS

    def __init__(
        self, model: DIDD, weights: DIDDLossWeights | None = None, loss: str = "l1", guide_variation: float = 0.0
    ) -> None:
        super().__init__(model, loss, guide_variation)
        if loss == "l2-self-blend":
            raise ConfigurationError("didd has no self-blends: expected the distance l1 or l2, got l2-self-blend")
        weights = weights or DIDDLossWeights()
        if model.config.one_encoding:
            weights = replace(weights, zero=0.0)  # its only separate encoder must be silent in no domain
        self.weights = weights
        self.image_discriminator = ImageDiscriminator.beside(model.config) if weights.adversarial else None

    def settle(self, model: Networks, without: Tensor, with_: Tensor) -> None:
        """Do nothing: instance norm keeps no statistics."""

    def steps(self, without: Tensor, with_: Tensor) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield what to minimise on one pair of batches, in order; update that group before asking for the next.

        Args:
            without: ``(B, 3, R, R)`` RGB in [0, 1] from the second domain.
            with_: the same from the first domain.

        Yields:
            The parameter group to update, the weighted terms whose sum is its loss, and measurements for the log.
        """
        model, weights, judge = self.model, self.weights, self.image_discriminator
        judges = self.parameter_groups()["discriminator"]
        images = to_signed(with_), to_signed(without)
        guides = to_signed(self.vary_guide(with_)), to_signed(self.vary_guide(without))
        commons = [model.common_code(pixels) for pixels in images]
        own = [model.separate_code(pixels, index) for index, pixels in enumerate(guides)]
        none = model.zero_code(commons[0])
        terms: dict[str, Tensor] = {}
        if weights.reconstruction:
            drawn = model.decode(Codes(commons[0], own[0], none)), model.decode(Codes(commons[1], none, own[1]))
            pairs = zip(drawn, images, strict=True)
            terms["reconstruction"] = torch.stack([self._distance(one, other) for one, other in pairs]).sum()
        if weights.zero:
            others = [model.separate_code(pixels, 1 - index) for index, pixels in enumerate(images)]
            terms["zero"] = torch.stack([code.abs().mean() for code in others]).sum()
        for parameter in judges:
            parameter.requires_grad_(False)
        if weights.confusion:
            terms["confusion"] = self.discriminator.confusion(*commons)
        translated: list[Tensor] = []
        if weights.adversarial or weights.cycle:
            # the second domain's images with a guide of the first, and the other way round
            wanted = Codes(commons[1], own[0], none), Codes(commons[0], none, own[1])
            translated = [model.decode(codes) for codes in wanted]
            if judge is not None:
                scores = [judge(pixels)[:, index].mean() for index, pixels in enumerate(translated)]
                terms["adversarial"] = -torch.stack(scores).sum()
            if weights.cycle:
                apart = [
                    F.mse_loss(model.common_code(pixels), codes.common)
                    + F.mse_loss(model.separate_code(pixels, index), own[index])
                    for index, (pixels, codes) in enumerate(zip(translated, wanted, strict=True))
                ]
                terms["cycle"] = torch.stack(apart).sum()
        yield "networks", {name: getattr(weights, name) * value for name, value in terms.items()}, {}
        for parameter in judges:
            parameter.requires_grad_(True)
        losses: dict[str, Tensor] = {}
        if weights.confusion:
            first, second = (code.detach() for code in commons)
            losses["discriminator"] = self.discriminator.loss(common_without=second, common_with=first)
        if judge is not None:
            hinges = [
                F.relu(1 - judge(real)[:, index]).mean() + F.relu(1 + judge(fake.detach())[:, index]).mean()
                for index, (real, fake) in enumerate(zip(images, translated, strict=True))
            ]
            losses["image_discriminator"] = torch.stack(hinges).sum()
        if losses:
            yield "discriminator", losses, {}
