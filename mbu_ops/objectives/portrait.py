"""The objective of portrait networks: equations 1 to 9 of Gu et al., CVPR 2019, paired and unpaired steps in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.grid import grid
from mbu_ops.functional.mask import dilate
from mbu_ops.functional.palette import palette_image, spread_palette
from mbu_ops.functional.render import render
from mbu_ops.methods.base import to_signed, to_unit
from mbu_ops.methods.parsing import Parsing
from mbu_ops.methods.portrait import Portrait
from mbu_ops.objectives.guides import choose_guides
from mbu_ops.objectives.options import GuideOptions
from mbu_ops.objectives.terms import BuiltByNames, ImageDiscriminator, LossWeights, distances_named


@dataclass(frozen=True, slots=True)
class PortraitLossWeights(LossWeights):
    """Weight of each term; 0 switches a term off. Distances are means over pixels.

    Attributes:
        local: each component drawn from its code against its crop.
        reconstruction: the picture put together from its own components against itself; paired steps only.
        adversarial: results should look real to two discriminators, which see the target's mask too.
        feature_matching: the discriminators' last features of a result against those of the picture; paired steps only.
        parsing: cross entropy of the parser's reading of a result against the target's mask.
    """

    local: float = 10.0
    reconstruction: float = 1.0
    adversarial: float = 1.0
    feature_matching: float = 1.0
    parsing: float = 1.0


LOSS_WEIGHTS: dict[str, PortraitLossWeights] = {
    "paper": PortraitLossWeights(),
    "quick": PortraitLossWeights(local=10.0, reconstruction=20.0, adversarial=0.02, feature_matching=5.0, parsing=0.5),
}
"""The published weights (section 3.2); and ``quick``, ours for runs of hours, in which pictures are kept before they
are made to look real."""

FLAT_BACKGROUNDS = 0.15
"""Share of the pictures whose background is replaced by one colour, so that pictures can be made without one."""

HIDDEN_BORDERS = 0.3
"""Share of the pictures of which some of the background around the components is hidden, so that what lies behind hair
can be drawn when an edited mask takes the hair away."""


class PortraitObjective(BuiltByNames):
    """Losses of a paired step (source and target are one picture) and of an unpaired one (they are two).

    Args:
        model: the networks; its parser is trained already, and stays as it is.
        weights: weight of each term.
        loss: distance of the reconstructions, see :data:`mbu_ops.objectives.terms.DISTANCES`; ``"l2"`` as published.
        parser: a trained network whose weights the model's own parser gets.
        guide_variation: how strongly half of the sources of paired steps are bent, see :class:`SourceVariation`.

    Raises:
        ConfigurationError: if that network has other sizes.
    """

    network = Portrait
    recipes = LOSS_WEIGHTS
    options = GuideOptions

    def __init__(
        self,
        model: Portrait,
        weights: PortraitLossWeights | None = None,
        loss: str = "l2",
        parser: Parsing | None = None,
        guide_variation: float = 0.0,
    ) -> None:
        super().__init__()
        self.model: Any = model
        if parser is not None:
            if parser.config != model.config.parser:
                raise ConfigurationError(
                    f"expected a parser of the sizes {model.config.parser}, got {parser.config}: train one, or another "
                    "configuration"
                )
            model.parser.load_state_dict(parser.state_dict())
        self.weights = weights or PortraitLossWeights()
        self._distance = distances_named(loss)[0]
        self.vary_source = SourceVariation(guide_variation) if guide_variation else None
        sizes = model.config
        self.fine_discriminator, self.coarse_discriminator = (
            ImageDiscriminator(sizes.judge_widths, sizes.patch, domains=1, channels=3 + sizes.parts, spectral=False)
            for _ in range(2)
        )
        model.parser.requires_grad_(False)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates."""
        networks = [*self.model.components.parameters(), *self.model.generator.parameters()]
        return {
            "networks": networks,
            "discriminator": [*self.fine_discriminator.parameters(), *self.coarse_discriminator.parameters()],
        }

    def steps(self, images: Tensor, labels: Tensor) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield what to minimise on one batch, in order; update that group before asking for the next.

        Args:
            images: ``(B, 3, R, R)`` RGB in [0, 1].
            labels: ``(B, 1, R, R)`` uint8, numbers of parts.

        Yields:
            The parameter group to update, the weighted terms whose sum is its loss, and measurements for the log.
        """
        mask = self.model.one_hot(labels).to(images.dtype)
        pixels = to_signed(self._some_flat(images, mask))
        hidden = self._some_borders(mask)
        for shift in (0, 1):
            yield from self._steps(pixels, mask, hidden, labels, shift)

    def _steps(
        self, pixels: Tensor, mask: Tensor, hidden: Tensor, labels: Tensor, shift: int
    ) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
        """Yield the losses of pictures whose look comes from the picture so many places before in the batch."""
        model, weights, paired = self.model, self.weights, shift == 0
        source, source_mask = pixels.roll(shift, 0), mask.roll(shift, 0)
        if paired and self.vary_source is not None:
            source, source_mask = self.vary_source(source, source_mask)
        crops = model.crops(source, source_mask)
        features = model.decode(model.encode(crops, source_mask))
        result = model.draw(features, mask, pixels, hidden)
        terms: dict[str, Tensor] = {}
        if weights.local:
            drawn = [one.pixels(feature) for one, feature in zip(model.each_component(), features, strict=True)]
            terms["local"] = torch.stack(
                [self._distance(made, crop) / 2 for made, crop in zip(drawn, crops, strict=True)]
            ).mean()
        if weights.reconstruction and paired:
            terms["reconstruction"] = self._distance(result, pixels) / 2
        matching = weights.feature_matching if paired else 0.0
        if weights.adversarial or matching:
            self._discriminators_learn(False)
            believed, apart = self._believed(result, pixels, mask, bool(matching))
            if weights.adversarial:
                terms["adversarial"] = torch.stack(believed).mean()
            if matching:
                terms["feature_matching"] = torch.stack(apart).mean()
        agreement = {}
        if weights.parsing:
            read = model.parser_logits(to_unit(result))
            terms["parsing"] = F.cross_entropy(read, labels[:, 0].long())
            agreement = {"agreement": (read.detach().argmax(1) == labels[:, 0]).float().mean()}
        kind = "paired" if paired else "unpaired"
        weighted = {name: getattr(weights, name) * value for name, value in terms.items()}
        if weighted:
            yield "networks", _named(weighted, kind), _named(agreement, kind)
        if weights.adversarial:
            self._discriminators_learn(True)
            yield "discriminator", {f"{kind}_discriminator": self._judged(pixels, result.detach(), mask)}, {}

    @property
    def _discriminators(self) -> tuple[ImageDiscriminator, ImageDiscriminator]:
        return self.fine_discriminator, self.coarse_discriminator

    def _discriminators_learn(self, learn: bool) -> None:
        for discriminator in self._discriminators:
            discriminator.requires_grad_(learn)

    def _believed(
        self, result: Tensor, pixels: Tensor, mask: Tensor, matching: bool
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return how little each discriminator believes a result, and how far what it sees is from the picture."""
        believed, apart = [], []
        with _full_precision(pixels):
            for discriminator, one, real in zip(
                self._discriminators, self._seen(result, mask), self._seen(pixels, mask), strict=True
            ):
                last = discriminator.features(one)[-1]
                believed.append(F.softplus(-discriminator.last_score(last)).mean())
                if matching:
                    with torch.no_grad():
                        wanted = discriminator.features(real)[-1]
                    apart.append(F.mse_loss(last, wanted) / 2)
        return believed, apart

    def _judged(self, pixels: Tensor, result: Tensor, mask: Tensor) -> Tensor:
        """Return the discriminators' own loss (equation 3)."""
        losses = []
        with _full_precision(pixels):
            for discriminator, real, fake in zip(
                self._discriminators, self._seen(pixels, mask), self._seen(result, mask), strict=True
            ):
                losses += [F.softplus(-discriminator(real)).mean(), F.softplus(discriminator(fake)).mean()]
        return torch.stack(losses).sum()

    def _seen(self, pixels: Tensor, mask: Tensor) -> list[Tensor]:
        """Return what each discriminator sees: the picture with its mask, and both at half the size."""
        both = torch.cat([pixels, mask], 1)
        return [both, F.avg_pool2d(both, 2)]

    def _some_flat(self, images: Tensor, mask: Tensor) -> Tensor:
        """Return images of which some have a background of one colour."""
        flat = torch.rand(len(images), 1, 1, 1, device=images.device) < FLAT_BACKGROUNDS
        colour = torch.rand(len(images), 3, 1, 1, device=images.device, dtype=images.dtype)
        behind = self.model.regions(mask).sum(1, keepdim=True) == 0
        return torch.where(flat & behind, colour, images)

    def _some_borders(self, mask: Tensor) -> Tensor:
        """Return ``(B, 1, R, R)``, 1 in a border around the components of some pictures."""
        foreground = self.model.regions(mask).sum(1, keepdim=True)
        chosen = torch.rand(len(mask), 1, 1, 1, device=mask.device) < HIDDEN_BORDERS
        width = 1 + int(torch.rand(()) * mask.shape[-1] / 8)
        return dilate(foreground, width) * chosen

    def settle(self, model: Any, *examples: Tensor) -> None:
        """Do nothing: there is no norm whose statistics to measure."""

    def guides(self, model: Any, images: Tensor, labels: Tensor) -> Tensor:
        """Return default guide codes: different looks that pictures of the training show in full."""
        shown = model.regions(model.one_hot(labels)).amax((2, 3)).amin(1) > 0
        whole = model.for_content(model.contents - 1)
        chosen = images[shown] if bool(shown.any()) else images
        return choose_guides(whole, chosen[:64], images[:4])

    def sheet(self, model: Any, images: Tensor, labels: Tensor) -> Tensor:
        """Draw pictures, their masks, and themselves put together again; then with the look of their neighbours."""
        mask = model.one_hot(labels)
        pixels = to_signed(images)
        codes = model.encode(model.crops(pixels, mask), mask)
        colours = spread_palette(model.config.parts).to(images.device)
        rows = [images, palette_image(labels, colours), model.compose(codes, mask, images), images.roll(1, 0)]
        rows.append(model.compose(codes.roll(1, 0), mask, images))
        for index in range(model.contents):
            view, code = model.for_content(index), codes.roll(1, 0).flatten(1)[..., None, None]
            rows.append(render(images, view.swap(images, code)).image)
        return grid(rows)


