"""Measure add, remove, swap, segment and chains of two attributes on examples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from kornia.metrics import ssim
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.evaluation.distances import (
    average_in,
    described,
    frechet_distance,
    kernel_distance,
    perceptual_distance,
    retrieved_guides,
)
from mbu_ops.evaluation.examples import Examples
from mbu_ops.evaluation.figures import (
    Figure,
    decibels,
    intersection_over_union,
    largest,
    mean,
    peak_signal_to_noise,
    share,
)
from mbu_ops.evaluation.judge import Judge
from mbu_ops.evaluation.networks.image_features import ImageFeatures
from mbu_ops.ops.edit import Edit
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.segment import Segment
from mbu_ops.ops.transfer import Transfer
from mbu_ops.weights import load_pretrained

STAGES = 7
"""Parts of the work, after each of which whoever shows progress is told."""

_GUIDES = 8
"""Guides to tell apart in the retrieval test."""


@dataclass(frozen=True, slots=True)
class Instruments:
    """Who and what measures.

    Attributes:
        judge: says whether an edit shows the content.
        identity: describes whose picture it is, ``(N, 3, H, W)`` to ``(N, D)``; None leaves these figures out.
        features: describes what a picture looks like; None leaves these figures out.
        follower: another attribute's weights to chain after those that are measured; None leaves chains out.
    """

    judge: Judge
    identity: nn.Module | None = None
    features: ImageFeatures | None = None
    follower: Follower | None = None


@dataclass(frozen=True, slots=True)
class Follower:
    """A second attribute, added after the first was added or removed.

    Attributes:
        weights: its weights.
        add: adds it; with default guides.
        judge: says whether an image shows it.
    """

    weights: Path
    add: Transfer
    judge: Judge

    @torch.no_grad()
    def after(self, images: Tensor) -> Tensor:
        """Return the images with this attribute added, by its first default guide."""
        if self.add.default_guides is None:
            raise ConfigurationError(f"the weights in {str(self.weights)!r} have no default guides to add")
        return _in_chunks(partial(_with_code, self.add, self.add.default_guides[:1]), images).image


@dataclass(frozen=True, slots=True)
class Regions:
    """Where edits are, the same for all weights that are compared.

    Attributes:
        add: ``(N, 1, R, R)`` bool: where additions may change ``without`` images.
        remove: ``(M, 1, R, R)`` bool: where removals may change ``with`` images.
    """

    add: Tensor
    remove: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, weights: str | Path, examples: Examples, seed: int = 1) -> Regions:
        """Return where some weights edit examples; arguments as of :meth:`Edits.make`, and its guides."""
        pretrained = load_pretrained(weights)
        chosen = _Choice.of(examples, seed).guides
        added = _in_chunks(Transfer(pretrained.model).edit, examples.without, examples.with_[chosen])
        return cls(added.mask > 0, _in_chunks(Remove(pretrained.model).edit, examples.with_).mask > 0)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which ``with`` images are guides: for each ``without`` image, in the retrieval test, and of each swap."""

    guides: Tensor
    few: Tensor
    swaps: Tensor

    @classmethod
    def of(cls, examples: Examples, seed: int) -> _Choice:
        random, count = np.random.default_rng(seed), len(examples.with_)
        guides = random.integers(count, size=len(examples.without))
        few = random.permutation(count)[:_GUIDES]
        swaps = (np.arange(count) + random.integers(1, max(2, count), size=count)) % count  # never its own
        return cls(*(torch.from_numpy(indices) for indices in (guides, few, swaps)))


@dataclass(frozen=True, slots=True)
class Edits:
    """What some weights make of examples; the random guide of a picture is never the picture itself.

    Attributes:
        added: ``without`` images, each with the content of a random guide.
        removed: ``with`` images without their content.
        swapped: ``with`` images with the content of a random guide in place of their own.
        defaults: ``without`` images with each default guide.
        guides: ``(G, 3, R, R)``: a few guides.
        guided: ``(N, G, 3, R, R)``: a few ``without`` images, each with each of those.
        union: ``(N, 1, R, R)``: where any of those guides changed the image.
        segmented: ``(M, 1, R, R)`` soft masks of the ``with`` images.
    """

    added: Edit
    removed: Edit
    swapped: Tensor
    defaults: list[Tensor]
    guides: Tensor
    guided: Tensor
    union: Tensor
    segmented: Tensor

    @classmethod
    @torch.no_grad()
    def make(
        cls, weights: str | Path, examples: Examples, seed: int = 1, report: Callable[[], None] = lambda: None
    ) -> Edits:
        """Edit all examples, a few at a time.

        Args:
            weights: name or path, as the ops take it.
            examples: the images.
            seed: of the choice of guides.
            report: called after each part of the work, see :data:`STAGES`.
        """
        with_, without = examples.with_, examples.without
        pretrained = load_pretrained(weights)
        transfer = Transfer(pretrained.model, guides=pretrained.guides)
        remove, segment = Remove(pretrained.model), Segment(pretrained.model)
        choice = _Choice.of(examples, seed)
        guides = with_[choice.few]
        few = [transfer.edit(without[:_FEW], guide[None].expand(len(without[:_FEW]), -1, -1, -1)) for guide in guides]
        codes = () if transfer.default_guides is None else transfer.default_guides
        report()
        added = _in_chunks(transfer.edit, without, with_[choice.guides])
        report()
        defaults = [_in_chunks(partial(_with_code, transfer, code[None]), without).image for code in codes]
        report()
        removed = _in_chunks(remove.edit, with_)
        swapped = _in_chunks(transfer.edit, removed.image, with_[choice.swaps]).image
        report()
        return cls(
            added=added,
            removed=removed,
            swapped=swapped,
            defaults=defaults,
            guided=torch.stack([edit.image for edit in few], dim=1),
            union=torch.stack([edit.mask for edit in few]).amax(0),
            segmented=torch.cat([segment(chunk) for chunk in torch.split(with_, _CHUNK)]),
            guides=guides,
        )


