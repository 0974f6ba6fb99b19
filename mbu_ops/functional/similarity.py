"""Turned rectangles in an image: cut one out upright, and spread one over the pixels it covers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from mbu_ops.errors import ShapeError
from mbu_ops.functional.any_size import STEP
from mbu_ops.functional.mask import resize
from mbu_ops.functional.sampling import affine_places, sample

LARGEST = 1024
"""Largest side that a rectangle is cut out at: networks of 128 pixels add nothing beyond it."""

RIM = 0.05
"""Share of a part's sides in which masks fall to nothing at its border."""


class Rectangle(NamedTuple):
    """A rectangle that lies anywhere in an image, in pixels; pixel ``i`` covers ``i`` to ``i + 1``.

    Attributes:
        x: of its centre.
        y: of its centre.
        width: of its upright content.
        height: of its upright content.
        angle: how far it is turned, in radians, clockwise as seen.
        rim: share of its width and height in which what is drawn there fades towards its border.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0
    rim: float = 0.0

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Top left, top right, bottom right and bottom left of the upright content, as (x, y)."""
        right, down = self._axes()
        return tuple(
            (self.x + a * right[0] + b * down[0], self.y + a * right[1] + b * down[1])
            for a, b in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
        )

    def _axes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return (self.width * cosine, self.width * sine), (-self.height * sine, self.height * cosine)

    def part(self, x: float, y: float, width: float, height: float | None = None) -> Rectangle:
        """Return the rectangle that lies in this one with its centre at (x, y), all in this one's sides.

        Example:
            >>> square(10, 10, 4).part(1.0, 0.5, 0.5)
            Rectangle(x=12.0, y=10.0, width=2.0, height=2.0, angle=0.0, rim=0.0)
        """
        right, down = self._axes()
        across, along = x - 0.5, y - 0.5
        return self._replace(
            x=self.x + across * right[0] + along * down[0],
            y=self.y + across * right[1] + along * down[1],
            width=self.width * width,
            height=self.height * (width if height is None else height),
        )

    def cut_size(self, limit: int | None = None) -> tuple[int, int]:
        """Return height and width to cut it out at: its own, the longer side rounded up to a multiple of :data:`STEP`.

        Args:
            limit: longest side; :data:`LARGEST` where there is none.

        Example:
            >>> Rectangle(50, 50, 100, 40).cut_size(), Rectangle(50, 50, 100, 40).cut_size(64)
            ((51, 128), (26, 64))
        """
        longer = max(self.width, self.height)
        # at most twice its own size: what is shrunk on its way back spills over the border
        longest = min(limit or LARGEST, math.ceil(longer / STEP) * STEP, int(2 * longer))
        return max(1, round(longest * self.height / longer)), max(1, round(longest * self.width / longer))

    def matrix(self) -> Tensor:
        """Return the ``(3, 3)`` float64 matrix from fractions of the rectangle's sides to pixels of the image."""
        right, down = self._axes()
        origin = self.corners[0]
        return torch.tensor(
            [[right[0], down[0], origin[0]], [right[1], down[1], origin[1]], [0, 0, 1]], dtype=torch.float64
        )

    def from_image(self) -> Tensor:
        """Return the matrix from pixels of the image to fractions of the rectangle's sides, :meth:`matrix` inverted."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        rows = ((cosine / self.width, sine / self.width), (-sine / self.height, cosine / self.height))
        return torch.tensor([[a, b, 0.5 - a * self.x - b * self.y] for a, b in rows] + [[0, 0, 1]], dtype=torch.float64)

    def bounds(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of the pixels that it touches.

        Raises:
            ShapeError: if it touches none.
        """
        left, top, right, bottom = self._within(height, width)
        if left >= right or top >= bottom:
            raise ShapeError(f"expected a rectangle that touches the image of {width}x{height} pixels, got {self}")
        return left, top, right, bottom

    def touches(self, height: int, width: int) -> bool:
        """Return whether any pixel of an image lies in its bounds."""
        left, top, right, bottom = self._within(height, width)
        return left < right and top < bottom

    def _within(self, height: int, width: int) -> tuple[int, int, int, int]:
        left, top = (math.floor(min(values)) for values in zip(*self.corners, strict=True))
        right, bottom = (math.ceil(max(values)) for values in zip(*self.corners, strict=True))
        return max(left, 0), max(top, 0), min(right, width), min(bottom, height)

    def moved(self, right: float, down: float) -> Rectangle:
        """Return the rectangle elsewhere in the image."""
        return self._replace(x=self.x + right, y=self.y + down)

    def upright(self, height: int, width: int) -> tuple[int, int, int, int] | None:
        """Return left, top, right, bottom if these are whole pixels inside the image; None for any other rectangle.

        None for one with a rim, too: what is drawn there fades, and a part is seen alike whatever the image's size.
        """
        if self.angle or self.rim:
            return None
        (left, top), _, (right, bottom), _ = self.corners
        sides = left, top, right, bottom
        whole = all(float(side).is_integer() for side in sides)
        if not whole or left < 0 or top < 0 or right > width or bottom > height:
            return None
        return int(left), int(top), int(right), int(bottom)


def square(x: float, y: float, side: float, angle: float = 0.0) -> Rectangle:
    """Return the rectangle with four equal sides around (x, y)."""
    return Rectangle(x, y, side, side, angle)