class SourceVariation(nn.Module):
    """Turn, scale, shear and bend half of some pictures with their masks, and hide pieces, each in its own way.

    A picture that is put together from its own components as they are never asks for hair where the source has none,
    and only the discriminators say what is missing there in exchanges. From bent components with gaps, the picture
    itself does. This is ours; the paper has nothing of the kind.

    Args:
        strength: 1 turns by up to 15 degrees, scales by 20%, shears by 10 degrees, moves the control points of a
            thin-plate spline by 20% of half the side, and hides up to 20% of half the pictures; others in proportion.

    Shape:
        ``(B, 3, H, W)`` in [-1, 1] and ``(B, parts, H, W)``, 1 in each pixel for its part, to the same; what comes in
        from outside is background. The randomness is torch's global one.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        from kornia.augmentation import AugmentationSequential, RandomAffine, RandomErasing, RandomThinPlateSpline

        scale, shear = 0.2 * min(strength, 4.0), 10 * strength
        self.vary = AugmentationSequential(
            RandomErasing((0.02 * min(strength, 1.0), 0.2 * min(strength, 4.0)), p=0.5),
            RandomAffine(15 * strength, None, (1 - scale, 1 + scale), (-shear, shear, -shear, shear), p=1),
            RandomThinPlateSpline(scale=0.2 * strength, p=1),
            data_keys=["input"],
        )

    @torch.no_grad()
    def forward(self, pixels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the varied pictures and masks."""
        channels = pixels.shape[1]
        with torch.autocast(pixels.device.type, enabled=False):
            both: Tensor = self.vary(torch.cat([pixels, mask], 1))
        hard = F.one_hot(both[:, channels:].argmax(1), mask.shape[1]).movedim(-1, 1).to(mask.dtype)
        chosen = torch.rand(len(pixels), 1, 1, 1, device=pixels.device) < 0.5
        return torch.where(chosen, both[:, :channels], pixels), torch.where(chosen, hard, mask)


def _full_precision(pixels: Tensor) -> torch.autocast:
    """Return a context in which nothing is rounded: what tells sharp pictures from blurred ones is small."""
    return torch.autocast(pixels.device.type, enabled=False)


def _named(values: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    return {f"{kind}_{name}": value for name, value in values.items()}
