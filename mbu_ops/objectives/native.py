"""The objective of native networks: pairs with real targets, and real photos that have none.

Losses: L1 and a Laplacian pyramid (Burt and Adelson, IEEE Transactions on Communications 1983; as a loss: Bojanowski et
al., ICML 2018) against targets; feature matching (Wang et al., CVPR 2018); a hinge adversarial loss (Lim and Ye,
arXiv:1705.02894) with a gradient penalty on real pictures (R1: Mescheder et al., ICML 2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from kornia.filters import filter2d_separable
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.data.capture import mirrored, moved
from mbu_ops.data.composites import Pairs
from mbu_ops.functional.grid import grid
from mbu_ops.functional.mask import dilate, resize
from mbu_ops.methods.base import Networks, to_signed
from mbu_ops.methods.blocks import activation
from mbu_ops.methods.native import Native
from mbu_ops.objectives.options import DistanceOptions
from mbu_ops.objectives.terms import DomainsObjective, LossWeights, distances_named


@dataclass(frozen=True, slots=True)
class NativeLossWeights(LossWeights):
    """Weight of each term; 0 switches a term off. Distances are of pixels in [-1, 1].

    Attributes:
        reconstruction: the edit of a pair's picture against the photo that it was made of; inside the content five
            times as much.
        drawn: what is drawn against the photo, inside the content and whatever its opacity: else colours learn to make
            up for what shines through, which at the photo's own pixels leaves a ghost.
        bands: the same in each band of a Laplacian pyramid, finer ones more.
        feature_matching: the discriminator's features of both.
        adversarial: edits of pairs' pictures should look like real photos without the content.
        unpaired: edits of photos with the content, which have no target, should too.
        gradient_penalty: of the discriminator on real photos, every 16th step.
        classifier: a small network that learns to tell the domains should take edits of photos with the content for
            photos without it.
        keep: a photo with the content stays as it is outside its grown mask.
        same: a photo without the content stays as it is.
        empty: mean mask of such a photo.
        mask: cross entropy of the mask of a pair's picture; without it, masks collapse.
        gate: share of the picture that is redrawn.
        area: how far the mean mask of photos with the content lies outside 4% to 40%.
        flow: of networks that move pixels: how unlike neighbouring arrows are, how long they are, and whether they fold
            the photo.
    """

    reconstruction: float = 6.0
    drawn: float = 4.0
    bands: float = 3.0
    feature_matching: float = 1.0
    adversarial: float = 0.175
    unpaired: float = 0.175
    gradient_penalty: float = 2.0
    classifier: float = 0.1
    keep: float = 5.0
    same: float = 12.0
    empty: float = 0.6
    mask: float = 0.5
    gate: float = 0.03
    area: float = 2.0
    flow: float = 1.0


LOSS_WEIGHTS: dict[str, NativeLossWeights] = {"quick": NativeLossWeights()}
"""The weights that the shipped networks were trained with: there is no paper."""

Step = tuple[str, dict[str, Tensor], dict[str, Tensor]]
"""A parameter group, the weighted terms whose sum is its loss, and measurements."""

_BANDS = (3.0, 2.0, 1.5, 1.0)
"""Weight of each band of the pyramid, from fine to coarse."""

INSIDE = 4.0
"""How much more a pixel of the content counts than one beside it."""

_PENALISED = 16
"""Every so many steps the discriminator's gradient counts."""

_RISE = {"adversarial": 400, "unpaired": 400, "classifier": 1500}
"""Steps over which a term's weight rises from 0: before, networks to judge by know nothing."""

GROWN = 6
"""Pixels around a content's mask in which its photo may change too."""

_AREA = 0.04, 0.4

_LEAST_AREA = 0.2
"""A flow that leaves less than this of a cell's area is about to fold the photo."""


class PairsObjective(DomainsObjective):
    """What the objectives of native networks share: no norm has statistics to measure, and no guide is a photo."""

    def settle(self, model: Networks, *examples: Tensor) -> None:
        """Do nothing."""

    def guides(self, model: Networks, *examples: Tensor) -> Tensor | None:  # noqa: ARG002
        """Return None: the networks follow no guides, or their codes are photos of people, which must not ship."""
        return None


