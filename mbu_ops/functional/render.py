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
from mbu_ops.functional.any_size import SMOOTH, Area, shrunk
from mbu_ops.functional.blend import blend, premultiplied, straight
from mbu_ops.functional.grid import sheet_png
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

    def _repr_png_(self) -> bytes:
        """Show the first images of the batch in a notebook, each above its mask."""
        return sheet_png([self.image, self.mask.amax(1, keepdim=True)])


class Band(NamedTuple):
    """Some rows of an edit, where its frame lies in the photo.

    Attributes:
        rows: which of the photo's.
        columns: which of the photo's.
        own: ``(B, 3, h, w)``, the photo's pixels there.
        mask: ``(B, 1, h, w)``, opacity.
        raw: ``(B, 3, h, w)`` in [0, 1], the pixels under it.
    """

    rows: slice
    columns: slice
    own: Tensor
    mask: Tensor
    raw: Tensor

    @property
    def image(self) -> Tensor:
        """The photo's pixels there with the edit."""
        return blend(self.own, self.raw, self.mask)

    def moved(self, down: int, right: int) -> Band:
        """Return the band for a photo that has so many more rows above, and columns to the left."""
        rows = slice(self.rows.start + down, self.rows.stop + down)
        return self._replace(rows=rows, columns=slice(self.columns.start + right, self.columns.stop + right))


