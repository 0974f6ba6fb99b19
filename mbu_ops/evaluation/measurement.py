"""Measure add, remove, swap, segment and chains of two attributes on examples."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from kornia.color import rgb_to_lab
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
    rank_correlation,
    retrieved_guides,
)
from mbu_ops.evaluation.edits import CHUNK, FEW, EditMasks, Edits, can, in_chunks
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
from mbu_ops.evaluation.sharpness import sharpness_figures
from mbu_ops.evaluation.spot import spot_the_edit
from mbu_ops.evaluation.untouched import untouched_figures
from mbu_ops.evaluation.window import Window
from mbu_ops.ops.adjust import Adjust
from mbu_ops.ops.edit import Edit
from mbu_ops.ops.method import fast_form
from mbu_ops.ops.remove import Remove
from mbu_ops.ops.transfer import Transfer
from mbu_ops.weights import Pretrained, load_pretrained

STAGES = 7
"""Parts of the work, after each of which whoever shows progress is told."""


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
        return in_chunks(self.add.bind().edit, images).image


@torch.no_grad()
def measure(
    weights: str | Path | Pretrained,
    examples: Examples,
    instruments: Instruments,
    seed: int = 1,
    threshold: float = 0.5,
    edit_masks: EditMasks | None = None,
    report: Callable[[], None] = lambda: None,
    content: str | None = None,
) -> list[Figure]:
    """Measure the edits of some weights.

    Args:
        weights: name or path, as the ops take it, or weights in memory: ``Pretrained(model, info, guides)``.
        examples: images that neither the weights nor the judge have seen.
        instruments: who measures.
        seed: of the choice of guides.
        threshold: mask value from which a pixel counts as content.
        edit_masks: where to tell inside from outside, such as other weights' edits; these edits' own masks when None.
        report: called after each part of the work, see :data:`STAGES`.
        content: which one, of named weights that edit several.

    Returns:
        What the judges say of the images themselves (their own limit), of additions, removals, swaps and chains;
        whether a fresh classifier tells edits from photos, how sharp they are, what they change where there is nothing
        to do, and whether guides are recognised in them; how large masks are and how far pixels outside them changed;
        how much of the picture is kept inside the edit and outside it; whose picture it still is, how edits look and
        how far removals are from real images, where instruments for that are given; whether guides matter; and where
        the truth is known, how well masks and removals match it, beside the figure of an untouched image; how surely a
        dial turns what the judge sees, for methods that have one; and how long a removal takes here, and how large the
        weights are.
    """
    pretrained = weights if isinstance(weights, Pretrained) else load_pretrained(weights, content=content)
    edits = Edits.make(pretrained, examples, seed, report)
    edit_masks = edit_masks or EditMasks(None if edits.added is None else edits.added.mask > 0, edits.removed.mask > 0)
    figures = _success(examples, edits, instruments.judge)
    if instruments.follower is not None:
        figures += _chains(examples, edits, instruments.judge, instruments.follower)
    figures += _eye(examples, edits, edit_masks, instruments.features)
    report()
    figures += _kept(examples, edits, edit_masks, instruments.features)
    report()
    if instruments.identity is not None:
        figures += _identity(examples, edits, instruments.identity)
    if instruments.features is not None:
        figures += _looks(examples, edits, instruments.features)
    figures += [*_difference_of_guides(edits), *_colour_of_guides(edits), *_truth(examples, edits, threshold)]
    if can(pretrained, "adjust"):
        figures += _dial(Adjust.of(pretrained), examples, instruments.judge)
    figures += _cost(pretrained, examples)
    report()
    return figures


def _success(examples: Examples, edits: Edits, judge: Judge) -> list[Figure]:
    figures = [
        share("judge_with", "judge says with: untouched, with", judge.says_with(examples.with_)),
        share("judge_without", "judge says without: untouched, without", ~judge.says_with(examples.without)),
    ]
    if edits.added is not None:
        figures.append(share("add", "judge says with: added, random guide", judge.says_with(edits.added.image)))
    if edits.defaults:
        said = torch.stack([judge.says_with(images) for images in edits.defaults])
        convinced = said.double().mean(0)  # a person with eight guides is one person
        figures.append(mean("add_default", "judge says with: added, default guides", convinced, "share"))
    figures.append(share("remove", "judge says without: removed", ~judge.says_with(edits.removed.image)))
    if edits.swapped is not None:
        figures.append(share("swap", "judge says with: swapped, random guide", judge.says_with(edits.swapped)))
    return figures


def _eye(examples: Examples, edits: Edits, edit_masks: EditMasks, features: ImageFeatures | None) -> list[Figure]:
    """Measure what judges do not see: whether edits pass for photos, are sharp, leave alone, and follow their guide."""
    window = Window.of(edit_masks)
    figures = [*sharpness_figures(examples, edits, edit_masks, window), *untouched_figures(examples, edits)]
    if features is None:
        return figures
    spotted = spot_the_edit(examples, edits, window, features)
    if edits.guided is None or edits.guides is None:
        return [*spotted, *figures]
    codes = described(features, window.cut_inside(edits.guided.flatten(0, 1))).view(*edits.guided.shape[:2], -1)
    found = retrieved_guides(codes, described(features, window.cut_inside(edits.guides)))
    title = f"guide retrieved among {len(edits.guides)}, the edit's region alone"
    retrieved = mean("retrieved_region", title, found.double().mean(1), "share")
    return [*spotted, *figures, retrieved]


def _chains(examples: Examples, edits: Edits, judge: Judge, follower: Follower) -> list[Figure]:
    """Two edits one after another: both judges must be convinced; beside it, what the second says of the inputs."""
    if edits.added is None:
        raise ConfigurationError("expected weights that add, to chain another attribute after them; leave --then out")
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


def _kept(examples: Examples, edits: Edits, edit_masks: EditMasks, features: ImageFeatures | None) -> list[Figure]:
    figures = []
    for kind in edits.kinds(examples):
        name, title, edit, before, region = kind.name, kind.title, kind.edit, kind.before, edit_masks.of_kind(kind.name)
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
    for kind in edits.kinds(examples):
        name, title, after, before = kind.name, kind.done, kind.edit.image, kind.before
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
    figures = []
    if edits.guided is not None and edits.guides is not None:
        codes = described(features, edits.guided.flatten(0, 1)).view(*edits.guided.shape[:2], -1)
        found = retrieved_guides(codes, described(features, edits.guides))
        title = f"guide retrieved among {len(edits.guides)}"
        figures.append(mean("retrieved", title, found.double().mean(1), "share"))
    real, before, after = (described(features, one) for one in (examples.without, examples.with_, edits.removed.image))
    with contextlib.suppress(ConfigurationError):  # without torchmetrics; whoever prints figures says what is left out
        figures += [
            kernel_distance("kid_remove", "KID-Lite0 x 100 from without: removed", real, after),
            kernel_distance("kid_untouched", "KID-Lite0 x 100 from without: untouched, with", real, before),
            frechet_distance("fid_remove", "FID-Lite0 from without: removed", real, after),
            frechet_distance("fid_untouched", "FID-Lite0 from without: untouched, with", real, before),
        ]
    return figures


def _difference_of_guides(edits: Edits) -> list[Figure]:
    if edits.guided is None or edits.guided_masks is None:
        return []
    apart = (edits.guided - edits.guided.roll(1, dims=1)).abs().mean(2)
    inside = (edits.guided_masks.amax(1)[:, 0] > 0).double()
    per_image = (apart.mean(1) * inside).flatten(1).sum(1) / inside.flatten(1).sum(1).clamp(min=1)
    return [mean("guides_differ", "difference of two guides inside the mask", per_image)]


def _colour_of_guides(edits: Edits) -> list[Figure]:
    """Compare the mean colour of what was added with that of the guide's content, in CIE Lab: one unit is just seen."""
    if edits.guided is None or edits.guides is None or edits.guided_masks is None or edits.guide_masks is None:
        return []
    wanted, shown = _mean_lab(edits.guides, edits.guide_masks)
    added, changed = _mean_lab(edits.guided.flatten(0, 1), edits.guided_masks.flatten(0, 1))
    apart = (added.view(*edits.guided.shape[:2], 3) - wanted).norm(dim=-1)
    counts = (changed.view(*edits.guided.shape[:2]) & shown).double()
    some = counts.sum(1) > 0  # of others nothing was changed, or no guide shows anything
    if not some.any():
        return []
    per_image = (apart * counts).sum(1)[some] / counts.sum(1)[some]
    return [mean("guide_colour", "colour of what is added, distance from the guide's, Lab", per_image)]