class NativeObjective(PairsObjective):
    """Losses of one step, for the networks, the discriminator and the classifier.

    Args:
        model: the networks.
        weights: weight of each term.
        loss: distance of the reconstructions, see :data:`mbu_ops.objectives.terms.DISTANCES`.
    """

    network = Native
    recipes = LOSS_WEIGHTS
    options = DistanceOptions

    def __init__(self, model: Native, weights: NativeLossWeights | None = None, loss: str = "l1") -> None:
        super().__init__()
        self.model: Any = model
        self.weights = weights or NativeLossWeights()
        distances_named(loss)
        self._power = 2 if loss.startswith("l2") else 1
        width = model.config.channels
        self.discriminator = ScalesDiscriminator(width)
        self.classifier = _classifier(width)
        self.steps_done: Tensor
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each kind of step updates."""
        return {
            "networks": list(self.model.parameters()),
            "discriminator": list(self.discriminator.parameters()),
            "classifier": list(self.classifier.parameters()),
        }

    def steps(self, pairs: Tensor, with_: Tensor, without: Tensor) -> Iterator[Step]:
        """Yield what to minimise on one batch, in order; update that group before asking for the next.

        Args:
            pairs: ``(B, 7, H, W)`` in [0, 1], see :class:`mbu_ops.data.composites.Pairs`.
            with_: ``(B, 4, H, W)``, photos with the content and their masks.
            without: ``(B, 3, H, W)``, photos without it.

        Yields:
            The parameter group to update, the weighted terms whose sum is its loss, and measurements for the log.
        """
        weights, pair, count = self.weights, Pairs.of(pairs), len(pairs)
        done = int(self.steps_done)
        self.steps_done += 1
        wanted, photos, plain = map(to_signed, (pair.wanted, with_[:, :3], without))
        if weights.classifier:
            yield "classifier", {"tells": self._tells(photos, plain)}, {}
        images = torch.cat([pair.shown, with_[:, :3], without])
        planes = self.model.planes(images).float()
        redrawn, edited = planes.redrawn, to_signed(planes.shown(images))
        back, cleared, kept = torch.split(edited, count)
        masks = torch.split(planes.mask, count)
        fakes = {"adversarial": back} | ({"unpaired": cleared} if weights.unpaired else {})
        discriminates = bool(weights.adversarial or weights.unpaired or weights.feature_matching)
        if discriminates:
            judged = torch.cat(list(fakes.values()))
            yield "discriminator", self._judged(torch.cat([plain, wanted]), judged.detach(), done), {}
        terms: dict[str, Tensor] = {}
        if weights.reconstruction:
            terms["reconstruction"] = ((back - wanted).abs() ** self._power * (1 + INSIDE * pair.masks)).mean()
        if weights.drawn:
            apart = (to_signed(planes.colour[:count]) - wanted).abs()
            terms["drawn"] = (apart * (4 * pair.masks - 2).clamp(0, 1)).mean()
        if weights.bands:
            terms["bands"] = bands_apart(back, wanted, pair.masks)
        if discriminates:
            terms |= self._seen_by_discriminator(fakes, judged, wanted)
        if weights.classifier:
            self.classifier.requires_grad_(False)
            terms["classifier"] = F.softplus(self.classifier(moved(mirrored(cleared))).float()).mean()
            self.classifier.requires_grad_(True)
        if weights.keep:
            around = 1 - dilate(((with_[:, 3:] - 0.08) / 0.2).clamp(0, 1), GROWN)
            terms["keep"] = ((cleared - photos).abs() * around).mean()
        if weights.same:
            terms["same"] = F.l1_loss(kept, plain)
        if weights.empty:
            terms["empty"] = masks[2].mean()
        if weights.mask:
            truth = (1.2 * pair.masks).clamp(0, 1) * self.model.window
            with torch.autocast(images.device.type, enabled=False):
                terms["mask"] = F.binary_cross_entropy(masks[0].clamp(1e-4, 1 - 1e-4), truth.float())
        if weights.gate:
            terms["gate"] = redrawn.mean()
        if weights.flow and planes.flow is not None:
            terms["flow"] = unruly(planes.flow)
        covered = masks[1].mean()
        if weights.area:
            terms["area"] = F.relu(covered - _AREA[1]) + 4 * F.relu(_AREA[0] - covered)
        found = {"covered": covered.detach(), "redrawn": redrawn.detach().mean()}
        yield "networks", {name: self._weight(name, done) * value for name, value in terms.items()}, found

    def _seen_by_discriminator(self, fakes: Mapping[str, Tensor], judged: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        """Return what the discriminator says of edits, which are the same joined, and of the first ones' targets."""
        terms: dict[str, Tensor] = {}
        self.discriminator.requires_grad_(False)
        scores, features = self.discriminator(judged)
        start = 0
        for name, edits in fakes.items():
            if getattr(self.weights, name):
                mine = slice(start, start + len(edits))
                terms[name] = -torch.stack([score[mine].float().mean() for score in scores]).sum()
            start += len(edits)
        if self.weights.feature_matching:
            with torch.no_grad():
                real = self.discriminator(wanted)[1]
            apart = [F.l1_loss(one[: len(two)].float(), two.float()) for one, two in zip(features, real, strict=True)]
            terms["feature_matching"] = torch.stack(apart).sum()
        self.discriminator.requires_grad_(True)
        return terms

    def _weight(self, name: str, done: int) -> float:
        rise = min(1.0, done / _RISE[name]) if name in _RISE else 1.0
        return float(getattr(self.weights, name)) * rise

    def _tells(self, photos: Tensor, plain: Tensor) -> Tensor:
        """Return the classifier's own loss on real photos; labels are not believed to the last."""
        logits = self.classifier(moved(mirrored(torch.cat([photos, plain])))).float()
        truth = torch.cat([logits.new_full((len(photos),), 0.95), logits.new_full((len(plain),), 0.05)])
        return F.binary_cross_entropy_with_logits(logits, truth)

    def _judged(self, reals: Tensor, fakes: Tensor, done: int) -> dict[str, Tensor]:
        """Return the discriminator's own loss."""
        penalised = bool(self.weights.gradient_penalty) and done % _PENALISED == 0
        with torch.autocast(reals.device.type, enabled=torch.is_autocast_enabled(reals.device.type) and not penalised):
            reals = reals.detach().requires_grad_(penalised)
            on_reals, on_fakes = self.discriminator(reals)[0], self.discriminator(fakes)[0]
        hinges = [
            F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean()
            for real, fake in zip(on_reals, on_fakes, strict=True)
        ]
        terms = {"discriminator": torch.stack(hinges).sum()}
        if penalised:
            total = torch.stack([score.flatten(1).mean(1).sum() for score in on_reals]).sum()
            (slopes,) = torch.autograd.grad(total, reals, create_graph=True)
            terms["gradient_penalty"] = self.weights.gradient_penalty * slopes.square().flatten(1).sum(1).mean()
        return terms

    def sheet(self, model: Any, without: Tensor, with_: Tensor) -> Tensor:
        """Draw photos with the content, their edits, masks and what is redrawn; photos without it, and their edits."""
        with torch.no_grad():
            rows: list[Tensor] = []
            for photos in (with_, without):
                planes = model.planes(photos)
                shares = [share.expand(-1, 3, -1, -1) for share in (planes.mask, planes.redrawn)]
                rows += [photos, planes.shown(photos), *shares]
            return grid(rows)


