"""Render a layer onto a photo of any size: the one place where edits are blended.

Source of the blend: Mokady, Benaim, Wolf, Bermano, *Mask based unsupervised content transfer*, ICLR 2020, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.blend import blend
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.mask import resize
from mbu_ops.functional.sampling import affine_places, arrows, sample
from mbu_ops.functional.similarity import Rectangle

BAND = 1 << 20
"""About how many pixels are rendered at a time: a face that fills a large photo must not need gigabytes."""


class Edit(NamedTuple):
    """An edited image together with what it was made from, all at the size and dtype of the input.

    ``image`` is ``blend(input, raw, mask)``, but where an op makes a mask, and leaves the image as it is.

    Attributes:
        image: ``(B, 3, H, W)`` RGB in [0, 1], the result.
        mask: ``(B, 1, H, W)`` in [0, 1], where the image changed; exactly 0 where it did not.
        raw: ``(B, 3, H, W)`` RGB in [0, 1], the pixels that were blended in under the mask.
    """

    image: Tensor
    mask: Tensor
    raw: Tensor


class Band(NamedTuple):
    """Some rows of an edit, where its frame lies in the photo.

    Attributes:
        rows: which of the photo's.
        columns: which of the photo's.
        mask: ``(B, 1, h, w)``, opacity.
        raw: ``(B, 3, h, w)`` in [0, 1], the pixels under it.
    """

    rows: slice
    columns: slice
    mask: Tensor
    raw: Tensor

    def of(self, photo: Tensor) -> Tensor:
        """Return the photo's pixels there, a view of it."""
        return photo[..., self.rows, self.columns]


def render(
    photo: Tensor,
    layer: Layer,
    frame: Rectangle | None = None,
    guide: Tensor | None = None,
    guide_frame: Rectangle | None = None,
) -> Edit:
    """Put a layer on a photo, at the photo's own pixels.

    ``lerp(x, gain * x(p + flow) + guide_gain * g(p + guide_flow) + bias, mask)``, with all planes of the layer
    resampled to the photo. What no mask covers is the photo's own, bit for bit. Differentiable with respect to the
    photo, the guide and the layer.

    Args:
        photo: ``(B, 3, H, W)`` RGB in [0, 1].
        layer: the edit, of B images.
        frame: where in the photo the layer lies; all of it if None.
        guide: ``(1 or B, 3, h, w)`` RGB in [0, 1], whose own pixels the layer takes; needed only by layers that do.
        guide_frame: where in the guide the layer's content lies; all of it if None.

    Returns:
        The edit, at the photo's size and dtype.

    Raises:
        ConfigurationError: if the layer takes pixels of a guide, and there is none.
        ShapeError: if the frame lies outside the photo.

    Example:
        >>> from mbu_ops.functional.layer import painted
        >>> photo, raw = torch.rand(1, 3, 64, 48), torch.rand(1, 3, 16, 16)
        >>> edit = render(photo, painted(raw, torch.zeros(1, 1, 16, 16)))
        >>> torch.equal(edit.image, photo)
        True
    """
    if frame is None:
        (band,) = render_bands(photo, layer, None, guide, guide_frame)
        return Edit(blend(photo, band.raw, band.mask), band.mask, band.raw)
    edit = Edit(photo.clone(), torch.zeros_like(photo[:, :1]), photo.clone())
    for band in render_bands(photo, layer, frame, guide, guide_frame):
        parts = blend(band.of(photo), band.raw, band.mask), band.mask, band.raw
        for whole, part in zip(edit, parts, strict=True):
            band.of(whole).copy_(part)
    return edit