def _mean_lab(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean colour under soft masks, ``(N, 3)``, and which of them cover anything, ``(N,)``."""
    weights = masks.flatten(1).sum(1)
    parts = [  # a few at a time: there are eight images a person
        (rgb_to_lab(some) * mask).sum((2, 3))
        for some, mask in zip(torch.split(images, CHUNK), torch.split(masks, CHUNK), strict=True)
    ]
    return torch.cat(parts) / weights.clamp(min=1e-6)[:, None], weights > 1


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
    if examples.added is not None and edits.exact is not None:
        signal, untouched = (peak_signal_to_noise(images, examples.added) for images in (edits.exact, examples.without))
        figures += [
            mean("add_psnr", "PSNR of additions, the same content on somebody else as the guide", signal, "dB"),
            mean("add_untouched_psnr", "PSNR of doing nothing, of additions", untouched, "dB"),
        ]
    return figures


def _dial(adjust: Adjust, examples: Examples, judge: Judge) -> list[Figure]:
    """Turn a dial on a few images of either kind, and compare its strengths with what the judge makes of them."""
    few = torch.cat([examples.without[:FEW], examples.with_[:FEW]])
    strengths = torch.linspace(-1, 1, DIAL)
    said = torch.stack([judge(adjust(few, float(strength))) for strength in strengths])
    with contextlib.suppress(ConfigurationError):  # without torchmetrics
        ranks = rank_correlation(strengths[:, None].expand(-1, len(few)), said)
        return [mean("dial", f"rank correlation of {DIAL} strengths and judge", ranks)]
    return []


def _cost(weights: Pretrained, examples: Examples) -> list[Figure]:
    """Time removals of small batches by the method's fastest form; the first batch warms up and does not count."""
    remove, times = Remove(fast_form(weights.model)), []
    for batch in [examples.with_[:_TIMED], *torch.split(examples.with_, _TIMED)[:_BATCHES]]:
        started = time.perf_counter()
        remove(batch)
        times.append(1000 * (time.perf_counter() - started) / len(batch))
    tensors = [*weights.model.state_dict().values(), *([] if weights.guides is None else [weights.guides])]
    stored = getattr(torch, weights.info.dtype).itemsize
    megabytes = sum(tensor.numel() for tensor in tensors) * stored / 1e6
    return [
        mean("milliseconds", "milliseconds per removal here, whole pictures", torch.tensor(times[1:])),
        Figure("megabytes", "size of the weights, MB", megabytes, None, None, 1),
    ]


DIAL = 9
"""Strengths at which a dial is looked at, from -1 to 1."""

_TIMED, _BATCHES = 8, 8


def _largest_change(edit: Edit, before: Tensor) -> Tensor:
    return ((edit.image - before).abs() * (edit.mask == 0)).flatten(1).amax(1)
