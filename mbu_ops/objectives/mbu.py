"""The objective of MBU: its losses, their weights, and its discriminators (ICLR 2020, section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.mask import binarise, dilate
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
        mask_sparsity: mean of the mask of ``with`` images; 0 in the paper.
        adversarial_without: removals should look like ``without`` images to an image discriminator; 0 in the paper.
        adversarial_with: transfers should look like ``with`` images to it; 0 in the paper.
    """

    reconstruction_without: float = 5.0
    reconstruction_with: float = 7.0
    self_blend_without: float = 0.7
    self_blend_with: float = 0.7
    cycle_common: float = 0.0
    cycle_separate: float = 1e-3
    confusion: float = 0.005
    mask_area: float = 0.0
    mask_sparsity: float = 0.0
    adversarial_without: float = 0.0
    adversarial_with: float = 0.0

    @property
    def adversarial(self) -> bool:
        """Whether an image discriminator is needed."""
        return bool(self.adversarial_without or self.adversarial_with)

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
    "quick": MBULossWeights(self_blend_without=1, self_blend_with=1, confusion=0.2, adversarial_without=0.1),
}
"""The published weights (the paper's supplement and code), by experiment; and ``quick``, ours for runs of hours.

Runs of ten thousand steps cannot wait for the published confusion loss to clear the common code of the content: forty
times that weight, and a discriminator that looks at the removals themselves.
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


class ImageDiscriminator(nn.Module):
    """Tells, patch by patch, edited images from real ones of the domain that they should belong to.

    The paper asks for plausible removals only through the common code, which takes a long time to lose the content;
    this asks for them directly (PatchGAN: Isola et al., CVPR 2017; spectral norm: Miyato et al., ICLR 2018).

    Args:
        config: the model's sizes; the discriminator's blocks are as wide as the common encoder's first four, and it
            reads the same blocks of pixels.

    Shape:
        ``(B, 3, R, R)`` in [-1, 1] to scores ``(B, 2, S, S)``; the higher, the more real: as an image ``without`` the
        content in channel 0, as one ``with`` it in channel 1.
    """

    def __init__(self, config: MBUConfig) -> None:
        super().__init__()
        self.patch = config.patch
        channels = 3 * config.patch**2
        layers: list[nn.Module] = []
        for width in config.common_widths[:4]:
            layers += [
                spectral_norm(nn.Conv2d(channels, width, 4, 2, 1)),
                nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
            ]
            channels = width
        self.score = nn.Sequential(*layers, spectral_norm(nn.Conv2d(channels, 2, 1)))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the scores of a batch."""
        scores: Tensor = self.score(F.pixel_unshuffle(pixels, self.patch))
        return scores


class GuideVariation(nn.Module):
    """Mirror, move and recolour guides, each in its own way.

    With this between an image and the separate encoder, the separate code is of no use for where the face is, how it is
    lit and what colour its skin has: all that must come by the common code. What is left to say is what the content
    is like.

    Args:
        strength: 1 turns by up to 8 degrees, moves by 6%, scales by 8% and changes brightness, contrast and saturation
            by up to 30%; other values in proportion.

    Shape:
        ``(B, 3, H, W)`` RGB in [0, 1] to the same. The randomness is torch's global one.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        from kornia.augmentation import AugmentationSequential, ColorJiggle, RandomAffine, RandomHorizontalFlip

        move, colour = 0.06 * strength, 0.3 * strength
        self.vary = AugmentationSequential(
            RandomHorizontalFlip(p=0.5),
            RandomAffine(
                8 * strength, (move, move), (1 - 0.08 * strength, 1 + 0.08 * strength), padding_mode="border", p=1
            ),
            ColorJiggle(colour, colour, colour, 0.02 * strength, p=1),
            data_keys=["input"],
        )

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return the varied images."""
        varied: Tensor = self.vary(images)
        return varied


