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
from mbu_ops.objectives.terms import (
    WRONG_DOMAIN,
    ContentObjective,
    ImageDiscriminator,
    LatentDiscriminator,
    LossWeights,
)


@dataclass(frozen=True, slots=True)
class DIDDLossWeights(LossWeights):
    """Weight of each term; 0 switches a term off. Defaults are the paper's.

    Attributes:
        reconstruction: L1 of each domain's images against their drawing from their common and own separate code.
        zero: L1 of each separate encoder's code of the other domain's images against 0.
        confusion: both domains' common codes should look alike to the discriminator.
        adversarial: translations should look like images of their new domain to an image discriminator; 0 in the paper.
        cycle: MSE between the codes of a translation and those it was drawn from; 0 in the paper.
        change: L1 between the drawings of an image as it is and as it is edited: what need not change should not; 0 in
            the paper.
        presence: hinge that asks each separate code of its own domain's images for a root mean square of at least
            :data:`PRESENT`: the counterpart of ``zero``, without which faint contents are coded as none; 0 in the
            paper.
        neither: the same terms for images that show neither content, and for stripped ones, where there are such
            images; 0 in the paper, which has none. Without them "no glasses" and "a smile" are one and the same to a
            network that only sees pictures with one of the two.
    """

    reconstruction: float = 1.0
    zero: float = 1.0
    confusion: float = 0.001
    adversarial: float = 0.0
    cycle: float = 0.0
    change: float = 0.0
    presence: float = 0.0
    neither: float = 0.0


PRESENT = 0.4
"""Root mean square from which on a separate code counts as that of an image with its content."""


LOSS_WEIGHTS: dict[str, DIDDLossWeights] = {
    **dict.fromkeys(("glasses", "smile", "hair_women", "hair_men"), DIDDLossWeights()),
    "quick": DIDDLossWeights(
        reconstruction=7.0, zero=1.0, confusion=0.2, adversarial=1.0, change=1.0, presence=1.0, neither=1.0
    ),
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
        domains = 3 if weights.neither else 2
        self.image_discriminator = ImageDiscriminator.beside(model.config, domains) if weights.adversarial else None
        self.neither_discriminator = LatentDiscriminator(model.config) if weights.neither else None

    def settle(self, model: Networks, without: Tensor, with_: Tensor) -> None:
        """Do nothing: instance norm keeps no statistics."""

    def steps(
        self, without: Tensor, with_: Tensor, neither: Tensor | None = None
    ) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield what to minimise on one pair of batches, in order; update that group before asking for the next.

        Args:
            without: ``(B, 3, R, R)`` RGB in [0, 1] from the second domain.
            with_: the same from the first domain.
            neither: the same of images that show neither content, if there are any.

        Yields:
            The parameter group to update, the weighted terms whose sum is its loss, and measurements for the log.
        """
        model, weights, discriminator = self.model, self.weights, self.image_discriminator
        discriminators = self.parameter_groups()["discriminator"]
        images = [to_signed(with_), to_signed(without)]
        guides = [self._seen_apart(with_), self._seen_apart(without)]
        commons = [model.common_code(pixels) for pixels in images]
        own = [model.separate_code(pixels, index) for index, pixels in enumerate(guides)]
        none = model.zero_code(commons[0])
        made = [Codes(commons[0], own[0], none), Codes(commons[1], none, own[1])]
        third = self.neither_discriminator if neither is not None else None
        if neither is not None and third is not None:
            images.append(to_signed(neither))
            guides.append(self._seen_apart(neither))
            commons.append(model.common_code(images[2]))
            made.append(Codes(commons[2], none, none))
        shares = (1.0, 1.0, weights.neither)
        terms: dict[str, Tensor] = {}
        drawn = [model.decode(codes) for codes in made]
        if weights.reconstruction:
            apart = [share * self._distance(*pair) for share, *pair in zip(shares, drawn, images, strict=False)]
            terms["reconstruction"] = torch.stack(apart).sum()
        if weights.zero:
            silent = [model.separate_code(pixels, 1 - index).abs().mean() for index, pixels in enumerate(guides[:2])]
            silent += [weights.neither * model.separate_code(guides[2], i).abs().mean() for i in (0, 1) if third]
            terms["zero"] = torch.stack(silent).sum()
        if weights.presence:
            # the small number: roots have no slope at 0
            strengths = [(code.square().mean((1, 2, 3)) + 1e-6).sqrt() for code in own]
            terms["presence"] = torch.stack([F.relu(1 - strength / PRESENT).mean() for strength in strengths]).sum()
        for parameter in discriminators:
            parameter.requires_grad_(False)
        if weights.confusion:
            terms["confusion"] = self.discriminator.confusion(*commons[:2])
            if third is not None:
                shown = torch.cat(commons[:2])[::2]
                terms["confusion"] = terms["confusion"] + weights.neither * third.confusion(commons[2], shown)
        # the second domain's images with a guide of the first, and the other way round; and both kinds with nothing
        wanted = [Codes(commons[1], own[0], none), Codes(commons[0], none, own[1])]
        sources = [(images[1], drawn[1]), (images[0], drawn[0])]
        if third is not None:
            wanted.append(Codes(torch.cat(commons[:2])[::2], none, none))
            sources.append((torch.cat(images[:2])[::2], torch.cat(drawn[:2])[::2]))
        edited: list[Tensor] = []
        if discriminator is not None or weights.cycle or weights.change:
            redrawn = [model.decode(codes) for codes in wanted]
            edited = [model.result(*source, one) for source, one in zip(sources, redrawn, strict=True)]
            if weights.change:
                moved = [
                    share * F.l1_loss(one, plain)
                    for share, one, (_, plain) in zip(shares, redrawn, sources, strict=False)
                ]
                terms["change"] = torch.stack(moved).sum()
        if discriminator is not None:
            scores = [
                share * discriminator(one)[:, i].mean()
                for i, (share, one) in enumerate(zip(shares, edited, strict=False))
            ]
            terms["adversarial"] = -torch.stack(scores).sum()
        if weights.cycle:
            apart = [
                F.mse_loss(model.common_code(pixels), codes.common)
                + F.mse_loss(model.separate_code(pixels, index), own[index])
                for index, (pixels, codes) in enumerate(zip(edited[:2], wanted[:2], strict=True))
            ]
            terms["cycle"] = torch.stack(apart).sum()
        yield "networks", {name: getattr(weights, name) * value for name, value in terms.items()}, {}
        for parameter in discriminators:
            parameter.requires_grad_(True)
        losses: dict[str, Tensor] = {}
        if weights.confusion:
            commons = [code.detach() for code in commons]
            losses["discriminator"] = self.discriminator.loss(common_without=commons[1], common_with=commons[0])
            if third is not None:
                losses["neither_discriminator"] = third.loss(commons[2], torch.cat(commons[:2])[::2])
        if discriminator is not None:
            fakes = {index: pixels.detach() for index, pixels in enumerate(edited)}
            losses["image_discriminator"] = discriminator.loss(images, fakes, WRONG_DOMAIN)
        if losses:
            yield "discriminator", losses, {}

    def _seen_apart(self, image: Tensor) -> Tensor:
        """Return images as the separate encoders see them: every other one varied, of every domain alike.

        If those with a content were varied and those without were not, the encoders would look for the traces of that.
        To edit an image codes it as it is, so half of them stay so.
        """
        varied = image.clone()
        varied[::2] = self.vary_guide(image[::2])
        return to_signed(varied)