@torch.no_grad()
def measure(
    weights: str | Path,
    examples: Examples,
    instruments: Instruments,
    seed: int = 1,
    threshold: float = 0.5,
    regions: Regions | None = None,
    report: Callable[[], None] = lambda: None,
) -> list[Figure]:
    """Measure the edits of some weights.

    Args:
        weights: name or path, as the ops take it.
        examples: images that neither the weights nor the judge have seen.
        instruments: who measures.
        seed: of the choice of guides.
        threshold: mask value from which a pixel counts as content.
        regions: where to tell inside from outside, such as other weights' edits; these edits' own masks when None.
        report: called after each part of the work, see :data:`STAGES`.

    Returns:
        What the judges say of the images themselves (their own limit), of additions, removals, swaps and chains; how
        large masks are and how far pixels outside them changed; how much of the picture is kept inside the edit and
        outside it; whose picture it still is, how edits look and how far removals are from real images, where
        instruments for that are given; whether guides matter; and where the truth is known, how well masks and removals
        match it, beside the figure of an untouched image.
    """
    edits = Edits.make(weights, examples, seed, report)
    regions = regions or Regions(edits.added.mask > 0, edits.removed.mask > 0)
    figures = _success(examples, edits, instruments.judge)
    if instruments.follower is not None:
        figures += _chains(examples, edits, instruments.judge, instruments.follower)
    report()
    figures += _kept(examples, edits, regions, instruments.features)
    report()
    if instruments.identity is not None:
        figures += _identity(examples, edits, instruments.identity)
    if instruments.features is not None:
        figures += _looks(examples, edits, instruments.features)
    figures += [_difference_of_guides(edits), *_truth(examples, edits, threshold)]
    report()
    return figures


def _success(examples: Examples, edits: Edits, judge: Judge) -> list[Figure]:
    figures = [
        share("judge_with", "judge says with: untouched, with", judge.says_with(examples.with_)),
        share("judge_without", "judge says without: untouched, without", ~judge.says_with(examples.without)),
        share("add", "judge says with: added, random guide", judge.says_with(edits.added.image)),
    ]
    if edits.defaults:
        said = torch.stack([judge.says_with(images) for images in edits.defaults])
        convinced = said.double().mean(0)  # a person with eight guides is one person
        figures.append(mean("add_default", "judge says with: added, default guides", convinced, "share"))
    return [
        *figures,
        share("remove", "judge says without: removed", ~judge.says_with(edits.removed.image)),
        share("swap", "judge says with: swapped, random guide", judge.says_with(edits.swapped)),
    ]


def _chains(examples: Examples, edits: Edits, judge: Judge, follower: Follower) -> list[Figure]:
    """Two edits one after another: both judges must be convinced; beside it, what the second says of the inputs."""
    after_add, after_remove = follower.after(edits.added.image), follower.after(edits.removed.image)
    both = judge.says_with(after_add) & follower.judge.says_with(after_add)
    exchanged = ~judge.says_with(after_remove) & follower.judge.says_with(after_remove)
    before = follower.judge.says_with(examples.with_), follower.judge.says_with(examples.without)
    return [
        share("second_with", "second judge says with: untouched, with", before[0]),
        share("second_without", "second judge says with: untouched, without", before[1]),
        share("chain_add", "both judges say with: added, then second added", both),
        share("chain_remove", "without, second with: removed, then second added", exchanged),
    ]