def named(name: str, weight: float, steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps of one of several networks, its terms weighted and named after it."""
    for group, terms, found in steps:
        weighted = {f"{name} {term}": weight * value for term, value in terms.items()}
        yield group, weighted, {f"{name} {what}": value for what, value in found.items()}


class ScalesDiscriminator(nn.Module):
    """Tells edited pictures from real ones at three scales: patches of 16 and of 34 pixels, and larger ones.

    Args:
        width: channels of its first layer.

    Shape:
        ``(B, 3, H, W)`` in [-1, 1], H and W at least 16, to three tensors of scores and four of features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = (3, width, 2 * width, 4 * width, 4 * width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 4, 2, 1), activation()) for before, after in pairwise(sizes)
        )
        self.fine, self.middle = nn.Conv2d(2 * width, 1, 3, 1, 1), nn.Conv2d(4 * width, 1, 3, 1, 1)
        self.coarse = nn.Sequential(
            nn.Conv2d(4 * width, 4 * width, 3, 2, 1), activation(), nn.Conv2d(4 * width, 1, 3, 1, 1)
        )

    def forward(self, pixels: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return scores, higher for pictures that look real, and features, both from fine to coarse."""
        features: list[Tensor] = []
        for block in self.blocks:
            pixels = block(pixels)
            features.append(pixels)
        return [self.fine(features[1]), self.middle(features[2]), self.coarse(features[3])], features


def _classifier(width: int) -> nn.Sequential:
    """Return a network that tells whether a picture shows the content: one logit each."""
    layers: list[nn.Module] = []
    sizes = (3, width, 2 * width, 4 * width, 4 * width, 4 * width)
    for before, after in pairwise(sizes):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), activation()]
    pooled = [nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Dropout(0.3), nn.Linear(6 * sizes[-1], 1), nn.Flatten(0)]
    return nn.Sequential(*layers, *pooled)


def bands_apart(made: Tensor, wanted: Tensor, inside: Tensor) -> Tensor:
    """Return how far two pictures are apart in the bands of a Laplacian pyramid, inside a mask more than beside it."""
    apart, total = made - wanted, made.new_zeros(())
    for weight in _BANDS[:-1]:
        low = _blurred(apart)
        total = total + weight * ((apart - low).abs() * (1 + INSIDE * _fitted(inside, apart))).mean()
        apart = F.avg_pool2d(low, 2)
    return total + _BANDS[-1] * (apart.abs() * (1 + INSIDE * _fitted(inside, apart))).mean()


def unruly(flow: Tensor) -> Tensor:
    """Return how far a flow ``(B, 2, h, w)``, in sides of the frame, is from a smooth and short one without folds."""
    height, width = flow.shape[-2:]
    cells = flow * flow.new_tensor([width, height]).view(-1, 1, 1)  # in steps from arrow to arrow
    right, down = cells[..., :-1, 1:] - cells[..., :-1, :-1], cells[..., 1:, :-1] - cells[..., :-1, :-1]
    area = (1 + right[:, 0]) * (1 + down[:, 1]) - right[:, 1] * down[:, 0]
    rough = (right.square() + down.square()).sum(1).mean()
    return 0.1 * rough + 0.01 * cells.square().sum(1).mean() + F.relu(_LEAST_AREA - area).mean()


def _fitted(mask: Tensor, pixels: Tensor) -> Tensor:
    return resize(mask, (pixels.shape[-2], pixels.shape[-1]))


def _blurred(pixels: Tensor) -> Tensor:
    row = pixels.new_tensor([[1.0, 4, 6, 4, 1]]) / 16
    return filter2d_separable(pixels, row, row, border_type="replicate")
