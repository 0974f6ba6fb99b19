"""Find the faces of a photo, and the square of each that the networks were trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import torch
from kornia.geometry.bbox import nms
from torch import Tensor, nn

from mbu_ops.errors import ShapeError
from mbu_ops.frames.frame import Frame
from mbu_ops.functional.check import check_image
from mbu_ops.functional.mask import resize
from mbu_ops.functional.similarity import Rectangle, extract, fit, square
from mbu_ops.weights.packaged import NetworkFile, load_packaged
from mbu_ops_faces.networks import CELL, DETECTED, POINTS, POINTS_SIDE, FaceDetector, FaceLandmarks

WEIGHTS = NetworkFile("faces/aligner.safetensors", "mbu_ops_checkpoints", "mbu-ops", "finding faces")

LARGEST = 640
"""Longest side, in pixels, at which a photo is searched, and then at halves of it."""

SMALL = 2560
"""The same where small faces are wanted too."""

LEAST = 160
"""Shortest of these longest sides: the largest faces fill the photo."""

TILE, OVERLAP = 704, 128
"""Side of the tiles in which a large level is searched, and what two of them share.

A face that both cut is small enough to be found whole at the next level. On a CPU it takes a third of the time: larger
tensors are mapped anew at every step.
"""

CANDIDATE = 0.25
"""Score from which a box is looked at, and from which the detector must know it for a face when it sees it upright."""

SURE = 0.45
"""Mean of the two scores from which it is a face."""

MOST = 100
"""Most candidates that are looked at in one photo."""

PASSES = 2
"""How often landmarks are placed on a face, each time on a better crop of it."""

PLACES = [0, 1, 2, 3, *range(5, DETECTED)]
"""Which numbers of a detection are places in the picture: x and y in turn."""


# squares within the frame (centre and side, in its sides), measured over 1,500 training photos of CelebA, whose frame
# is (4, 36, 174, 206) of the aligned 178x218 pixels
SEEN = ((36, 42), (42, 48), (30, 31), (48, 49), (54, 55))
"""Which landmarks, first and end, are the points that the detector sees, on the mean."""
POINTS_VIEW = (0.5, 0.553, 0.676)
"""What the landmark network sees at its most accurate."""
CHECK_VIEW = (0.5, 0.5, 1.4)
"""What the detector is shown to make sure."""
CHECK_SIDE = 160
FAR = 0.1
"""How far a point may lie from its mean position there, in the picture's sides."""

MIRRORED = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
)
"""Which landmark each one is in a mirrored picture."""


NOSE = 0.48
"""How far the nose's tip stands out before the eyes, in distances between these: some 30 mm of 63."""

APART = 0.4
"""How far apart two faces' centres are at least, in sides of the larger frame."""


class _Level(NamedTuple):
    """A photo at some size: its pixels, and how many of them are one of the photo's, across and down."""

    x: float
    y: float
    pixels: Tensor


class _Candidate(NamedTuple):
    score: float
    place: Rectangle
    yaw: float = 0.0


