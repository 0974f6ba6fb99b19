"""The objective of M-AAE: VAE, GAN, identity, cycle and background losses (Sun et al., 2021, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from mbu_ops.methods.base import Networks, to_signed, to_unit
from mbu_ops.methods.maae import MAAE
from mbu_ops.objectives.options import DistanceOptions
from mbu_ops.objectives.terms import (
    WRONG_DOMAIN,
    DomainsObjective,
    ImageDiscriminator,
    LossWeights,
    distances_named,
)


@dataclass(frozen=True, slots=True)
class MAAELossWeights(LossWeights):
    """Weight of each term; 0 switches a term off. Defaults are the paper's (its weights multiplied out).

    Attributes:
        kl: Kullback-Leibler divergence of the codes from the standard normal distribution, a mean over their numbers.
            The codes have variance 1 (as in UNIT: Liu, Breuel, Kautz; NeurIPS 2017), so it is half the mean square.
        reconstruction: L1 of the drawing without a shift against the image.
        adversarial: results should look like images of the domain they were shifted to.
        identity: squared distance between descriptions of whose picture image and result are; needs a family
            that has a network for it.
        cycle: L1 of the drawing shifted there and back against the image.
        background: L1 of the result against the image where edits may not change it; needs a family with regions.
    """

    kl: float = 0.01
    reconstruction: float = 8.0
    adversarial: float = 10.0
    identity: float = 20.0
    cycle: float = 80.0
    background: float = 80.0


LOSS_WEIGHTS: dict[str, MAAELossWeights] = {
    **dict.fromkeys(("glasses", "smile", "hair_women", "hair_men"), MAAELossWeights()),
    "quick": MAAELossWeights(kl=0.01, reconstruction=8.0, adversarial=1.0, identity=2.0, cycle=8.0, background=8.0),
}
"""The published weights, the same for every attribute; and ``quick``, ours for runs of hours."""

_DESCRIBED = 2
"""Images of each domain and step that the identity loss looks at: the descriptor costs more than all the rest."""


class MAAEObjective(DomainsObjective):
    """Losses of one step, for the networks and for the discriminator.

    Three quarters of the images are shifted at full strength, and these the discriminator sees. The rest are shifted
    at random strengths, so that cycle, identity and background losses hold all along the dial.

    Args:
        model: the networks.
        weights: weight of each term.
        loss: ``"l1"`` as published, or another key of :data:`mbu_ops.objectives.terms.DISTANCES`.
        identity: describes whose picture it is, frozen; without it there is no identity loss.
    """

    network = MAAE
    recipes = LOSS_WEIGHTS
    options = DistanceOptions

    def __init__(
        self, model: MAAE, weights: MAAELossWeights | None = None, loss: str = "l1", identity: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.model: Any = model
        weights = weights or MAAELossWeights()
        self.weights = weights if identity is not None else replace(weights, identity=0.0)
        self.discriminator = ImageDiscriminator(model.config.judge_widths, model.config.patch)
        self._distance = distances_named(loss)[0]
        # in a tuple, out of this module's state: it is no part of what is learnt
        self._identity = (identity.eval().requires_grad_(False) if identity is not None else None,)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates."""
        return {"networks": list(self.model.parameters()), "discriminator": list(self.discriminator.parameters())}

    def settle(self, model: Networks, without: Tensor, with_: Tensor) -> None:
        """Do nothing: there is no norm whose statistics to measure."""

    def steps(self, without: Tensor, with_: Tensor) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield what to minimise on one pair of batches, in order; update that group before asking for the next.

        Args:
            without: ``(B, 3, R, R)`` RGB in [0, 1] from the domain without the attribute; or ``(B, 4, R, R)``, the
                fourth channel 1 where the edit may change the image.
            with_: the same from the domain with it.

        Yields:
            The parameter group to update, the weighted terms whose sum is its loss, and measurements for the log.
        """
        model, weights, count = self.model, self.weights, len(without)
        batch = torch.cat([without, with_])
        images = to_signed(batch[:, :3])
        strength = _strengths(count, images)
        full = max(1, count * 3 // 4)
        code = model.encode(images)
        sampled = self._sampled(code)
        plain, edited = model.decode(sampled), model.decode(model.shifted(sampled, strength))
        result = model.result(images, plain, edited)
        terms: dict[str, Tensor] = {}
        if weights.kl:
            terms["kl"] = code.square().mean() / 2
        if weights.reconstruction:
            terms["reconstruction"] = self._distance(plain, images)
        if weights.adversarial:
            self.discriminator.requires_grad_(False)
            raised, lowered = result[:full], result[count : count + full]
            terms["adversarial"] = -(self.discriminator(raised)[:, 1].mean() + self.discriminator(lowered)[:, 0].mean())
        if weights.cycle:
            back = model.shifted(self._sampled(model.encode(result)), -strength)
            terms["cycle"] = self._distance(model.decode(back), images)
        if weights.background and batch.shape[1] > 3:
            terms["background"] = ((result - images).abs() * (1 - batch[:, 3:])).mean()
        if self._identity[0] is not None and weights.identity:
            terms["identity"] = self._apart(self._identity[0], batch[:, :3], result, count)
        change = (result - images).detach().abs().mean()
        yield "networks", {name: getattr(weights, name) * value for name, value in terms.items()}, {"change": change}
        if weights.adversarial:
            self.discriminator.requires_grad_(True)
            yield "discriminator", {"discriminator": self._judged(images, result.detach(), count, full)}, {}

    def _sampled(self, code: Tensor) -> Tensor:
        return code + torch.randn_like(code) if self.weights.kl else code

    def _apart(self, identity: nn.Module, images: Tensor, result: Tensor, count: int) -> Tensor:
        """Return how far apart, squared, image and result are to the descriptor, over a few of each domain."""
        few = [number for start in (0, count) for number in range(start, start + min(_DESCRIBED, count))]
        with torch.no_grad():
            wanted = identity(images[few])
        apart: Tensor = (identity(to_unit(result[few])) - wanted).square().sum(1).mean()
        return apart

    def _judged(self, images: Tensor, result: Tensor, count: int, full: int) -> Tensor:
        """Return the discriminator's loss: real images of a domain against results and against the other domain."""
        fakes = {1: result[:full], 0: result[count : count + full]}
        return self.discriminator.loss([images[:count], images[count:]], fakes, WRONG_DOMAIN)


def _strengths(count: int, like: Tensor) -> Tensor:
    """Return ``(2 * count,)`` strengths: up for the first half of the images, down for the second."""
    size = torch.rand(2, count, device=like.device, dtype=like.dtype)
    size[:, : max(1, count * 3 // 4)] = 1
    return (size * size.new_tensor([[1.0], [-1.0]])).flatten()
