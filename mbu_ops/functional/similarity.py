"""Turned squares in an image: cut one out upright, and spread one over the pixels it covers."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from kornia.geometry.transform import warp_affine
from torch import Tensor

from mbu_ops.errors import ShapeError
from mbu_ops.functional.mask import resize


class Square(NamedTuple):
    """A square that lies anywhere in an image, in pixels; pixel ``i`` covers ``i`` to ``i + 1``.

    Attributes:
        x: of its centre.
        y: of its centre.
        side: its length.
        angle: how far it is turned, in radians, clockwise as seen.
    """

    x: float
    y: float
    side: float
    angle: float

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Top left, top right, bottom right and bottom left of the upright content, as (x, y)."""
        right, down = self._axes()
        return tuple(
            (self.x + a * right[0] + b * down[0], self.y + a * right[1] + b * down[1])
            for a, b in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
        )

    def _axes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        cosine, sine = self.side * math.cos(self.angle), self.side * math.sin(self.angle)
        return (cosine, sine), (-sine, cosine)

    def part(self, x: float, y: float, side: float) -> Square:
        """Return the square that lies in this one with its centre at (x, y), all in this one's sides.

        Example:
            >>> Square(10, 10, 4, 0.0).part(1.0, 0.5, 0.5)
            Square(x=12.0, y=10.0, side=2.0, angle=0.0)
        """
        cosine, sine = self.side * math.cos(self.angle), self.side * math.sin(self.angle)
        right, down = x - 0.5, y - 0.5
        return Square(
            self.x + right * cosine - down * sine, self.y + right * sine + down * cosine, self.side * side, self.angle
        )

    def matrix(self) -> Tensor:
        """Return the ``(3, 3)`` float64 matrix from fractions of the square's sides to pixels of the image."""
        right, down = self._axes()
        origin = self.corners[0]
        return torch.tensor(
            [[right[0], down[0], origin[0]], [right[1], down[1], origin[1]], [0, 0, 1]], dtype=torch.float64
        )

    def bounds(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of the pixels that it touches.

        Raises:
            ShapeError: if it touches none.
        """
        left, top = (math.floor(min(values)) for values in zip(*self.corners, strict=True))
        right, bottom = (math.ceil(max(values)) for values in zip(*self.corners, strict=True))
        sides = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if sides[0] >= sides[2] or sides[1] >= sides[3]:
            raise ShapeError(f"expected a square that touches the image of {width}x{height} pixels, got {self}")
        return sides


def extract(image: Tensor, square: Square, size: int) -> Tensor:
    """Return the content of a turned square, upright.

    Bilinear, antialiased when it shrinks; beyond the image's border the border goes on. Differentiable.

    Args:
        image: ``(B, C, H, W)`` floating point.
        square: where.
        size: side of the result, in pixels.

    Returns:
        ``(B, C, size, size)`` of the same dtype.

    Raises:
        ShapeError: if the square lies outside the image.

    Example:
        >>> image = torch.arange(16.0).view(1, 1, 4, 4)
        >>> extract(image, Square(2, 2, 2, math.pi / 2), 2).round()
        tensor([[[[ 6., 10.],
                  [ 5.,  9.]]]])
    """
    height, width = image.shape[-2:]
    left, top, right, bottom = square.bounds(height, width)
    # what lies just outside takes part in the interpolation
    left, top, right, bottom = max(left - 2, 0), max(top - 2, 0), min(right + 2, width), min(bottom + 2, height)
    part = image[..., top:bottom, left:right]
    shrink = max(square.side / size, 1)
    small = resize(part, (math.ceil((bottom - top) / shrink), math.ceil((right - left) / shrink)))
    to_small = _scaled(small.shape[-1] / (right - left), small.shape[-2] / (bottom - top), -left, -top)
    to_result = _scaled(size, size) @ (to_small @ square.matrix()).inverse()
    return warp(small, to_result, (size, size), "border")


def spread(pixels: Tensor, square: Square, size: tuple[int, int], rows: tuple[int, int] | None = None) -> Tensor:
    """Return upright pixels as they lie in an image: the way back of :func:`extract`.

    Args:
        pixels: ``(B, C, S, S)`` floating point.
        square: where they belong.
        size: height and width of the image.
        rows: first row of the image and first after the last, within the square's bounds; all of those if None.

    Returns:
        ``(B, C, bottom - top, right - left)`` for the square's :meth:`Square.bounds`; outside the square the pixels'
        own border goes on.

    Example:
        >>> spread(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), Square(2, 2, 2, 0.0), (4, 4))
        tensor([[[[1., 2.],
                  [3., 4.]]]])
    """
    left, top, right, bottom = square.bounds(*size)
    top, bottom = rows or (top, bottom)
    # up to half the size interpolation alone misses no pixel, and what is 0 at the border, a mask, stays 0 beyond it
    side = pixels.shape[-1] if 2 * square.side >= pixels.shape[-1] else math.ceil(square.side)
    small = resize(pixels, (side, side))
    matrix = _scaled(1, 1, -left, -top) @ square.matrix() @ _scaled(side, side).inverse()
    return warp(small, matrix, (bottom - top, right - left), "border")


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


def window(size: int, rim: float, like: Tensor) -> Tensor:
    """Return ``(1, 1, size, size)`` that is 1 but for a rim, a share of the side, where it falls to 0 at the border.

    Example:
        >>> window(5, 0.5, torch.zeros(1))[0, 0, 2]
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    at = torch.arange(size, device=like.device, dtype=torch.float32) / max(size - 1, 1)
    ramp = (torch.minimum(at, 1 - at) / rim).clamp(0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return (ramp[:, None] * ramp).to(like.dtype).expand(1, 1, size, size)


def _scaled(x: float, y: float, dx: float = 0, dy: float = 0) -> Tensor:
    """Return the matrix that moves by (dx, dy), then scales."""
    return torch.tensor([[x, 0, x * dx], [0, y, y * dy], [0, 0, 1]], dtype=torch.float64)


def warp(pixels: Tensor, matrix: Tensor, size: tuple[int, int], beyond: str) -> Tensor:
    """Return pixels moved by an affine matrix, bilinear.

    Args:
        pixels: ``(B, C, H, W)`` floating point.
        matrix: ``(3, 3)`` float64, from places in ``pixels`` to places in the result; pixel ``i`` covers ``i`` to
            ``i + 1`` (kornia's coordinates are those of pixel centres).
        size: height and width of the result.
        beyond: what surrounds the pixels: ``"border"``, their own border going on, or ``"zeros"``.

    Returns:
        ``(B, C, *size)`` of the same dtype.
    """
    centres = _scaled(1, 1, -0.5, -0.5) @ matrix @ _scaled(1, 1, 0.5, 0.5)
    # no half-precision interpolation on CPU
    wide = pixels.float() if pixels.dtype in (torch.float16, torch.bfloat16) else pixels
    batch = centres[None, :2].to(wide).expand(pixels.shape[0], -1, -1)
    return warp_affine(wide, batch, size, padding_mode=beyond, align_corners=True).to(pixels.dtype)
