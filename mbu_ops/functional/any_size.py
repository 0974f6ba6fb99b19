"""Resampling in graphs that hold for images of any size, as :func:`torch.export.export` traces them.

While such a graph is traced, the sides of an image are symbols, and nothing may be decided by them: whether an image
shrinks, how many pixels a part of it has. Here each axis is resampled by a matrix whose numbers follow from the sides
when the graph runs; sizes in between are padded to the largest they can be. The results are those of
:func:`mbu_ops.functional.mask.resize`, :func:`mbu_ops.functional.similarity.extract` and
:func:`mbu_ops.functional.render.render`, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

STEP = 32
"""Rectangles are cut out at multiples of this, so that faces of about one size share a batch."""

SMOOTH = ("bias", "flow")
"""Kinds of a layer's planes that are bicubic where they grow: bilinear colours of a small network show as squares,
and a flow as folds; bicubic masks would overshoot."""

_MARGIN = 8
"""More pixels than are cut out: what lies just outside takes part in the interpolation."""

_CUBIC = -0.75
"""The constant ``a`` of bicubic interpolation, as torch has it."""


def is_open(*sides: int) -> bool:
    """Return whether one of some sides is a symbol, since a graph is traced that holds for images of any size.

    Example:
        >>> is_open(128, 96)
        False
    """
    return any(isinstance(side, torch.SymInt) for side in sides)


def number(side: float) -> Tensor:
    """Return a number, or a symbol, as a tensor, ``()`` float64: numbers of Python become float32 in ONNX files."""
    return torch.tensor(side, dtype=torch.float64)


def resized(pixels: Tensor, size: tuple[int, int], smooth: bool = False) -> Tensor:
    """Return pixels at another size, bilinear, and antialiased along an axis that shrinks.

    Args:
        pixels: ``(B, C, H, W)`` floating point.
        size: height and width wanted.
        smooth: bicubic where neither axis shrinks.

    Returns:
        ``(B, C, *size)`` of the same dtype.

    Example:
        >>> from mbu_ops.functional.mask import resize
        >>> pixels = torch.rand(1, 3, 7, 40)
        >>> torch.allclose(resized(pixels, (16, 9)), resize(pixels, (16, 9)), atol=1e-5)
        True
    """
    height, width = number(size[0]), number(size[1])
    return _applied(pixels, *_resizing(pixels, (height, width), size, smooth))


class Axis(NamedTuple):
    """A rectangle along one axis of an image.

    Attributes:
        pixels: how many the image has.
        start: where the rectangle begins, ``()`` float64 in pixels.
        side: how long it is, the same.
    """

    pixels: int
    start: Tensor
    side: Tensor

    @classmethod
    def of(cls, pixels: int, centre: float, side: float) -> Axis:
        """Return the axis of a rectangle whose centre and side are given in sides of the image."""
        whole = number(pixels)
        length = whole * number(side)
        return cls(pixels, whole / 2 + number(centre - 0.5) * whole - 0.5 * length, length)

    def fractions(self) -> Tensor:
        """Return where the image's pixels lie in the rectangle, in its side, ``(pixels,)`` float64."""
        return (torch.arange(self.pixels, dtype=torch.float64) + 0.5 - self.start) / self.side

    def cutting(self, count: Tensor, shrink: Tensor, limit: int, seen: int) -> Tensor:
        """Return the matrix, ``(seen, pixels)``, that cuts the rectangle out of an image and shrinks its content.

        Args:
            count: at how many pixels it is cut out.
            shrink: by how much the image is shrunk first, as little as 1.
            limit: most pixels that it may be cut out at.
            seen: how many pixels are seen.
        """
        first = (self.start.floor() - 2).clamp(min=0)
        last = torch.minimum((self.start + self.side).ceil() + 2, number(self.pixels))
        small = ((last - first) / shrink).ceil()
        shrinking = _averages(limit + _MARGIN, self.pixels, (last - first) / small, first, last)
        at = self.start + self.side * _centres(limit) / count
        sampling = _between((at - first) * small / (last - first), limit + _MARGIN, small)
        return _averages(seen, limit, count / seen, number(0), count) @ sampling @ shrinking


Laying = Callable[..., Tensor]
"""From a plane, and whether it is smooth, to the plane as it lies in images."""