class FaceAligner(nn.Module):
    """Find faces, and for each the square frame that CelebA's alignment would cut out of the photo.

    A detector searches the photo at several sizes, and sees five points on each face; 68 landmarks on the turned crop,
    placed a second time on a better one, give the similarity to their mean position in the frame; the detector must
    know the result for a face again. Faces from 1/40 of the photo's longer side up, turned up to
    about 40 degrees.

    Args:
        largest: longest side, in pixels, at which photos are searched; half of it takes a quarter of the time, and
            finds faces of twice the size.

    Example:
        >>> from mbu_ops.families import get_family
        >>> from mbu_ops.images import read
        >>> photo = read(get_family("faces").samples[0].locate().read_bytes()).to_tensor()[None]
        >>> [frame] = pretrained().find(photo)
        >>> round(frame.x / 10), round(frame.y / 10), round(frame.side / 10)
        (23, 11, 18)
    """

    shape: Tensor

    def __init__(self, largest: int = LARGEST) -> None:
        super().__init__()
        self.largest = largest
        self.detector = FaceDetector()
        self.landmarks = FaceLandmarks()
        self.register_buffer("shape", torch.zeros(POINTS, 2))
        """Mean position of the landmarks, in the frame's sides."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # moves with what it belongs to, but stays in single precision: in half, chance decides what is a face
        super()._apply(lambda tensor: tensor.to(fn(tensor).device), recurse)  # type: ignore[no-untyped-call]
        return self

    @torch.no_grad()
    def find(self, image: Tensor) -> tuple[Frame, ...]:
        """Return the frames of a photo's faces, the largest first.

        Args:
            image: ``(1, 3, H, W)`` RGB in [0, 1], floating point, on the aligner's device.

        Returns:
            One frame for each face; they may reach beyond the photo's border.

        Raises:
            ShapeError: if it has another shape, or is empty.
            DTypeError: if it holds no floating-point numbers.
        """
        check_image(image)
        if len(image) != 1:
            raise ShapeError(f"expected one photo (1, 3, H, W), got {len(image)}: find the faces of each on its own")
        image = image.to(self.shape.dtype)
        levels = self._levels(image)
        frames = self._search(levels[1:])
        for turn in range(PASSES):
            frames = self._align(levels, [one for one in frames if _usable(one.place, levels)], mirrored=turn > 0)
        frames = [one for one in frames if _usable(one.place, levels)]
        found: list[Frame] = []
        for score, place, yaw in sorted(self._checked(levels, frames), key=lambda one: -one.score):
            if not any(
                math.hypot(place.x - one.x, place.y - one.y) < APART * max(place.width, one.side) for one in found
            ):
                angle = math.degrees(place.angle)
                found.append(Frame(place.x, place.y, place.width, angle, round(score, 4), yaw=round(yaw, 1)))
        return tuple(sorted(found, key=lambda one: -one.side))

    def _levels(self, image: Tensor) -> list[_Level]:
        """Return the photo, and it at the sizes it is searched at, the largest first."""
        height, width = image.shape[-2:]
        scale = min(self.largest / max(height, width), 1.0)
        # whole steps first: they are many times as fast as exact ones; what is left over at the end is under a step
        step = min(max(1, int(1 / scale)), height, width)
        used = height // step * step, width // step * step
        level = nn.functional.avg_pool2d(image[..., : used[0], : used[1]], step) if step > 1 else image
        level = resize(level, (max(1, round(used[0] * scale)), max(1, round(used[1] * scale))))
        levels = [_Level(1, 1, image), _Level(level.shape[-1] / used[1], level.shape[-2] / used[0], level)]
        while max(level.shape[-2:]) >= 2 * LEAST and min(level.shape[-2:]) >= 2:
            level = nn.functional.avg_pool2d(level, 2)
            levels.append(_Level(levels[-1].x / 2, levels[-1].y / 2, level))
        return levels

    def _search(self, levels: Sequence[_Level]) -> list[_Candidate]:
        """Return what may be faces, the surest first."""
        found = []
        for x, y, pixels in levels:
            for top, bottom in _tiles(pixels.shape[-2]):
                for left, right in _tiles(pixels.shape[-1]):
                    tile = pixels[..., top:bottom, left:right]
                    tile = nn.functional.pad(tile, (0, (left - right) % CELL, 0, (top - bottom) % CELL))
                    seen = self.detector(tile.contiguous(memory_format=torch.channels_last))[0]
                    seen = seen[seen[:, 4] >= CANDIDATE]
                    places = seen[:, PLACES].view(-1, 7, 2) + seen.new_tensor([left, top])
                    seen[:, PLACES] = (places / seen.new_tensor([x, y])).flatten(1)
                    found.append(seen)
        together = torch.cat(found)
        if not len(together):
            return []
        together = together[nms(together[:, :4], together[:, 4], 0.4)[:MOST]]
        points = together[:, 5:].reshape(-1, len(SEEN), 2)
        scores, fits = together[:, 4].tolist(), fit(points, self._points()).tolist()
        return [
            _Candidate(score, square((a - b) / 2 + x, (a + b) / 2 + y, math.hypot(a, b), math.atan2(b, a)))
            for score, (a, b, x, y) in zip(scores, fits, strict=True)
        ]

    def _points(self) -> Tensor:
        """Return the mean position of the points that the detector sees, in the frame's sides."""
        return torch.stack([self.shape[first:end].mean(0) for first, end in SEEN])

    def _align(self, levels: Sequence[_Level], frames: Sequence[_Candidate], mirrored: bool) -> list[_Candidate]:
        """Place landmarks on faces and return better frames."""
        if not frames:
            return []
        views = [one.place.part(*POINTS_VIEW) for one in frames]
        crops = torch.cat([_seen(levels, view, POINTS_SIDE) for view in views])
        points = self.landmarks(torch.cat([crops, crops.flip(-1)]) if mirrored else crops)
        if mirrored:  # the mirrored face is a second opinion
            points, other = points.chunk(2)
            other = other[:, list(MIRRORED)]
            points = (points + torch.stack([1 - other[..., 0], other[..., 1]], -1)) / 2
        moved = []
        fits = zip(frames, views, fit(points, self.shape).tolist(), yaws(points).tolist(), strict=True)
        for one, view, (a, b, x, y), yaw in fits:
            part = view.part((a - b) / 2 + x, (a + b) / 2 + y, math.hypot(a, b))
            moved.append(_Candidate(one.score, part._replace(angle=view.angle + math.atan2(b, a)), yaw))
        return moved

    def _checked(self, levels: Sequence[_Level], frames: Sequence[_Candidate]) -> list[_Candidate]:
        """Return those that the detector knows for faces when it sees them upright and at one size."""
        if not frames:
            return []
        crops = torch.cat([_seen(levels, one.place.part(*CHECK_VIEW), CHECK_SIDE) for one in frames])
        seen = self.detector(crops)
        wanted = ((self._points() - 0.5) / CHECK_VIEW[2] + 0.5) * CHECK_SIDE
        # only a face where it should be speaks for it: a neighbour's may be in view
        off = (seen[..., 5:].reshape(*seen.shape[:2], *wanted.shape) - wanted).abs().amax((-1, -2))
        checks = (seen[..., 4] * (off < FAR * CHECK_SIDE)).amax(1).tolist()
        means = [one._replace(score=(one.score + check) / 2) for one, check in zip(frames, checks, strict=True)]
        return [one for one, check in zip(means, checks, strict=True) if check >= CANDIDATE and one.score >= SURE]