def render_bands(
    photo: Tensor,
    layer: Layer,
    frame: Rectangle | None = None,
    guide: Tensor | None = None,
    guide_frame: Rectangle | None = None,
    pixels: int = BAND,
) -> Iterator[Band]:
    """Yield what :func:`render` blends, a few rows at a time.

    Args:
        photo: see :func:`render`; it must not change before the last band is made, since pixels may move.
        layer: see :func:`render`.
        frame: see :func:`render`.
        guide: see :func:`render`.
        guide_frame: see :func:`render`.
        pixels: about how many pixels a band has where the frame lies turned; an upright one is a single band.

    Raises:
        ConfigurationError: see :func:`render`.
        ShapeError: see :func:`render`.
    """
    size = photo.shape[-2], photo.shape[-1]
    around = _Around(photo, layer, frame or Rectangle(size[1] / 2, size[0] / 2, size[1], size[0]), guide, guide_frame)
    box = (0, 0, size[1], size[0]) if frame is None else _upright(frame, size)
    if box is not None:
        left, top, right, bottom = box
        planes = layer.resized((bottom - top, right - left), photo.dtype)
        yield around.band(planes, slice(top, bottom), slice(left, right))
        return
    assert frame is not None  # noqa: S101 - the whole photo is upright
    left, top, right, bottom = frame.bounds(*size)
    fine = layer.resized(_fine(layer, frame), photo.dtype)
    to_frame = frame.matrix().inverse()
    step = max(1, pixels // (right - left))
    for first in range(top, bottom, step):
        last = min(first + step, bottom)
        fractions = affine_places(to_frame, (last - first, right - left), (left, first), like=photo)
        planes = fine.sampled(fractions)
        faded = planes.opacity * _fade(fractions, frame.rim).to(photo.dtype)
        yield around.band(planes._replace(mask=faded, ramp=None), slice(first, last), slice(left, right))


class _Around(NamedTuple):
    """What a layer's pixels come from.

    Attributes:
        photo: ``(B, 3, H, W)``.
        layer: the edit.
        frame: where in the photo it lies.
        guide: the guide, or None.
        guide_frame: where in the guide its content lies, or None for all of it.
    """

    photo: Tensor
    layer: Layer
    frame: Rectangle
    guide: Tensor | None
    guide_frame: Rectangle | None

    def band(self, planes: Layer, rows: slice, columns: slice) -> Band:
        """Return the band of some of the photo's pixels, from a layer whose planes have just these."""
        raw = planes.bias
        if planes.own is not None:
            raw = raw + planes.own.gain * self._own_pixels(planes.own.flow, rows, columns)
        if planes.guide is not None:
            raw = raw + planes.guide.gain * self._guide_pixels(planes.guide.flow, rows, columns)
        return Band(rows, columns, planes.opacity, raw.clamp(0, 1))

    def _own_pixels(self, flow: Tensor | None, rows: slice, columns: slice) -> Tensor:
        if flow is None:
            return self.photo[..., rows, columns]
        matrix = self.frame.matrix()
        size, start = (rows.stop - rows.start, columns.stop - columns.start), (columns.start, rows.start)
        here = affine_places(torch.eye(3, dtype=torch.float64), size, start, like=flow)
        places = here + arrows(flow, matrix)
        if torch.compiler.is_compiling() or size == tuple(self.photo.shape[-2:]):
            return sample(self.photo, places)
        # with as much around the band as its pixels come from: half-precision photos are made wide for sampling
        height, width = self.photo.shape[-2:]
        left, top = (math.floor(value) - 1 for value in places.detach().amin((0, 1, 2)).tolist())
        right, bottom = (math.ceil(value) + 1 for value in places.detach().amax((0, 1, 2)).tolist())
        left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
        near = self.photo[..., top : max(bottom, top + 1), left : max(right, left + 1)]
        return sample(near, places - places.new_tensor([left, top]))

    def _guide_pixels(self, flow: Tensor | None, rows: slice, columns: slice) -> Tensor:
        if self.guide is None:
            raise ConfigurationError(
                "expected a guide picture, since these weights take the guide's own pixels; got none, or only its code"
            )
        height, width = self.guide.shape[-2:]
        frame = self.guide_frame or Rectangle(width / 2, height / 2, width, height)
        # a guide that is finer than the photo is shrunk first: sampling alone would miss pixels
        shrink = max(1.0, frame.width / self.frame.width, frame.height / self.frame.height)
        small = resize(self.guide, (max(1, round(height / shrink)), max(1, round(width / shrink))))
        to_small = torch.diag(torch.tensor([small.shape[-1] / width, small.shape[-2] / height, 1], dtype=torch.float64))
        matrix = to_small @ frame.matrix()
        size, start = (rows.stop - rows.start, columns.stop - columns.start), (columns.start, rows.start)
        places = affine_places(matrix @ self.frame.matrix().inverse(), size, start, like=small)
        if flow is not None:
            places = places + arrows(flow, matrix)
        count = max(small.shape[0], places.shape[0] if places.ndim == 4 else 1)
        return sample(small.expand(count, -1, -1, -1), places)


def _upright(frame: Rectangle, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return left, top, right, bottom of a frame of whole pixels inside a photo; None for any other."""
    if frame.angle or frame.rim:
        return None
    (left, top), _, (right, bottom), _ = frame.corners
    sides = left, top, right, bottom
    if (
        not all(float(side).is_integer() for side in sides)
        or left < 0
        or top < 0
        or right > size[1]
        or bottom > size[0]
    ):
        return None
    return int(left), int(top), int(right), int(bottom)


def _fine(layer: Layer, frame: Rectangle) -> tuple[int, int]:
    """Return the size from which a layer is sampled into its frame.

    Up to twice its own, so that masks have smooth edges for a fraction of what all of the photo's pixels would cost;
    at most that of the frame's pixels where these are fewer than half of its own, since sampling would miss some.
    """
    counts = []
    for count, side in zip(layer.mask.shape[-2:], (frame.height, frame.width), strict=True):
        pixels = math.ceil(side)
        counts.append(min(max(pixels, count), 2 * count) if 2 * pixels >= count else pixels)
    return counts[0], counts[1]


def _fade(fractions: Tensor, rim: float) -> Tensor:
    """Return ``(1, 1, h, w)`` that is 1 in a frame but for its rim, where it falls to 0 at the border, and 0 outside.

    Args:
        fractions: ``(h, w, 2)``, in the frame's sides.
        rim: share of the sides.
    """
    ramp = (torch.minimum(fractions, 1 - fractions) / max(rim, 1e-6)).clamp(0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return ramp.prod(-1)[None, None]


def compose(first: Edit, second: Edit) -> Edit:
    """Return two edits, the second made on the first's result, as one edit of the first's input.

    The masks unite as ``1 - (1 - m1)(1 - m2)``; raw is the mixture of the two that gives the same image.

    Args:
        first: any edit.
        second: an edit of ``first.image``.

    Returns:
        An edit with ``image = second.image``.

    Example:
        >>> import torch
        >>> one, half = torch.ones(1, 3, 1, 1), torch.full((1, 1, 1, 1), 0.5)
        >>> compose(Edit(0.5 * one, half, one), Edit(0.25 * one, half, 0 * one)).mask.item()
        0.75
    """
    mask = first.mask + second.mask - first.mask * second.mask
    share = second.mask / torch.where(mask > 0, mask, 1)
    return Edit(second.image, mask, blend(first.raw, second.raw, share))
