"""Contents of other photos, laid on photos: who lends them, where they fit, in whose light. May import no network."""

from __future__ import annotations

from typing import NamedTuple

import torch
from kornia.color import rgb_to_grayscale
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.data.capture import even
from mbu_ops.functional.mask import dilate

NEAREST = 40
"""A photo's donors are so many of those that look most like it: the same way, and with skin as light."""

_SKETCH = 12, 16
_TONE = 20.0
"""How much the mean colour counts beside the sketch's structure."""

_UNLIKE = 1e3
"""How much a label that differs counts: more than all that sketches can differ in."""

_COARSE, _SHIFT = 4, 0.1
"""Donors are moved to where they fit, as seen in pictures so many times smaller, by up to this share of a side."""

_RING = 8
"""Pixels around a cut content in which its photo's light is compared with the other's."""

_FINE = 9, 9
"""Pixels over which light is the same."""

_DARK, _LIGHT = 0.02, 0.9
"""What is added to both sides of a ratio, so that black has one, and the largest logarithm of a ratio."""

_ODD, _TINT = 0.35, 0.1
"""Ratios so far from most others are hardly believed; how far a ratio's tint may be from the usual one."""

OPAQUE = 0.75
"""Share of the contents that are laid on as they are; the others only darken, as stubble and shadows do."""


class Drawn(NamedTuple):
    """What a pen drew.

    Attributes:
        pictures: ``(B, 3, H, W)`` RGB in [0, 1], the photos with the content.
        masks: ``(B, 1, H, W)`` in [0, 1]: how much of each pixel is the content's.
    """

    pictures: Tensor
    masks: Tensor