def yaws(points: Tensor) -> Tensor:
    """Return how far heads are turned, by where the nose's tip lies between the eyes.

    Args:
        points: ``(N, 68, 2)``, the landmarks of each.

    Returns:
        ``(N,)`` in degrees, positive to the picture's right. It was compared with no measured angles; beyond some 40
        degrees landmarks of the far side are guesses, and heads are turned further than it says.
    """
    left, right, nose = points[:, 36:42].mean(1), points[:, 42:48].mean(1), points[:, 30]
    across = right - left
    apart = across.norm(dim=1, keepdim=True).clamp(min=1e-6)
    offset = ((nose - (left + right) / 2) * across / apart).sum(1) / apart[:, 0]
    return torch.rad2deg(torch.atan(offset / NOSE))


def _tiles(length: int) -> list[tuple[int, int]]:
    """Return the first and last bounds of tiles that cover a side."""
    count = max(1, math.ceil((length - OVERLAP) / (TILE - OVERLAP)))
    side = min(length, math.ceil((length + (count - 1) * OVERLAP) / count / CELL) * CELL)
    starts = [round(index * (length - side) / max(count - 1, 1)) for index in range(count)]
    return [(start, start + side) for start in starts]


def _seen(levels: Sequence[_Level], place: Rectangle, side: int) -> Tensor:
    """Cut a square out of the smallest level that holds enough of it."""
    x, y, pixels = next((level for level in reversed(levels) if place.width * level.x >= side), levels[0])
    there = square(place.x * x, place.y * y, place.width * math.sqrt(x * y), place.angle)
    return extract(pixels, there, side)


def _usable(place: Rectangle, levels: Sequence[_Level]) -> bool:
    """Tell whether a frame is finite, of a sensible size, and has its centre in the photo."""
    x, y, pixels = levels[0]
    height, width = pixels.shape[-2] / y, pixels.shape[-1] / x
    return 0 <= place.x <= width and 0 <= place.y <= height and 8 <= place.width <= 4 * max(height, width)


def pretrained() -> FaceAligner:
    """Return the aligner with its packaged weights.

    Raises:
        WeightsError: if they are missing or damaged.
    """
    return _filled(FaceAligner())


def pretrained_for_small() -> FaceAligner:
    """Return one that finds faces of a quarter of that size, too; it takes some ten times as long to search a photo.

    Raises:
        WeightsError: if the weights are missing or damaged.
    """
    return _filled(FaceAligner(SMALL))


def _filled(aligner: FaceAligner) -> FaceAligner:
    load_packaged(aligner, WEIGHTS)
    for module in aligner.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return aligner