class MBUObjective(nn.Module):
    """Losses of one step, for the networks and for the discriminators.

    Each domain, and each kind of decoder input, goes through batch norm as a batch of its own: the statistics of
    the domains do part of the disentangling. Each image is encoded once a step, and the layer of a ``with`` image is
    decoded once and blended onto both of its backgrounds.

    Args:
        model: the networks.
        weights: weight of each term.
        loss: ``"l1"`` as published, or ``"l2"`` for the paper's ablation.
        guide_variation: how strongly to vary the image that the separate encoder sees, see :class:`GuideVariation`;
            0 in the paper.
    """

    def __init__(
        self, model: MBU, weights: MBULossWeights | None = None, loss: str = "l1", guide_variation: float = 0.0
    ) -> None:
        super().__init__()
        if loss not in ("l1", "l2"):
            raise ConfigurationError(f"loss must be 'l1' or 'l2', got {loss!r}")
        self.model = model
        self.weights = weights or MBULossWeights()
        self.discriminator = LatentDiscriminator(model.config)
        self.image_discriminator = ImageDiscriminator(model.config) if self.weights.adversarial else None
        self.vary_guide = GuideVariation(guide_variation) if guide_variation else nn.Identity()
        self._distance = F.l1_loss if loss == "l1" else F.mse_loss

    def forward(self, without: Tensor, with_: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Compute the networks' losses.

        Args:
            without: ``(B, 3, R, R)`` RGB in [0, 1] from the domain without the content.
            with_: the same from the domain with it.

        Returns:
            The weighted terms that are switched on, by name (their sum is the loss), and what the discriminators'
            step and the log need, detached: the common codes ``common_without`` and ``common_with``; ``removed`` and
            ``added``, edited images in [-1, 1], where an adversarial term is on; and ``mask``, the mean mask of
            ``with`` images.
        """
        model, weights = self.model, self.weights
        guide = to_signed(self.vary_guide(with_))
        without, with_ = to_signed(without), to_signed(with_)
        common_without, common_with = model.common_code(without), model.common_code(with_)
        separate = model.separate_code(guide)
        own = model.decode_with(common_with, separate)
        terms: dict[str, Tensor] = {}
        extras = {
            "common_without": common_without.detach(),
            "common_with": common_with.detach(),
            "mask": own.mask.detach().mean(),
        }

        if weights.reconstruction_without:
            terms["reconstruction_without"] = self._distance(model.decode_without(common_without), without)
        if weights.reconstruction_with or weights.adversarial_without:
            background = model.decode_without(common_with)
            if weights.reconstruction_with:
                terms["reconstruction_with"] = self._distance(_over(own.raw, own.mask, background), with_)
            if self.image_discriminator is not None and weights.adversarial_without:
                removed = _over(background, self._removal_mask(own.mask.detach()), with_)
                terms["adversarial_without"] = -self.image_discriminator(removed)[:, 0].mean()
                extras["removed"] = removed.detach()
        if weights.mask_sparsity:
            terms["mask_sparsity"] = own.mask.mean()
        if weights.self_blend_with:
            terms["self_blend_with"] = self._distance(_over(own.raw, own.mask, with_), with_)
        if weights.self_blend_without:
            none = model.decode_with(common_without, model.zero_code(common_without))
            terms["self_blend_without"] = self._distance(_over(none.raw, none.mask, without), without)
        if weights.cycle_common or weights.cycle_separate or weights.mask_area or weights.adversarial_with:
            moved = model.decode_with(common_without, separate)
            transferred = _over(moved.raw, moved.mask, without)
            if weights.cycle_common:
                terms["cycle_common"] = F.mse_loss(model.common_code(transferred), common_without)
            if weights.cycle_separate:
                terms["cycle_separate"] = F.mse_loss(model.separate_code(transferred), separate)
            if weights.mask_area:
                terms["mask_area"] = own.mask.square().mean() + moved.mask.square().mean()
            if self.image_discriminator is not None and weights.adversarial_with:
                added = _over(moved.raw, binarise(moved.mask, *_ADDITION_RAMP), without)
                terms["adversarial_with"] = -self.image_discriminator(added)[:, 1].mean()
                extras["added"] = added.detach()
        if weights.confusion:
            logits = torch.cat([self.discriminator(common_without), self.discriminator(common_with)])
            terms["confusion"] = 2 * F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))

        weighted = {name: getattr(weights, name) * value for name, value in terms.items()}
        return weighted, extras

    def _removal_mask(self, mask: Tensor) -> Tensor:
        """Return the mask as removal uses it, so that what is judged is what users see.

        It comes detached: masks that learn to please the discriminator vanish, since nothing looks more real than the
        image itself.
        """
        return dilate(binarise(mask, *_REMOVAL_RAMP), max(1, self.model.config.resolution // 64))

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates."""
        judges = [one for name, one in self.named_parameters() if not name.startswith("model.")]
        return {"networks": list(self.model.parameters()), "discriminator": judges}

    def steps(self, without: Tensor, with_: Tensor) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield what to minimise on one pair of batches, in order; update that group before asking for the next.

        Args:
            without: ``(B, 3, R, R)`` RGB in [0, 1] from the domain without the content.
            with_: the same from the domain with it.

        Yields:
            The parameter group to update, the weighted terms whose sum is its loss, and measurements for the log.
        """
        judges = self.parameter_groups()["discriminator"]
        for parameter in judges:
            parameter.requires_grad_(False)
        terms, extras = self(without, with_)
        yield "networks", terms, {"mask": extras["mask"]}
        for parameter in judges:
            parameter.requires_grad_(True)
        losses: dict[str, Tensor] = {}
        if self.weights.confusion:
            losses["discriminator"] = self.discriminator_loss(extras["common_without"], extras["common_with"])
        if self.image_discriminator is not None:
            judge = self.image_discriminator
            hinges = [
                F.relu(1 - judge(to_signed(real))[:, channel]).mean()
                + F.relu(1 + judge(extras[edited])[:, channel]).mean()
                for channel, (real, edited) in enumerate(((without, "removed"), (with_, "added")))
                if edited in extras
            ]
            losses["image_discriminator"] = torch.stack(hinges).sum()
        if losses:
            yield "discriminator", losses, {}

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


_REMOVAL_RAMP, _ADDITION_RAMP = (0.05, 0.1), (0.1, 0.1)
"""Threshold and softness with which the ops use masks, see :class:`mbu_ops.ops.remove.Remove` and ``Transfer``."""


def _over(raw: Tensor, mask: Tensor, background: Tensor) -> Tensor:
    return background + mask * (raw - background)
