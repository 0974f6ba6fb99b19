"""The objective of MBU: its losses, their weights, and its discriminators (ICLR 2020, section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.blend import blend
from mbu_ops.functional.mask import binarise, dilate
from mbu_ops.methods.mbu import MBU, Drawing, to_signed
from mbu_ops.objectives.options import GuideOptions, option
from mbu_ops.objectives.terms import ContentObjective, ImageDiscriminator, LossWeights


@dataclass(frozen=True, slots=True)
class MBULossWeights(LossWeights):
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
        feature_matching: L1 between what the image discriminator's blocks make of those reconstructions that are
            switched on and of the images (Larsen et al., ICML 2016), beside the L1 of their pixels; 0 in the paper.
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
    feature_matching: float = 0.0

    def __post_init__(self) -> None:
        super(MBULossWeights, self).__post_init__()
        if self.feature_matching and not self.adversarial:
            raise ConfigurationError(
                "feature_matching needs a discriminator that learns: set adversarial_without or adversarial_with too"
            )
        if self.feature_matching and not (self.reconstruction_without or self.reconstruction_with):
            raise ConfigurationError(
                "feature_matching compares reconstructions: set reconstruction_without or reconstruction_with too"
            )

    @property
    def adversarial(self) -> bool:
        """Whether an image discriminator is needed."""
        return bool(self.adversarial_without or self.adversarial_with)


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


@dataclass(frozen=True, kw_only=True)
class MBUOptions(GuideOptions):
    """What the objective can be told.

    Attributes:
        hard_masks: whether training blends with masks as hard as the ops use them; not in the paper.
    """

    hard_masks: bool = option(False, "Blend in training with masks as hard as they are used later.")

    @property
    def arguments(self) -> dict[str, Any]:
        """What the objective's constructor is given beside networks and weights."""
        return super().arguments | {"hard_masks": self.hard_masks}


class MBUObjective(ContentObjective):
    """Losses of one step, for the networks and for the discriminators.

    Each domain, and each kind of decoder input, goes through batch norm as a batch of its own: the statistics of
    the domains do part of the disentangling. Each image is encoded once a step, and the layer of a ``with`` image is
    decoded once and blended onto both of its backgrounds.

    Args:
        model: the networks.
        weights: weight of each term.
        loss: ``"l1"`` as published, or another key of :data:`mbu_ops.objectives.terms.DISTANCES`.
        guide_variation: how strongly to vary the image that the separate encoder sees, see
            :class:`mbu_ops.objectives.terms.GuideVariation`;
            0 in the paper.
        hard_masks: blend with masks as hard as the ops use them, while gradients pass as if they were soft (the
            straight-through estimator: Bengio et al., 2013); not in the paper.
    """

    network = MBU
    recipes = LOSS_WEIGHTS
    options = MBUOptions

    def __init__(
        self,
        model: MBU,
        weights: MBULossWeights | None = None,
        loss: str = "l1",
        guide_variation: float = 0.0,
        hard_masks: bool = False,
    ) -> None:
        super().__init__(model, loss, guide_variation)
        self.hard_masks = hard_masks
        self.weights = weights or MBULossWeights()
        self.image_discriminator = ImageDiscriminator.beside(model.config) if self.weights.adversarial else None

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
        pairs: list[tuple[Tensor, Tensor]] = []
        extras = {
            "common_without": common_without.detach(),
            "common_with": common_with.detach(),
            "mask": own.mask.detach().mean(),
        }

        if weights.reconstruction_without:
            plain = model.decode_without(common_without)
            terms["reconstruction_without"] = self._distance(plain, without)
            pairs.append((plain, without))
        if weights.reconstruction_with or weights.adversarial_without:
            background = model.decode_without(common_with)
            if weights.reconstruction_with:
                whole = self._blended(own, background)
                terms["reconstruction_with"] = self._distance(whole, with_)
                pairs.append((whole, with_))
            if self.image_discriminator is not None and weights.adversarial_without:
                removed = _over(background, self._removal_mask(own.mask.detach()), with_)
                terms["adversarial_without"] = -self.image_discriminator(removed)[:, 0].mean()
                extras["removed"] = removed.detach()
        if self.image_discriminator is not None and weights.feature_matching:
            terms["feature_matching"] = _feature_distance(self.image_discriminator, pairs)
        if weights.mask_sparsity:
            terms["mask_sparsity"] = own.mask.mean()
        if weights.self_blend_with:
            terms["self_blend_with"] = self._self_blend_distance(self._blended(own, with_), with_)
        if weights.self_blend_without:
            none = model.decode_with(common_without, model.zero_code(common_without))
            terms["self_blend_without"] = self._self_blend_distance(self._blended(none, without), without)
        if weights.cycle_common or weights.cycle_separate or weights.mask_area or weights.adversarial_with:
            moved = model.decode_with(common_without, separate)
            transferred = self._blended(moved, without)
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
            terms["confusion"] = self.discriminator.confusion(common_without, common_with)

        weighted = {name: getattr(weights, name) * value for name, value in terms.items()}
        return weighted, extras

    def _blended(self, drawn: Drawing, background: Tensor) -> Tensor:
        """Blend a drawing onto a background; with hard masks, by the op's values and with the soft one's gradients."""
        mask = drawn.mask
        if self.hard_masks:
            mask = mask + (binarise(mask, *_ADDITION_RAMP) - mask).detach()
        return _over(drawn.raw, mask, background)

    def _removal_mask(self, mask: Tensor) -> Tensor:
        """Return the mask as removal uses it, so that what is judged is what users see.

        It comes detached: masks that learn to please the discriminator vanish, since nothing looks more real than the
        image itself.
        """
        return dilate(binarise(mask, *_REMOVAL_RAMP), max(1, self.model.config.resolution // 64))

    def steps(self, without: Tensor, with_: Tensor) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield what to minimise on one pair of batches, in order; update that group before asking for the next.

        Args:
            without: ``(B, 3, R, R)`` RGB in [0, 1] from the domain without the content.
            with_: the same from the domain with it.

        Yields:
            The parameter group to update, the weighted terms whose sum is its loss, and measurements for the log.
        """
        discriminators = self.parameter_groups()["discriminator"]
        for parameter in discriminators:
            parameter.requires_grad_(False)
        terms, extras = self(without, with_)
        yield "networks", terms, {"mask": extras["mask"]}
        for parameter in discriminators:
            parameter.requires_grad_(True)
        losses: dict[str, Tensor] = {}
        if self.weights.confusion:
            losses["discriminator"] = self.discriminator.loss(extras["common_without"], extras["common_with"])
        if self.image_discriminator is not None:
            fakes = {channel: extras[name] for channel, name in enumerate(("removed", "added")) if name in extras}
            losses["image_discriminator"] = self.image_discriminator.loss([to_signed(without), to_signed(with_)], fakes)
        if losses:
            yield "discriminator", losses, {}


_REMOVAL_RAMP, _ADDITION_RAMP = (0.05, 0.1), (0.1, 0.1)
"""Threshold and softness with which the ops use masks, see :class:`mbu_ops.ops.remove.Remove` and ``Transfer``."""


def _feature_distance(discriminator: ImageDiscriminator, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    apart = []
    for drawn, real in pairs:
        with torch.no_grad():
            wanted = discriminator.features(real)
        apart += [F.l1_loss(one, other) for one, other in zip(discriminator.features(drawn), wanted, strict=True)]
    return torch.stack(apart).mean()


def _over(raw: Tensor, mask: Tensor, background: Tensor) -> Tensor:
    # autocast may have drawn them in another dtype
    return blend(background, raw.to(background.dtype), mask.to(background.dtype))