def render(
    photo: Tensor,
    layer: Layer,
    frame: Rectangle | Area | None = None,
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
        frame: where in the photo the layer lies, an area where the photo's size is open; all of it if None.
        guide: ``(1 or B, 3, h, w)`` RGB in [0, 1], whose own pixels the layer takes; needed only by layers that do.
            With a fourth channel, alpha, the layer is only as opaque as the guide is there.
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
    if frame is None or isinstance(frame, Area):
        (band,) = render_bands(photo, layer, frame, guide, guide_frame)
        return Edit(band.image, band.mask, band.raw)
    edit = Edit(photo.clone(), torch.zeros_like(photo[:, :1]), photo.clone())
    for band in render_bands(photo, layer, frame, guide, guide_frame):
        for whole, part in zip(edit, (band.image, band.mask, band.raw), strict=True):
            whole[..., band.rows, band.columns] = part
    return edit


def render_bands(
    photo: Tensor,
    layer: Layer,
    frame: Rectangle | Area | None = None,
    guide: Tensor | None = None,
    guide_frame: Rectangle | None = None,
    pixels: int | None = None,
) -> Iterator[Band]:
    """Yield what :func:`render` blends, a few rows at a time.

    Args:
        photo: see :func:`render`; it must not change before the last band is made, since pixels may move.
        layer: see :func:`render`.
        frame: see :func:`render`.
        guide: see :func:`render`.
        guide_frame: see :func:`render`.
        pixels: about how many pixels a band has where the frame lies turned, :data:`BAND` by default; an upright frame
            is a single band.

    Raises:
        ConfigurationError: see :func:`render`.
        ShapeError: see :func:`render`.
    """
    size = photo.shape[-2], photo.shape[-1]
    if layer.own is not None:
        # its hidden share: all of a photo and nothing else is the photo bit for bit, since zeros stay zeros
        layer = layer._replace(own=layer.own._replace(gain=1 - layer.own.gain))
    around = _Around(photo, layer, frame or Rectangle(size[1] / 2, size[0] / 2, size[1], size[0]), guide, guide_frame)
    if isinstance(frame, Area):
        lay = frame.laying((layer.mask.shape[-2], layer.mask.shape[-1]))
        planes = layer.mapped(lambda plane, kind: lay(plane, kind in SMOOTH).to(photo.dtype))
        faded = planes.opacity * frame.fade().to(photo)
        yield around.band(planes._replace(mask=faded, ramp=None), slice(0, size[0]), slice(0, size[1]))
        return
    box = (0, 0, size[1], size[0]) if frame is None else frame.upright(*size)
    if box is not None:
        left, top, right, bottom = box
        planes = layer.resized((bottom - top, right - left), photo.dtype)
        yield around.band(planes, slice(top, bottom), slice(left, right))
        return
    assert frame is not None  # noqa: S101 - the whole photo is upright
    fine = layer.resized(_fine(layer.mask, frame), photo.dtype)
    for rows, columns, fractions in _places(frame, size, photo, pixels):
        planes = fine.sampled(fractions)
        faded = planes.opacity * _fade(fractions, frame.rim).to(photo.dtype)
        yield around.band(planes._replace(mask=faded, ramp=None), rows, columns)


def mask_bands(
    mask: Tensor, frame: Rectangle | Area, like: Tensor, pixels: int | None = None
) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Yield masks of a frame as they lie in a photo, a few rows at a time.

    Args:
        mask: ``(B, C, h, w)`` in [0, 1].
        frame: where they belong, see :func:`render`.
        like: the photo, ``(B, ., H, W)``, whose size and dtype they get.
        pixels: about how many pixels a band has, :data:`BAND` by default.

    Yields:
        Rows and columns of the photo, the masks there ``(B, C, rows, columns)``, and ``(1, 1, rows, columns)``, how
        much they count: 1, but for the frame's rim and 0 outside it.
    """
    size = like.shape[-2], like.shape[-1]
    if isinstance(frame, Area):
        found = frame.laying((mask.shape[-2], mask.shape[-1]))(mask).to(like.dtype)
        yield slice(0, size[0]), slice(0, size[1]), found, frame.fade().to(like)
        return
    if (box := frame.upright(*size)) is not None:
        left, top, right, bottom = box
        whole = resize(mask, (bottom - top, right - left)).to(like.dtype)
        yield slice(top, bottom), slice(left, right), whole, torch.ones_like(whole[:1, :1])
        return
    fine = resize(mask, _fine(mask, frame)).to(like.dtype)
    height, width = fine.shape[-2:]
    for rows, columns, fractions in _places(frame, size, like, pixels):
        found = sample(fine, fractions * fractions.new_tensor([width, height]))
        yield rows, columns, found, _fade(fractions, frame.rim).to(like.dtype)


def _places(
    frame: Rectangle, size: tuple[int, int], like: Tensor, pixels: int | None
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield the rows and columns of a photo that a frame touches, with where their pixels lie, in the frame's sides."""
    left, top, right, bottom = frame.bounds(*size)
    to_frame = frame.from_image()
    step = max(1, (pixels or BAND) // (right - left))
    for first in range(top, bottom, step):
        last = min(first + step, bottom)
        fractions = affine_places(to_frame, (last - first, right - left), (left, first), like=like)
        yield slice(first, last), slice(left, right), fractions


def reach(layer: Layer, frame: Rectangle, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the photo's pixels that a layer covers or takes: a halo for what moves.

    Args:
        layer: the edit.
        frame: where it lies.
        size: height and width of the photo.
    """
    left, top, right, bottom = frame.bounds(*size)
    if layer.own is None or layer.own.flow is None:
        return left, top, right, bottom
    farthest = arrows(layer.own.flow.detach(), frame.matrix()).abs().amax().item()
    # smooth flows overshoot between their points
    halo = math.ceil(1.25 * farthest) + 2
    return max(left - halo, 0), max(top - halo, 0), min(right + halo, size[1]), min(bottom + halo, size[0])


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
    frame: Rectangle | Area
    guide: Tensor | None
    guide_frame: Rectangle | None

    def band(self, planes: Layer, rows: slice, columns: slice) -> Band:
        """Return the band of some of the photo's pixels, from a layer whose planes have just these."""
        raw = planes.bias
        if planes.own is not None:
            own = self._own_pixels(planes.own.flow, rows, columns)
            hidden = planes.own.gain  # see render_bands
            apart = own if planes.own.low is None else own - planes.own.low
            raw = torch.addcmul(raw + own, hidden, apart, value=-1)
        opacity = planes.opacity
        if planes.guide is not None:
            pixels = self._guide_pixels(planes.guide.flow, rows, columns)
            if pixels.shape[1] == 4:  # a thing alone hides what lies behind it, and no more
                alone = straight(pixels)
                opacity, pixels = opacity * alone[:, 3:], alone[:, :3]
            raw = raw + planes.guide.gain * pixels
        if raw is not self.layer.bias:  # resampled or added up: it may overshoot
            raw = raw.clamp(0, 1)
        return Band(rows, columns, self.photo[..., rows, columns], opacity, raw)

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
        guide = premultiplied(self.guide) if self.guide.shape[1] == 4 else self.guide
        height, width = guide.shape[-2:]
        frame = self.guide_frame or Rectangle(width / 2, height / 2, width, height)
        # a guide that is finer than the photo is shrunk first: sampling alone would miss pixels
        small, to_small = _no_finer(guide, frame, self.frame)
        matrix = to_small @ frame.matrix()
        size, start = (rows.stop - rows.start, columns.stop - columns.start), (columns.start, rows.start)
        places = affine_places(matrix @ self.frame.from_image(), size, start, like=small)
        if flow is not None:
            places = places + arrows(flow, matrix)
        count = max(small.shape[0], places.shape[0] if places.ndim == 4 else 1)
        return sample(small.expand(count, -1, -1, -1), places).to(self.photo.dtype)


def _no_finer(guide: Tensor, guide_frame: Rectangle, frame: Rectangle | Area) -> tuple[Tensor, Tensor]:
    """Return a guide no finer than a photo, and the ``(3, 3)`` float64 matrix from its own pixels to those returned.

    Args:
        guide: ``(B, C, h, w)``.
        guide_frame: where in the guide a layer lies.
        frame: where in the photo.
    """
    if isinstance(frame, Area):
        return shrunk(guide, torch.maximum(guide_frame.width / frame.width, guide_frame.height / frame.height).clamp(1))
    height, width = guide.shape[-2:]
    shrink = max(1.0, guide_frame.width / frame.width, guide_frame.height / frame.height)
    small = resize(guide, (max(1, round(height / shrink)), max(1, round(width / shrink))))
    scales = [small.shape[-1] / width, small.shape[-2] / height, 1]
    return small, torch.diag(torch.tensor(scales, dtype=torch.float64))


def _fine(mask: Tensor, frame: Rectangle) -> tuple[int, int]:
    """Return the size from which a layer with that mask is sampled into its frame.

    Up to twice its own, so that masks have smooth edges for a fraction of what all of the photo's pixels would cost;
    at most that of the frame's pixels where these are fewer than half of its own, since sampling would miss some.
    """
    counts = []
    for count, side in zip(mask.shape[-2:], (frame.height, frame.width), strict=True):
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