@torch.no_grad()
def nearest(
    without: Tensor,
    with_: Tensor,
    usable: Tensor | None = None,
    count: int = NEAREST,
    labels: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Return for each photo without a content those photos with it that look most like it.

    Compared are small grey sketches, which show which way a head is turned, and mean colours; where labels are known,
    those with the same ones come first: a bearded man's smile is cut out of another one's beard.

    Args:
        without: ``(N, 3, H, W)`` uint8 RGB.
        with_: ``(M, 3, H, W)`` uint8 RGB.
        usable: ``(M,)`` bool, which of them to use; all when ``None``.
        count: how many donors a photo gets.
        labels: ``(N, K)`` and ``(M, K)`` bool, what else is known of the photos.

    Returns:
        ``(N, min(count, 2 * M))`` int64: up to ``M`` the photos as they are, from there on mirrored.

    Example:
        >>> photos = torch.randint(256, (5, 3, 24, 32), dtype=torch.uint8)
        >>> nearest(photos, photos.flip(-1), count=1).flatten().tolist()
        [5, 6, 7, 8, 9]
    """
    donors = torch.cat([_sketches(with_), _sketches(with_.flip(-1))])
    chosen = torch.arange(len(donors)) if usable is None else torch.cat([usable, usable]).nonzero().flatten()
    donors, count = donors[chosen], min(count, len(chosen))
    mine, theirs = (torch.zeros(len(one), 0) for one in (without, with_)) if labels is None else labels
    theirs = torch.cat([theirs, theirs])[chosen]
    found = []
    for part, known in zip(torch.split(_sketches(without), 512), torch.split(mine.float(), 512), strict=True):
        apart = torch.cdist(part, donors) + _UNLIKE * torch.cdist(known, theirs.float(), p=1)
        found.append(chosen[apart.topk(count, largest=False).indices])
    return torch.cat(found)


def _sketches(photos: Tensor) -> Tensor:
    """Return ``(N, D)``: grey structure at a few pixels, and the mean colour."""
    parts = []
    for chunk in torch.split(photos, 256):
        pixels = chunk.float() / 255
        small = F.interpolate(rgb_to_grayscale(pixels), _SKETCH, mode="area").flatten(1)
        small = (small - small.mean(1, keepdim=True)) / (small.std(1, keepdim=True) + 0.02)
        parts.append(torch.cat([small, _TONE * pixels.mean((2, 3))], 1))
    return torch.cat(parts)


def fitted(donors: Tensor, photos: Tensor) -> Tensor:
    """Return other photos moved to where their structure fits photos best.

    Args:
        donors: ``(B, C, H, W)``, RGB in [0, 1] first.
        photos: ``(B, 3, H, W)`` RGB in [0, 1].

    Example:
        >>> photos = torch.rand(2, 3, 48, 96)
        >>> torch.allclose(fitted(photos.roll(8, -1), photos)[..., 8:-8], photos[..., 8:-8], atol=1e-4)
        True
    """
    count, (height, width) = len(photos), photos.shape[-2:]
    theirs, ours = _structure(donors[:, :3]), _structure(photos)
    reach = [int(_SHIFT * side) for side in ours.shape[-2:]]
    around = F.pad(theirs, (reach[1], reach[1], reach[0], reach[0]), mode="replicate").transpose(0, 1)
    fits = F.conv2d(around, ours, groups=count).flatten(2)[0]
    best, columns = fits.argmax(1), 2 * reach[1] + 1
    down, right = (best // columns - reach[0]).to(photos), (best % columns - reach[1]).to(photos)
    matrix = torch.eye(2, 3).to(photos).repeat(count, 1, 1)
    matrix[:, 0, 2], matrix[:, 1, 2] = 2 * _COARSE * right / width, 2 * _COARSE * down / height
    places = F.affine_grid(matrix, list(donors.shape), align_corners=False)
    return F.grid_sample(donors, places, padding_mode="border", align_corners=False)


def _structure(pixels: Tensor) -> Tensor:
    """Return ``(B, 1, h, w)``: what is brighter or darker than around it, in few pixels."""
    grey = F.avg_pool2d(rgb_to_grayscale(pixels), _COARSE)
    return grey - F.avg_pool2d(grey, 9, 1, 4, count_include_pad=False)


def seams(photos: Tensor, donors: Tensor) -> Tensor:
    """Return how unlike a photo and another one are around the content that would be laid on it, however bright.

    Light of another colour counts: made the photo's, a channel that hardly anything was seen in is noise.

    As seen in pictures a few times smaller, like what :func:`fitted` compares.

    Args:
        photos: ``(B, 3, H, W)`` RGB in [0, 1].
        donors: ``(B, 4, H, W)``, RGB and the content's mask in [0, 1].

    Returns:
        ``(B,)``, the standard deviation of the natural logarithm of their ratio, 0 where one is the other, brighter
        or darker.

    Example:
        >>> photos = torch.rand(2, 3, 48, 64) / 2
        >>> donors = torch.cat([1.5 * photos, torch.zeros(2, 1, 48, 64)], 1)
        >>> donors[:, 3, 16:32, 16:48] = 1
        >>> bool((seams(photos, donors) < seams(photos, donors.roll(9, -1))).all())
        True
    """
    theirs, masks, ours = (F.avg_pool2d(one, _COARSE) for one in (donors[:, :3], donors[:, 3:], photos))
    ring = _ring(_softened(masks), _RING // _COARSE)
    ratios = ((ours + _DARK) / (theirs + _DARK)).log()
    apart = (ratios - _mean(ratios.mean(1, keepdim=True), ring)).square().mean(1, keepdim=True)
    return _mean(apart, ring).flatten().sqrt()


def laid_on(photos: Tensor, donors: Tensor, opaque: float = OPAQUE) -> Drawn:
    """Return photos with the contents of other photos laid on them, in their own light.

    Most are laid on as they are; the others only darken what they cover, by how much darker they are than the skin
    around. Light and tint are brought to the photo's, all around the content to what they are there: factors that are
    known around it are carried smoothly into it (the membrane of Perez, Gangnet and Blake, SIGGRAPH 2003, of
    logarithms), so that no seam tells where it lies.

    Args:
        photos: ``(B, 3, H, W)`` RGB in [0, 1].
        donors: ``(B, 4, H, W)``, RGB and the content's mask in [0, 1].
        opaque: share of those that are laid on as they are.

    Example:
        >>> photos, donors = torch.rand(2, 3, 16, 16), torch.rand(2, 4, 16, 16)
        >>> donors[:, 3] = 0
        >>> torch.equal(laid_on(photos, donors).pictures, photos)
        True
    """
    pixels, masks = donors[:, :3], _softened(donors[:, 3:])
    ring = _ring(masks, _RING)
    factors = _carried(*_believed(_ratios(pixels, photos, ring), ring)).clamp(-_LIGHT, _LIGHT).exp()
    pixels = (pixels * factors).clamp(0, 1)
    around = _mean(photos, ring)
    darker = ((rgb_to_grayscale(pixels) + 0.03) / (rgb_to_grayscale(around) + 0.03)).clamp(0.05, 1.05)
    shaded = photos * (1 + masks * (darker - 1))
    pasted = torch.lerp(photos, pixels, masks)
    return Drawn(torch.where(even(photos) < opaque, pasted, shaded).clamp(0, 1), masks)


def _softened(masks: Tensor) -> Tensor:
    return gaussian_blur2d(((masks - 0.1) / 0.3).clamp(0, 1), (5, 5), (1.0, 1.0))


def _ring(masks: Tensor, width: int) -> Tensor:
    return (dilate(masks, width) - masks).clamp(0, 1)


def _ratios(theirs: Tensor, ours: Tensor, ring: Tensor) -> Tensor:
    """Return the natural logarithm of how much brighter our photos are, by channel, of what a ring shows alone."""
    shown = torch.cat([theirs * ring, ours * ring, ring], 1)
    theirs, ours, much = torch.split(gaussian_blur2d(shown, _FINE, (_FINE[0] / 4, _FINE[1] / 4)), [3, 3, 1], 1)
    return ((ours + _DARK * much + 1e-6) / (theirs + _DARK * much + 1e-6)).log()


def _believed(ratios: Tensor, ring: Tensor) -> tuple[Tensor, Tensor]:
    """Return ratios of light alone, and how much each is believed.

    Where a content reaches beyond its mask, ratios are those of two things, such as hair and skin.
    """
    grey = ratios.mean(1, keepdim=True)
    trust = ring
    for _ in range(3):
        middle = _mean(grey, trust)
        trust = ring * (-((grey - middle) / _ODD).square()).exp()
    tint = ratios - grey
    usual = _mean(tint, trust)
    return grey + usual + (tint - usual).clamp(-_TINT, _TINT), trust


def _carried(values: Tensor, weights: Tensor) -> Tensor:
    """Return values that are known where weights are 1, carried smoothly to where they are 0.

    By a pyramid (pull and push: Gortler et al., The Lumigraph, SIGGRAPH 1996).
    """
    height, width = values.shape[-2:]
    if max(height, width) == 1:
        return values
    known = F.avg_pool2d(weights, 2, ceil_mode=True)
    coarse = F.avg_pool2d(values * weights, 2, ceil_mode=True) / (known + 1e-6)
    # one pixel of four that is known says enough
    filled = F.interpolate(_carried(coarse, (4 * known).clamp(max=1)), (height, width), mode="bilinear")
    return torch.lerp(filled, values, weights)


def _mean(pixels: Tensor, weights: Tensor) -> Tensor:
    return (pixels * weights).sum((2, 3), keepdim=True) / (weights.sum((2, 3), keepdim=True) + 1e-3)
