"""What the objectives of several methods share: loss weights by name, discriminators, and how guides are varied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.base import Networks
from mbu_ops.methods.blocks import NEGATIVE_SLOPE
from mbu_ops.methods.mbu_config import MBUConfig
from mbu_ops.objectives.options import GuideOptions, Options

Distance = Callable[[Tensor, Tensor], Tensor]
DISTANCES: dict[str, tuple[Distance, Distance]] = {
    "l1": (F.l1_loss, F.l1_loss),
    "l2": (F.mse_loss, F.mse_loss),
    "l2-reconstruction": (F.mse_loss, F.l1_loss),
    "l2-self-blend": (F.l1_loss, F.mse_loss),
}
"""How far two batches of images are apart, as a mean over everything: in reconstructions, and in self-blends. The last
two are rows of Table 8 of MBU's paper, "L2 recon #1" and "L2 recon #2"."""


def distances_named(name: str) -> tuple[Distance, Distance]:
    """Return the distances of reconstructions and of self-blends.

    Args:
        name: a key of :data:`DISTANCES`.

    Raises:
        ConfigurationError: for another name.
    """
    if name not in DISTANCES:
        raise ConfigurationError(f"expected a distance ({', '.join(DISTANCES)}), got {name!r}")
    return DISTANCES[name]


Weights = TypeVar("Weights", bound="LossWeights")


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of a method's loss terms, a field each; none is negative."""

    @staticmethod
    def named(recipes: Mapping[str, Weights], recipe: str, overrides: Mapping[str, float] | None = None) -> Weights:
        """Return a recipe's weights, with some of them changed.

        Raises:
            ConfigurationError: for an unknown recipe or term.
        """
        if recipe not in recipes:
            raise ConfigurationError(f"expected a recipe ({', '.join(recipes)}), got {recipe!r}")
        terms = [field.name for field in fields(recipes[recipe])]
        for name in overrides or {}:
            if name not in terms:
                raise ConfigurationError(f"expected a loss term ({', '.join(terms)}), got {name!r}")
        weights = replace(recipes[recipe], **(overrides or {}))
        if not any(getattr(weights, term) for term in terms):
            raise ConfigurationError(f"expected a loss term above 0 ({', '.join(terms)}), got none")
        return weights

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) >= 0:
                raise ConfigurationError(f"loss weight {field.name} must be 0 or more, got {getattr(self, field.name)}")


def check_trains(objective: type, network: type[Networks], model: nn.Module) -> None:
    """Make sure that an objective fits what it is to train.

    Raises:
        ConfigurationError: for other networks.
    """
    if not isinstance(model, network):
        wanted, got = network.__name__, type(model).__name__
        raise ConfigurationError(f"{objective.__name__} trains the networks of {wanted}, got {got}")


class BuiltByNames(nn.Module):
    """An objective that is built from its options.

    Attributes:
        network: whose networks it trains.
        recipes: its loss weights, by name.
        options: what it can be told.
    """

    network: ClassVar[type[Networks]]
    recipes: ClassVar[Mapping[str, LossWeights]]
    options: ClassVar[type[Options]] = Options

    @classmethod
    def build(
        cls, model: nn.Module, options: Options | None = None, aids: Mapping[str, nn.Module] | None = None
    ) -> Self:
        """Return the objective, see :func:`mbu_ops.objectives.build_objective`."""
        check_trains(cls, cls.network, model)
        options = cls.options() if options is None else options
        if type(options) is not cls.options:
            wanted, got = cls.options.__name__, type(options).__name__
            raise ConfigurationError(f"expected {wanted} for {cls.__name__}, got {got}")
        weights = LossWeights.named(cls.recipes, options.recipe, dict(options.loss_weights))
        kind: Any = cls
        objective: Self = kind(model, weights, **options.arguments, **(aids or {}))
        return objective


class DomainsObjective(BuiltByNames):
    """What the objectives of networks share that learn from images without a content and with it."""

    def guides(self, model: Any, without: Tensor, with_: Tensor) -> Tensor | None:
        """Return default guide codes: a few of the contents that the training images show."""
        from mbu_ops.objectives.guides import default_guides

        return default_guides(model, with_, without)

    def sheet(self, model: Any, without: Tensor, with_: Tensor) -> Tensor:
        """Draw transfers and removals of a few images, see :func:`mbu_ops.objectives.samples.edits_sheet`."""
        from mbu_ops.objectives.samples import edits_sheet

        return edits_sheet(model, without, with_)


