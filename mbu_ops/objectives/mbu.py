"""The objective of MBU: its losses, their weights, and the latent discriminator (ICLR 2020, section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.blocks import NEGATIVE_SLOPE
from mbu_ops.methods.mbu import MBU, MBUConfig, to_signed


@dataclass(frozen=True, slots=True)
class MBULossWeights:
    """Weight of each term; 0 switches the term, and the work only it needs, off.

    ``without`` and ``with`` name the domain. Defaults are the paper's for glasses.

    Attributes:
        reconstruction_without: L1 of the without decoder's drawing of a ``without`` image (delta).
        reconstruction_with: L1 of a ``with`` image against its content blended onto its content-free drawing (gamma).
        self_blend_without: L1 of a ``without`` image against the zero code's layer blended onto it (alpha2).
        self_blend_with: L1 of a ``with`` image against its own layer blended onto it (alpha1).
        cycle_common: MSE between the common codes of a transfer and of the image it was made from (beta1).
        cycle_separate: MSE between the separate codes of a transfer and of its guide (beta2).
        confusion: both domains' common codes should look like ``without`` to the discriminator (lambda_dc).
        mask_area: MSE of the masks against 0; 0 in the paper, which uses it only as an ablation of ``self_blend``.
    """

    reconstruction_without: float = 5.0
    reconstruction_with: float = 7.0
    self_blend_without: float = 0.7
    self_blend_with: float = 0.7
    cycle_common: float = 0.0
    cycle_separate: float = 1e-3
    confusion: float = 0.005
    mask_area: float = 0.0

    @classmethod
    def named(cls, recipe: str, overrides: Mapping[str, float] | None = None) -> MBULossWeights:
        """Return a published set of weights from :data:`LOSS_WEIGHTS`, with some of them changed.

        Raises:
            ConfigurationError: for an unknown recipe or term.
        """
        if recipe not in LOSS_WEIGHTS:
            raise ConfigurationError(f"expected a recipe ({', '.join(LOSS_WEIGHTS)}), got {recipe!r}")
        terms = [field.name for field in fields(cls)]
        for name in overrides or {}:
            if name not in terms:
                raise ConfigurationError(f"expected a loss term ({', '.join(terms)}), got {name!r}")
        return replace(LOSS_WEIGHTS[recipe], **(overrides or {}))

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) >= 0:
                raise ConfigurationError(f"loss weight {field.name} must be 0 or more, got {getattr(self, field.name)}")


LOSS_WEIGHTS: dict[str, MBULossWeights] = {
    "glasses": MBULossWeights(),
    "smile": MBULossWeights(self_blend_without=1.0, self_blend_with=1.0, cycle_separate=1e-4),
    "hair_women": MBULossWeights(1.0, 1.0, 0.1, 0.1, 0.0, 0.04, 1.0),
    "hair_men": MBULossWeights(5.0, 5.0, 0.5, 0.5, 0.0, 0.5, 1.0),
    "quick": MBULossWeights(self_blend_without=1.5, self_blend_with=1.5, confusion=0.05),
}
"""The published weights (the paper's supplement and code), by experiment; and ``quick``, ours for runs of hours.

A run of ten thousand steps does not wait for the published confusion loss to tell the domains apart: ten times that
weight keeps the discriminator at chance from the start, and the stronger self-blend keeps masks off the rest.
"""


class LatentDiscriminator(nn.Module):
    """Tells from a common code which domain its image came from; the common encoder learns to confuse it.

    Args:
        config: the model's sizes.

    Shape:
        ``(B, *config.common_code_shape)`` to logits ``(B,)``; positive = ``with``.
    """

    def __init__(self, config: MBUConfig) -> None:
        super().__init__()
        channels, height, width = config.common_code_shape
        self.classify = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * height * width, 512),
            nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
            nn.Linear(512, 1),
        )

    def forward(self, common: Tensor) -> Tensor:
        """Return a logit for each code."""
        logits: Tensor = self.classify(common)
        return logits.squeeze(1)


class MBUObjective(nn.Module):
    """Losses of one step, for the networks and for the discriminator.

    Each domain, and each kind of decoder input, goes through batch norm as a batch of its own: the statistics of
    the domains do part of the disentangling. Each image is encoded once a step, and the layer of a ``with`` image is
    decoded once and blended onto both of its backgrounds.

    Args:
        model: the networks.
        weights: weight of each term.
        loss: ``"l1"`` as published, or ``"l2"`` for the paper's ablation.
    """

    def __init__(self, model: MBU, weights: MBULossWeights | None = None, loss: str = "l1") -> None:
        super().__init__()
        if loss not in ("l1", "l2"):
            raise ConfigurationError(f"loss must be 'l1' or 'l2', got {loss!r}")
        self.model = model
        self.discriminator = LatentDiscriminator(model.config)
        self.weights = weights or MBULossWeights()
        self._distance = F.l1_loss if loss == "l1" else F.mse_loss

    def forward(self, without: Tensor, with_: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Compute the networks' losses.

        Args:
            without: ``(B, 3, R, R)`` RGB in [0, 1] from the domain without the content.
            with_: the same from the domain with it.

        Returns:
            The weighted terms that are switched on, by name (their sum is the loss), and what the discriminator's
            step and the log need: the detached common codes ``common_without`` and ``common_with``, and ``mask``, the
            mean mask of ``with`` images.
        """
        model, weights = self.model, self.weights
        without, with_ = to_signed(without), to_signed(with_)
        common_without, common_with = model.common_code(without), model.common_code(with_)
        separate = model.separate_code(with_)
        own = model.decode_with(common_with, separate)
        terms: dict[str, Tensor] = {}

        if weights.reconstruction_without:
            terms["reconstruction_without"] = self._distance(model.decode_without(common_without), without)
        if weights.reconstruction_with:
            background = model.decode_without(common_with)
            terms["reconstruction_with"] = self._distance(_over(own.raw, own.mask, background), with_)
        if weights.self_blend_with:
            terms["self_blend_with"] = self._distance(_over(own.raw, own.mask, with_), with_)
        if weights.self_blend_without:
            none = model.decode_with(common_without, model.zero_code(common_without))
            terms["self_blend_without"] = self._distance(_over(none.raw, none.mask, without), without)
        if weights.cycle_common or weights.cycle_separate or weights.mask_area:
            moved = model.decode_with(common_without, separate)
            transferred = _over(moved.raw, moved.mask, without)
            if weights.cycle_common:
                terms["cycle_common"] = F.mse_loss(model.common_code(transferred), common_without)
            if weights.cycle_separate:
                terms["cycle_separate"] = F.mse_loss(model.separate_code(transferred), separate)
            if weights.mask_area:
                terms["mask_area"] = own.mask.square().mean() + moved.mask.square().mean()
        if weights.confusion:
            logits = torch.cat([self.discriminator(common_without), self.discriminator(common_with)])
            terms["confusion"] = 2 * F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))

        weighted = {name: getattr(weights, name) * value for name, value in terms.items()}
        extras = {
            "common_without": common_without.detach(),
            "common_with": common_with.detach(),
            "mask": own.mask.detach().mean(),
        }
        return weighted, extras

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates."""
        return {"networks": list(self.model.parameters()), "discriminator": list(self.discriminator.parameters())}

    def steps(self, without: Tensor, with_: Tensor) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield what to minimise on one pair of batches, in order; update that group before asking for the next.

        Args:
            without: ``(B, 3, R, R)`` RGB in [0, 1] from the domain without the content.
            with_: the same from the domain with it.

        Yields:
            The parameter group to update, the weighted terms whose sum is its loss, and measurements for the log.
        """
        self.discriminator.requires_grad_(False)
        terms, extras = self(without, with_)
        yield "networks", terms, {"mask": extras["mask"]}
        if self.weights.confusion:
            self.discriminator.requires_grad_(True)
            loss = self.discriminator_loss(extras["common_without"], extras["common_with"])
            yield "discriminator", {"discriminator": loss}, {}

    def settle(self, model: MBU, without: Tensor, with_: Tensor) -> None:  # noqa: ARG002 - the protocol's signature
        """Measure the statistics of images that show the content.

        Args:
            model: the networks, such as the average of those that were trained.
            without: ``(N, 3, R, R)`` RGB in [0, 1] from the domain without the content; not needed here.
            with_: ``(M, 3, R, R)`` RGB in [0, 1] from the domain with it.
        """
        model.measure_content(torch.split(with_, 64))

    def discriminator_loss(self, common_without: Tensor, common_with: Tensor) -> Tensor:
        """Return the discriminator's loss on detached common codes of both domains."""
        on_without, on_with = self.discriminator(common_without), self.discriminator(common_with)
        return F.binary_cross_entropy_with_logits(
            on_with, torch.ones_like(on_with)
        ) + F.binary_cross_entropy_with_logits(on_without, torch.zeros_like(on_without))


def _over(raw: Tensor, mask: Tensor, background: Tensor) -> Tensor:
    return background + mask * (raw - background)