class Area(NamedTuple):
    """An upright rectangle in images whose size is open.

    Attributes:
        down: along the images' height.
        across: along their width.
        rim: share of its sides in which what is drawn there fades towards its border; 0 for whole images.
    """

    down: Axis
    across: Axis
    rim: float = 0.0

    @property
    def width(self) -> Tensor:
        """In pixels, ``()`` float64."""
        return self.across.side

    @property
    def height(self) -> Tensor:
        """In pixels, ``()`` float64."""
        return self.down.side

    def matrix(self) -> Tensor:
        """Return the ``(3, 3)`` float64 matrix from fractions of the rectangle's sides to pixels of the image."""
        corner = torch.stack([self.across.start, self.down.start, number(1)])
        return torch.cat([torch.diag(torch.stack([self.width, self.height, number(1)]))[:, :2], corner[:, None]], 1)

    def from_image(self) -> Tensor:
        """Return the matrix from pixels of the image to fractions of the rectangle's sides."""
        sides = torch.stack([self.width, self.height, number(1)])
        corner = torch.stack([-self.across.start, -self.down.start, number(1)])
        return torch.cat([torch.diag(1 / sides)[:, :2], (corner / sides)[:, None]], 1)

    def is_finer(self, size: tuple[int, int]) -> Tensor:
        """Return whether images have more pixels there than a size, ``()`` bool."""
        return (self.height > size[0]) | (self.width > size[1])

    def seen(self, image: Tensor, limit: int, size: tuple[int, int]) -> Tensor:
        """Return what a network of some size sees there, ``(B, C, *size)``.

        Args:
            image: ``(B, C, H, W)`` floating point.
            limit: most pixels along the longer side that it is cut out at, before it is shrunk to the size.
            size: height and width of what is seen.
        """
        if not self.rim:
            return resized(image, size)
        longer = torch.maximum(self.width, self.height)
        longest = torch.minimum((longer / STEP).ceil() * STEP, (2 * longer).floor()).clamp(max=limit)
        counts = [(longest * side / longer).round().clamp(min=1) for side in (self.height, self.width)]
        shrink = torch.maximum(self.height / counts[0], self.width / counts[1]).clamp(min=1)
        rows, columns = (
            axis.cutting(count, shrink, limit, seen)
            for axis, count, seen in zip((self.down, self.across), counts, size, strict=True)
        )
        return _applied(image, rows, columns)

    def laying(self, size: tuple[int, int]) -> Laying:
        """Return what lays planes of what was seen into the images; past the area their border goes on.

        Args:
            size: height and width of the mask that goes with the planes, which say how finely they are sampled.

        Returns:
            A function of a plane ``(B, C, h, w)``, and of whether it is smooth: bicubic where neither axis shrinks. It
            returns ``(B, C, H, W)``, and works the matrices for planes of one size out once.
        """
        known: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}

        def lay(plane: Tensor, smooth: bool = False) -> Tensor:
            key = *plane.shape[-2:], smooth
            if key not in known:
                known[key] = self._laid(plane, size, smooth)
            return _applied(plane, *known[key])

        return lay

    def _laid(self, plane: Tensor, size: tuple[int, int], smooth: bool) -> tuple[Tensor, Tensor]:
        """Return the matrices that lay planes of a size."""
        if not self.rim:
            images = self.down.pixels, self.across.pixels
            return _fitting(plane, *_resizing(plane, (number(images[0]), number(images[1])), images, smooth))
        counts = [_fine(count, axis.side) for count, axis in zip(size, self[:2], strict=True)]
        most = 2 * size[0], 2 * size[1]
        growing = _resizing(plane, (counts[0], counts[1]), most, smooth)
        rows, columns = (
            _between(axis.fractions() * count, padded, count) @ matrix
            for axis, count, padded, matrix in zip(self[:2], counts, most, growing, strict=True)
        )
        return _fitting(plane, rows, columns)

    def fade(self) -> Tensor:
        """Return ``(1, 1, H, W)`` float64: 1 in the area but for its rim, where it falls to 0, and 0 outside.

        ``(1, 1, 1, 1)`` for whole images, which have none.
        """
        if not self.rim:
            return torch.ones(1, 1, 1, 1, dtype=torch.float64)
        down, across = (_ramp(axis.fractions(), self.rim) for axis in self[:2])
        return (down[:, None] * across)[None, None]