class ContentObjective(DomainsObjective):
    """What the objectives of networks with two codes share: how they are built, and how finished networks settle.

    Args:
        model: the networks.
        loss: a key of :data:`DISTANCES`.
        guide_variation: how strongly to vary the image that the separate encoder sees, see :class:`GuideVariation`;
            0 in the papers.
    """

    options = GuideOptions

    def __init__(self, model: Networks, loss: str, guide_variation: float) -> None:
        super().__init__()
        self.model: Any = model
        self.discriminator = LatentDiscriminator(cast(MBUConfig, model.config))
        self.vary_guide = GuideVariation(guide_variation) if guide_variation else nn.Identity()
        self._distance, self._self_blend_distance = distances_named(loss)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates."""
        discriminators = [one for name, one in self.named_parameters() if not name.startswith("model.")]
        return {"networks": list(self.model.parameters()), "discriminator": discriminators}

    def settle(self, model: Any, without: Tensor, with_: Tensor) -> None:  # noqa: ARG002 - the protocol's
        """Measure the statistics of images that show the content.

        Args:
            model: the networks, such as the average of those that were trained.
            without: ``(N, 3, R, R)`` RGB in [0, 1] from the domain without the content; not needed here.
            with_: ``(M, 3, R, R)`` RGB in [0, 1] from the domain with it.
        """
        model.measure_content(torch.split(with_, 64))


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

    def confusion(self, common_without: Tensor, common_with: Tensor) -> Tensor:
        """Return the encoder's loss: how little both domains' codes look like the first's, ``without``."""
        logits = torch.cat([self(common_without), self(common_with)])
        return 2 * F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))

    def loss(self, common_without: Tensor, common_with: Tensor) -> Tensor:
        """Return the discriminator's own loss on detached common codes of both domains."""
        on_without, on_with = self(common_without), self(common_with)
        return F.binary_cross_entropy_with_logits(
            on_with, torch.ones_like(on_with)
        ) + F.binary_cross_entropy_with_logits(on_without, torch.zeros_like(on_without))


class ImageDiscriminator(nn.Module):
    """Tells, patch by patch, edited images from real ones of the domain that they should belong to.

    The paper asks for plausible removals only through the common code, which takes a long time to lose the content;
    this asks for them directly (PatchGAN: Isola et al., CVPR 2017; spectral norm: Miyato et al., ICLR 2018).

    Args:
        widths: channels of its blocks, each of which halves the resolution.
        patch: side of the pixel block that it reads as one position, the model's own.
        domains: how many domains images can belong to.
        channels: of what it sees: 3, and more where it is shown more than an image.
        spectral: whether its layers have spectral norm, which keeps the scores of alike images close: of a sharp image
            and the same one blurred, too.

    Shape:
        ``(B, channels, R, R)``, images in [-1, 1], to scores ``(B, domains, S, S)``; the higher, the more real: as an
        image of the first domain in channel 0, and so on.
    """

    def __init__(
        self, widths: Sequence[int], patch: int, domains: int = 2, channels: int = 3, spectral: bool = True
    ) -> None:
        super().__init__()
        self.patch = patch
        channels *= patch**2
        normed: Callable[[nn.Module], nn.Module] = spectral_norm if spectral else lambda layer: layer
        layers: list[nn.Module] = []
        for width in widths:
            layers += [
                normed(nn.Conv2d(channels, width, 4, 2, 1)),
                nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
            ]
            channels = width
        self.score = nn.Sequential(*layers, normed(nn.Conv2d(channels, domains, 1)))
        if not spectral:  # nothing keeps their scale: with PyTorch's own, scores hardly depend on the image at first
            for layer in self.score:
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight, NEGATIVE_SLOPE)

    @classmethod
    def beside(cls, config: MBUConfig, domains: int = 2) -> Self:
        """Return one as wide as the first four blocks of a model's common encoder."""
        return cls(config.common_widths[:4], config.patch, domains)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the scores of a batch."""
        scores: Tensor = self.score(F.pixel_unshuffle(pixels, self.patch))
        return scores

    def loss(self, reals: Sequence[Tensor], fakes: Mapping[int, Tensor], wrong_domain: float = 0.0) -> Tensor:
        """Return the discriminator's own hinge loss on real images of both domains and on detached edited ones.

        Args:
            reals: ``(B, 3, R, R)`` in [-1, 1] real images of each channel's domain.
            fakes: by channel, images that were edited to look like its domain; channels that are missing learn nothing.
            wrong_domain: share with which real images of the other domains count as edited ones: what they lack is
                then seen at once, and not only how edited images look (Reed et al., ICML 2016, for captions).
        """
        hinges = []
        scores = [self(real) for real in reals]
        for channel, fake in fakes.items():
            hinges.append(F.relu(1 - scores[channel][:, channel]).mean())
            hinges.append(F.relu(1 + self(fake)[:, channel]).mean())
            if wrong_domain:
                others = torch.cat([score for index, score in enumerate(scores) if index != channel])
                hinges.append(wrong_domain * F.relu(1 + others[:, channel]).mean())
        return torch.stack(hinges).sum()

    def last_score(self, features: Tensor) -> Tensor:
        """Return the scores of a batch whose last features are known."""
        scores: Tensor = self.score[-1](features)
        return scores

    def features(self, pixels: Tensor) -> list[Tensor]:
        """Return what each block makes of a batch, from fine to coarse: what feature matching compares."""
        found, current = [], F.pixel_unshuffle(pixels, self.patch)
        for block in list(self.score)[:-1]:
            current = block(current)
            if isinstance(block, nn.LeakyReLU):
                found.append(current)
        return found


WRONG_DOMAIN = 0.5
"""Share of :meth:`ImageDiscriminator.loss` where every image is redrawn as a whole."""


class GuideVariation(nn.Module):
    """Mirror, move and recolour guides, each in its own way.

    With this between an image and the separate encoder, the separate code is of no use for where the subject is, how it
    is lit and what colour its skin has: all that must come by the common code. What is left to say is what the content
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