def _kept(examples: Examples, edits: Edits, regions: Regions, features: ImageFeatures | None) -> list[Figure]:
    figures = []
    for name, title, edit, before, region in (
        ("add", "additions", edits.added, examples.without, regions.add),
        ("remove", "removals", edits.removed, examples.with_, regions.remove),
    ):
        figures += [
            mean(f"mask_{name}", f"mean mask of {title}", edit.mask.flatten(1).mean(1)),
            largest(f"outside_{name}", f"largest change outside the mask, {title}", _largest_change(edit, before)),
        ]
        for place, where in (("outside", ~region), ("inside", region)):
            shown = where.flatten(1).any(1)  # some masks are empty, or all there is
            if not shown.any():
                continue
            # windows and networks see beyond a border, so they are shown only what changed on this side of it
            inputs, here = before[shown], where[shown]
            images = torch.where(here, edit.image[shown], inputs)
            words = f"{place} the edit, {title}"
            error = average_in((images - inputs).square(), here)
            figures += [
                mean(f"psnr_{place}_{name}", f"PSNR {words}", decibels(error), "dB"),
                mean(f"ssim_{place}_{name}", f"SSIM {words}", average_in(ssim(images, inputs, 11), here)),
            ]
            if features is not None:
                apart = perceptual_distance(features, images, inputs)
                figures.append(mean(f"perceptual_{place}_{name}", f"perceptual distance {words}", apart))
    return figures


def _identity(examples: Examples, edits: Edits, network: nn.Module) -> list[Figure]:
    figures = []
    for name, title, after, before in (
        ("add", "added", edits.added.image, examples.without),
        ("remove", "removed", edits.removed.image, examples.with_),
    ):
        one, other = described(network, after), described(network, before)
        alike, strangers = F.cosine_similarity(one, other), F.cosine_similarity(other, other.roll(1, 0))
        least = strangers.mean()  # descriptions of any two pictures have much in common
        figures += [
            mean(f"identity_{name}", f"identity, cosine: {title}", alike),
            mean(f"identity_strangers_{name}", f"identity, cosine: another picture, {title}", strangers),
            mean(
                f"identity_kept_{name}",
                f"identity, 0 another picture, 1 the same: {title}",
                (alike - least) / (1 - least),
            ),
            mean(f"identity_distance_{name}", f"identity, distance: {title}", (one - other).norm(dim=1)),
        ]
    return figures


def _looks(examples: Examples, edits: Edits, features: ImageFeatures) -> list[Figure]:
    codes = described(features, edits.guided.flatten(0, 1)).view(*edits.guided.shape[:2], -1)
    found = retrieved_guides(codes, described(features, edits.guides))
    figures = [
        mean("retrieved", f"guide retrieved among {len(edits.guides)}", found.double().mean(1), "share"),
    ]
    real, before, after = (described(features, one) for one in (examples.without, examples.with_, edits.removed.image))
    with contextlib.suppress(ConfigurationError):  # without torchmetrics; whoever prints figures says what is left out
        figures += [
            kernel_distance("kid_remove", "KID-Lite0 x 100 from without: removed", real, after),
            kernel_distance("kid_untouched", "KID-Lite0 x 100 from without: untouched, with", real, before),
            frechet_distance("fid_remove", "FID-Lite0 from without: removed", real, after),
            frechet_distance("fid_untouched", "FID-Lite0 from without: untouched, with", real, before),
        ]
    return figures


def _difference_of_guides(edits: Edits) -> Figure:
    apart = (edits.guided - edits.guided.roll(1, dims=1)).abs().mean(2)
    inside = (edits.union[:, 0] > 0).double()
    per_image = (apart.mean(1) * inside).flatten(1).sum(1) / inside.flatten(1).sum(1).clamp(min=1)
    return mean("guides_differ", "difference of two guides inside the mask", per_image)


def _truth(examples: Examples, edits: Edits, threshold: float) -> list[Figure]:
    figures = []
    if examples.masks is not None and examples.known is not None and examples.known.any():
        found = edits.segmented[examples.known] >= threshold
        overlap = intersection_over_union(found, examples.masks[examples.known])
        figures.append(mean("mask_iou", f"mask IoU, threshold {threshold:g}", overlap))
    if examples.removed is not None:
        signal, untouched = (
            peak_signal_to_noise(images, examples.removed) for images in (edits.removed.image, examples.with_)
        )
        figures += [
            mean("remove_psnr", "PSNR of removals", signal, "dB"),
            mean("untouched_psnr", "PSNR of doing nothing", untouched, "dB"),
        ]
    return figures


_CHUNK, _FEW = 32, 32
"""Images edited at once, so that memory stays the same however many there are; and images to try guides on."""


def _in_chunks(edit: Callable[..., Edit], *images: Tensor) -> Edit:
    """Return the edit of many images, made a few at a time."""
    parts = [edit(*chunks) for chunks in zip(*(torch.split(one, _CHUNK) for one in images), strict=True)]
    return Edit(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _with_code(transfer: Transfer, code: Tensor, images: Tensor) -> Edit:
    return transfer.edit_code(images, code)


def _largest_change(edit: Edit, before: Tensor) -> Tensor:
    return ((edit.image - before).abs() * (edit.mask == 0)).flatten(1).amax(1)