def shrunk(pixels: Tensor, by: Tensor) -> tuple[Tensor, Tensor]:
    """Return pixels no finer than is wanted, for sampling.

    Args:
        pixels: ``(B, C, H, W)`` floating point.
        by: by how much they are to be shrunk, ``()`` float64 of at least 1.

    Returns:
        Pixels of the same size, which show the smaller picture and, past it, its border going on; and the ``(3, 3)``
        float64 matrix from pixels of what was given to pixels of the smaller picture.
    """
    matrices, scales = [], []
    for count in pixels.shape[-2:]:
        small = (count / by).round().clamp(min=1)
        rows = torch.minimum(torch.arange(count, dtype=torch.float64), small - 1)
        matrices.append(_averages_at((rows + 0.5) * count / small, count, count / small, number(0), number(count)))
        scales.append(small / count)
    return _applied(pixels, *matrices), torch.diag(torch.stack([scales[1], scales[0], number(1)]))


def _applied(pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return pixels resampled by a matrix for each axis, in their dtype."""
    rows, columns = _fitting(pixels, rows, columns)
    return (rows @ pixels.to(rows.dtype) @ columns.mT).to(pixels.dtype)


def _fitting(pixels: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return matrices where pixels are, in their dtype or single precision."""
    dtype = torch.promote_types(pixels.dtype, torch.float32)
    return rows.to(pixels.device, dtype), columns.to(pixels.device, dtype)


def _resizing(
    pixels: Tensor, counts: tuple[Tensor, Tensor], size: tuple[int, int], smooth: bool
) -> tuple[Tensor, Tensor]:
    """Return the matrices that resize both axes of pixels to so many, padded to a size."""
    axes = list(zip(pixels.shape[-2:], counts, size, strict=True))
    down, across = (
        _averages(padded, given, number(given) / count, number(0), number(given)) for given, count, padded in axes
    )
    if not smooth:
        return down, across
    grows = (counts[0] >= pixels.shape[-2]) & (counts[1] >= pixels.shape[-1])
    fine = [_cubics(padded, given, number(given) / count) for given, count, padded in axes]
    return torch.where(grows, fine[0], down), torch.where(grows, fine[1], across)


def _centres(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float64) + 0.5


def _averages(outputs: int, inputs: int, scale: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Return the matrix of antialiased linear resampling of the inputs from the first up to the last."""
    return _averages_at(first + scale * _centres(outputs), inputs, scale, first, last)


def _averages_at(at: Tensor, inputs: int, scale: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Return the matrix of the means around some places, ``(places, inputs)``: triangles as wide as antialiasing asks.

    Args:
        at: ``(places,)`` in pixels of the input.
        inputs: how many pixels the input has.
        scale: how many of these there are to one of the output.
        first: of those that count.
        last: the first after these.
    """
    pixels = _centres(inputs)
    weights = (1 - (at[:, None] - pixels).abs() / scale.clamp(min=1)).clamp(min=0)
    weights = weights * ((pixels > first) & (pixels < last))
    # rows past the last output are empty
    return weights / weights.sum(1, keepdim=True).clamp(min=1e-6)


def _between(at: Tensor, inputs: int, count: Tensor) -> Tensor:
    """Return the matrix of linear interpolation at some places of so many of the inputs, whose border goes on."""
    places = torch.minimum((at - 0.5).clamp(min=0), count - 1)
    return (1 - (places[:, None] - torch.arange(inputs, dtype=torch.float64)).abs()).clamp(min=0)


def _cubics(outputs: int, inputs: int, scale: Tensor) -> Tensor:
    """Return the matrix of bicubic interpolation, ``(outputs, inputs)``; past the border the border goes on."""
    places = scale * _centres(outputs) - 0.5
    whole = places.floor()
    pixels = torch.arange(inputs, dtype=torch.float64)
    matrix = torch.zeros(outputs, inputs, dtype=torch.float64)
    for tap in (-1, 0, 1, 2):
        taken = (whole + tap).clamp(0, inputs - 1)
        matrix = matrix + _cubic((places - whole - tap).abs())[:, None] * (taken[:, None] == pixels)
    return matrix


def _cubic(distance: Tensor) -> Tensor:
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance * distance + 1
    far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
    return torch.where(distance <= 1, near, far)


def _fine(count: int, side: Tensor) -> Tensor:
    """Return from how many pixels a plane of so many is sampled along a side, see ``render``'s own ``_fine``."""
    pixels = side.ceil()
    return torch.where(2 * pixels >= count, pixels.clamp(count, 2 * count), pixels)


def _ramp(fractions: Tensor, rim: float) -> Tensor:
    ramp = (torch.minimum(fractions, 1 - fractions) / rim).clamp(0, 1)
    return ramp * ramp * (3 - 2 * ramp)
