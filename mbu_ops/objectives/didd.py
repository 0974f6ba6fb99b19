"""The objective of DIDD: reconstructions, empty codes, confusion (ICCV 2019, section 3); and judged translations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

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


class _Seen(NamedTuple):
    """What one pass makes of the images of a step: of the first domain, the second, and of neither where there are any.

    Attributes:
        images: pixels in [-1, 1].
        guides: what the separate encoders see.
        commons: common codes.
        own: both contents' codes, each of its own domain.
        none: the code of no content.
        drawn: the images again.
        third: the discriminator of images with neither, where there are such.
    """

    images: list[Tensor]
    guides: list[Tensor]
    commons: list[Tensor]
    own: list[Tensor]
    none: Tensor
    drawn: list[Tensor]
    third: LatentDiscriminator | None


class _Edits(NamedTuple):
    """Images with other contents.

    Attributes:
        wanted: the codes that they are drawn from.
        plain: the same images, drawn from their own codes.
        redrawn: as they are drawn.
        pixels: as an op makes them.
    """

    wanted: list[Codes]
    plain: list[Tensor]
    redrawn: list[Tensor]
    pixels: list[Tensor]


def _every_other(parts: list[Tensor]) -> Tensor:
    """Return every other one of both domains' tensors."""
    return torch.cat(parts[:2])[::2]


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
        weights = self.weights
        discriminators = self.parameter_groups()["discriminator"]
        seen = self._seen(without, with_, neither)
        for parameter in discriminators:
            parameter.requires_grad_(False)
        terms = self._of_codes(seen)
        edits: _Edits | None = None
        if self.image_discriminator is not None or weights.cycle or weights.change:
            edits = self._edited(seen)
            terms |= self._of_edits(seen, edits)
        yield "networks", {name: getattr(weights, name) * value for name, value in terms.items()}, {}
        for parameter in discriminators:
            parameter.requires_grad_(True)
        if losses := self._of_discriminators(seen, edits):
            yield "discriminator", losses, {}

    def _seen(self, without: Tensor, with_: Tensor, neither: Tensor | None) -> _Seen:
        """Return what one pass makes of the images of a step."""
        model = self.model
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
        return _Seen(images, guides, commons, own, none, [model.decode(codes) for codes in made], third)

    def _of_codes(self, seen: _Seen) -> dict[str, Tensor]:
        """Return the terms of what images are drawn from: reconstructions, empty codes, contents, confusion."""
        weights, third = self.weights, seen.third
        terms: dict[str, Tensor] = {}
        if weights.reconstruction:
            pairs = zip(self._shares, seen.drawn, seen.images, strict=False)
            terms["reconstruction"] = torch.stack([share * self._distance(*pair) for share, *pair in pairs]).sum()
        if weights.zero:
            code = self.model.separate_code
            silent = [code(pixels, 1 - index).abs().mean() for index, pixels in enumerate(seen.guides[:2])]
            silent += [weights.neither * code(seen.guides[2], i).abs().mean() for i in (0, 1) if third]
            terms["zero"] = torch.stack(silent).sum()
        if weights.presence:
            # the small number: roots have no slope at 0
            strengths = [(code.square().mean((1, 2, 3)) + 1e-6).sqrt() for code in seen.own]
            terms["presence"] = torch.stack([F.relu(1 - strength / PRESENT).mean() for strength in strengths]).sum()
        if weights.confusion:
            terms["confusion"] = self.discriminator.confusion(*seen.commons[:2])
            if third is not None:
                shown = third.confusion(seen.commons[2], _every_other(seen.commons))
                terms["confusion"] = terms["confusion"] + weights.neither * shown
        return terms

    def _edited(self, seen: _Seen) -> _Edits:
        """Return the second domain's images with a guide of the first, the other way round, and both with nothing."""
        none, own, commons = seen.none, seen.own, seen.commons
        wanted = [Codes(commons[1], own[0], none), Codes(commons[0], none, own[1])]
        sources = [(seen.images[1], seen.drawn[1]), (seen.images[0], seen.drawn[0])]
        if seen.third is not None:
            wanted.append(Codes(_every_other(commons), none, none))
            sources.append((_every_other(seen.images), _every_other(seen.drawn)))
        redrawn = [self.model.decode(codes) for codes in wanted]
        pixels = [self.model.result(*source, one) for source, one in zip(sources, redrawn, strict=True)]
        return _Edits(wanted, [plain for _, plain in sources], redrawn, pixels)

    def _of_edits(self, seen: _Seen, edits: _Edits) -> dict[str, Tensor]:
        """Return the terms of edited images: how far they change, whether they pass, whether codes return."""
        terms: dict[str, Tensor] = {}
        if self.weights.change:
            moved = zip(self._shares, edits.redrawn, edits.plain, strict=False)
            terms["change"] = torch.stack([share * F.l1_loss(one, plain) for share, one, plain in moved]).sum()
        if (discriminator := self.image_discriminator) is not None:
            judged = enumerate(zip(self._shares, edits.pixels, strict=False))
            scores = [share * discriminator(pixels)[:, domain].mean() for domain, (share, pixels) in judged]
            terms["adversarial"] = -torch.stack(scores).sum()
        if self.weights.cycle:
            model = self.model
            apart = [
                F.mse_loss(model.common_code(pixels), codes.common)
                + F.mse_loss(model.separate_code(pixels, index), seen.own[index])
                for index, (pixels, codes) in enumerate(zip(edits.pixels[:2], edits.wanted[:2], strict=True))
            ]
            terms["cycle"] = torch.stack(apart).sum()
        return terms

    def _of_discriminators(self, seen: _Seen, edits: _Edits | None) -> dict[str, Tensor]:
        """Return what the discriminators learn from the same pass."""
        losses: dict[str, Tensor] = {}
        if self.weights.confusion:
            commons = [code.detach() for code in seen.commons]
            losses["discriminator"] = self.discriminator.loss(common_without=commons[1], common_with=commons[0])
            if seen.third is not None:
                losses["neither_discriminator"] = seen.third.loss(commons[2], _every_other(commons))
        if self.image_discriminator is not None and edits is not None:
            fakes = {index: pixels.detach() for index, pixels in enumerate(edits.pixels)}
            losses["image_discriminator"] = self.image_discriminator.loss(seen.images, fakes, WRONG_DOMAIN)
        return losses

    @property
    def _shares(self) -> tuple[float, float, float]:
        """How much each domain counts: with the first content, with the second, with neither."""
        return 1.0, 1.0, self.weights.neither

    def _seen_apart(self, image: Tensor) -> Tensor:
        """Return images as the separate encoders see them: every other one varied, of every domain alike.

        If those with a content were varied and those without were not, the encoders would look for the traces of that.
        To edit an image codes it as it is, so half of them stay so.
        """
        varied = image.clone()
        varied[::2] = self.vary_guide(image[::2])
        return to_signed(varied)