def extract(image: Tensor, rectangle: Rectangle, size: int | tuple[int, int], views: Iterable[Tensor] = ()) -> Tensor:
    """Return the content of a turned rectangle, upright.

    Bilinear, antialiased when it shrinks; beyond the image's border the border goes on. Differentiable.

    Args:
        image: ``(B, C, H, W)`` floating point.
        rectangle: where.
        size: height and width of the result, in pixels, or the side of a square one.
        views: ``(3, 3)`` float64 matrices from fractions of a result's sides to fractions of the rectangle's, to get
            that many results of each image; one result as the rectangle lies if there are none.

    Returns:
        ``(B, C, *size)`` of the same dtype; with views ``(views * B, C, *size)``, all of one view after the other.

    Raises:
        ShapeError: if the rectangle lies outside the image.

    Example:
        >>> image = torch.arange(16.0).view(1, 1, 4, 4)
        >>> extract(image, square(2, 2, 2, math.pi / 2), 2).round()
        tensor([[[[ 6., 10.],
                  [ 5.,  9.]]]])
    """
    size = (size, size) if isinstance(size, int) else size
    height, width = image.shape[-2:]
    views = list(views)
    if not views and (box := rectangle.upright(height, width)) is not None:
        left, top, right, bottom = box
        return resize(image[..., top:bottom, left:right], size)
    to_image = rectangle.matrix()
    matrices = [to_image @ view for view in views] or [to_image]
    across, down = zip(*(rectangle.corners if not views else _corners_of(matrices)), strict=True)
    left, top, right, bottom = rectangle.bounds(height, width)  # raises where there is nothing
    # what lies just outside takes part in the interpolation
    left, top = max(min(left, math.floor(min(across))) - 2, 0), max(min(top, math.floor(min(down))) - 2, 0)
    right, bottom = (
        min(max(right, math.ceil(max(across))) + 2, width),
        min(max(bottom, math.ceil(max(down))) + 2, height),
    )
    part = image[..., top:bottom, left:right]
    shrink = max(rectangle.height / size[0], rectangle.width / size[1], 1)
    small = resize(part, (math.ceil((bottom - top) / shrink), math.ceil((right - left) / shrink)))
    to_small = _scaled(small.shape[-1] / (right - left), small.shape[-2] / (bottom - top), -left, -top)
    from_result = _scaled(1 / size[1], 1 / size[0])
    places = [affine_places(to_small @ matrix @ from_result, size, like=small) for matrix in matrices]
    return torch.cat([sample(small, place) for place in places])


def _corners_of(matrices: Iterable[Tensor]) -> list[tuple[float, float]]:
    """Return where the corners of views lie in the image, as (x, y)."""
    corners = torch.tensor([[0, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]], dtype=torch.float64)
    return [(x, y) for matrix in matrices for x, y in (matrix @ corners)[:2].T.tolist()]


def spread(pixels: Tensor, rectangle: Rectangle, size: tuple[int, int], rows: tuple[int, int] | None = None) -> Tensor:
    """Return upright pixels as they lie in an image: the way back of :func:`extract`.

    Args:
        pixels: ``(B, C, h, w)`` floating point.
        rectangle: where they belong.
        size: height and width of the image.
        rows: first row of the image and first after the last, within the rectangle's bounds; all of those if None.

    Returns:
        ``(B, C, bottom - top, right - left)`` for the rectangle's :meth:`Rectangle.bounds`; outside the rectangle the
        pixels' own border goes on.

    Example:
        >>> spread(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), square(2, 2, 2), (4, 4))
        tensor([[[[1., 2.],
                  [3., 4.]]]])
    """
    left, top, right, bottom = rectangle.bounds(*size)
    top, bottom = rows or (top, bottom)
    small = shrunk(pixels, rectangle)
    from_image = _scaled(small.shape[-1], small.shape[-2]) @ rectangle.from_image()
    return sample(small, affine_places(from_image, (bottom - top, right - left), (left, top), like=small))


def shrunk(pixels: Tensor, rectangle: Rectangle) -> Tensor:
    """Return upright pixels no finer than twice those of the image around their rectangle, so that none is missed.

    Up to half the size interpolation alone misses no pixel, and what is 0 at the border, a mask, stays 0 beyond it.
    """
    sides = (
        (side, pixel_count if 2 * side >= pixel_count else math.ceil(side))
        for side, pixel_count in ((rectangle.height, pixels.shape[-2]), (rectangle.width, pixels.shape[-1]))
    )
    height, width = (count for _, count in sides)
    return resize(pixels, (height, width))


def fit(points: Tensor, shape: Tensor) -> Tensor:
    """Return the similarity that brings a shape closest to points, in the sense of least squares.

    Source: Umeyama, *Least-squares estimation of transformation parameters between two point patterns*, PAMI 1991,
    section III, for the plane and without reflection.

    Args:
        points: ``(B, N, 2)`` floating point.
        shape: ``(N, 2)``, at least two of them different.

    Returns:
        ``(B, 4)``: a, b, x, y so that a point (u, v) of the shape goes to (a u - b v + x, b u + a v + y).

    Example:
        >>> shape = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> [round(value, 4) for value in fit(2 * shape[None] + torch.tensor([3.0, 4.0]), shape)[0].tolist()]
        [2.0, 0.0, 3.0, 4.0]
    """
    centre, middle = shape.mean(0), points.mean(1)
    around, spread_out = shape - centre, points - middle[:, None]
    weight = around.square().sum()
    a = (spread_out * around).sum((1, 2)) / weight
    b = (spread_out[..., 1] * around[:, 0] - spread_out[..., 0] * around[:, 1]).sum(1) / weight
    x = middle[:, 0] - a * centre[0] + b * centre[1]
    y = middle[:, 1] - b * centre[0] - a * centre[1]
    return torch.stack([a, b, x, y], 1)


def _scaled(x: float, y: float, dx: float = 0, dy: float = 0) -> Tensor:
    """Return the matrix that moves by (dx, dy), then scales."""
    return torch.tensor([[x, 0, x * dx], [0, y, y * dy], [0, 0, 1]], dtype=torch.float64)
