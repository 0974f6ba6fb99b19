"""The same person with something and without it: how near an edit comes to the photo that was really taken.

Folders hold ``NAME_smile.jpg``, a photo to edit; ``NAME_target.png``, part of another photo of the same person without
the smile; and ``transforms.json``, which says where each target lies in its photo. The Face Research Lab London Set
(DeBruine and Jones, 2017, CC BY 4.0) is such pictures of 102 people.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops import images
from mbu_ops.errors import DataError, FrameError
from mbu_ops.evaluation.figures import Figure, decibels, mean
from mbu_ops.files import read_text
from mbu_ops.functional.grid import grid
from mbu_ops.functional.mask import resize
from mbu_ops.functional.sampling import sample

TRANSFORMS = "transforms.json"
PHOTO, TARGET = "{}_smile.jpg", "{}_target.png"

_LEAST, _FARTHEST = 16, 1e6
"""Shortest side of a target, and largest number of a transform, in pixels."""

_CENTRE, _RADII, _TOP = (0.5, 0.38), (0.36, 0.566), 0.1
"""The ellipse of a target that is compared, and the share of its rows above it that is not."""

_CALM = 1 / 8
"""Share of a target's rows, at the top, that no smile moves: there the two photos' light is compared."""

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Person:
    """Two photos of one person.

    Attributes:
        name: what the person's files begin with.
        photo: the photo to edit.
        target: part of the other photo, which the edit should come to.
        matrix: from pixels of the target to pixels of the photo, two rows ``(x, y, 1)``; whole numbers are centres.
    """

    name: str
    photo: Path
    target: Path
    matrix: tuple[tuple[float, float, float], tuple[float, float, float]]


class Crops(NamedTuple):
    """The part of photos that is compared, ``(1, 3, h, w)`` each."""

    before: Tensor
    after: Tensor
    target: Tensor


def read_people(folder: Path) -> list[Person]:
    """Return the people of a folder, sorted by name.

    Raises:
        DataError: if it is not such a folder; whether pictures can be read shows when they are.
    """
    path = folder / TRANSFORMS
    try:
        said = json.loads(read_text(path))
        if not isinstance(said, dict) or not said:
            raise ValueError(f"got {said!r}")
        people = [
            Person(name, folder / PHOTO.format(name), folder / TARGET.format(name), _matrix(name, rows))
            for name, rows in sorted(said.items())
        ]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f'expected {str(path)!r} to say where targets lie in photos, as {{"001": [[a, b, c], [d, e, f]]}}, which '
            f"takes a target's pixel (x, y) to (a x + b y + c, d x + e y + f): {error}"
        ) from error
    for person in people:
        for file in (person.photo, person.target):
            if not file.is_file():
                raise DataError(
                    f"expected {file.name} in {str(folder)!r}, for {TRANSFORMS} names {person.name!r}: add it, or take "
                    "the name out"
                )
    return people


def _matrix(name: str, rows: object) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    if not name or Path(name).name != name:
        raise ValueError(f"{name!r} begins no file name")
    try:
        first, second = ([*row] for row in rows)  # type: ignore[attr-defined] # that is what is tried
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected two rows, got {rows!r}") from None
    numbers = [*first, *second]
    if (len(first), len(second)) != (3, 3) or any(type(one) not in (int, float) for one in numbers):
        raise ValueError(f"{name}: expected two rows of three numbers, got {rows!r}")
    if not all(math.isfinite(one) and abs(one) <= _FARTHEST for one in numbers):
        raise ValueError(f"{name}: expected finite numbers of at most {_FARTHEST:g}, got {rows!r}")
    if abs(first[0] * second[1] - first[1] * second[0]) < 1e-3:
        raise ValueError(f"{name}: expected a target that covers some of the photo, got {rows!r}")
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])


@torch.no_grad()
def compared(person: Person, edit: Callable[[Tensor], Tensor]) -> Crops:
    """Edit a person's photo and return the target with what lies in its place before and after.

    The two photos were not taken in the same light: the median colour of the calm rows of the target is given to the
    others.

    Args:
        person: whose photos.
        edit: photo to photo, ``(1, 3, H, W)`` RGB in [0, 1].

    Raises:
        DataError: if the target does not lie in the photo, or is too small.
        FrameError: if nothing to edit is found in the photo.
        ImageFileError: if a picture cannot be read.
    """
    photo, target = (images.read(path).to_tensor()[None] for path in (person.photo, person.target))
    height, width = target.shape[-2:]
    if min(height, width) < _LEAST:
        raise DataError(f"{str(person.target)!r}: expected at least {_LEAST} pixels a side, got {width} x {height}")
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    matrix = torch.tensor(person.matrix, dtype=torch.float64)
    at = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ matrix.T + 0.5
    middle = at[height // 2, width // 2]
    if not (0 <= middle[0] <= photo.shape[-1] and 0 <= middle[1] <= photo.shape[-2]):
        raise DataError(
            f"{TRANSFORMS} puts the middle of {str(person.target)!r} at {middle.tolist()}, outside its photo of "
            f"{photo.shape[-1]} x {photo.shape[-2]} pixels: correct it"
        )
    try:
        edited = edit(photo)
    except FrameError as error:
        raise FrameError(f"{str(person.photo)!r}: {error}") from error
    before, after = (sample(one, at, mode="bicubic").clamp(0, 1) for one in (photo, edited))
    calm = max(1, round(_CALM * height))
    shown, wanted = (one[:, :, :calm].flatten(2).median(2).values[..., None, None] for one in (before, target))
    return Crops(before + wanted - shown, after + wanted - shown, target)


def measure_people(
    people: Sequence[Person], edit: Callable[[Tensor], Tensor], report: Callable[[], None] = lambda: None
) -> list[Figure]:
    """Measure how near edits come to the photos that were really taken.

    Args:
        people: whose photos.
        edit: photo to photo, ``(1, 3, H, W)`` RGB in [0, 1].
        report: called after each person.

    Returns:
        PSNR and the correlation of fine detail with the target, of edits and of untouched photos; and how strong fine
        detail is, as a multiple of the untouched photo's, in edits and in targets.

    Raises:
        MBUOpsError: as :func:`compared`.
    """
    rows = []
    for person in people:
        before, after, target = compared(person, edit)
        inside = _ellipse(target)
        then, now, wanted = (fine_detail(one)[:, 0, inside][0] for one in (before, after, target))
        strength = then.std().clamp(min=1e-6)
        rows.append(
            [
                *(decibels((one - target)[..., inside].square().mean()) for one in (after, before)),
                *(_correlation(one, wanted) for one in (now, then)),
                now.std() / strength,
                wanted.std() / strength,
            ]
        )
        report()
    values = torch.tensor(rows)
    return [mean(name, title, column, unit) for (name, title, unit), column in zip(_FIGURES, values.T, strict=True)]


_FIGURES = (
    ("pairs_psnr", "same person, PSNR to the true photo: edited", "dB"),
    ("pairs_psnr_untouched", "same person, PSNR to the true photo: untouched", "dB"),
    ("pairs_detail", "same person, correlation of fine detail: edited", ""),
    ("pairs_detail_untouched", "same person, correlation of fine detail: untouched", ""),
    ("pairs_sharpness", "same person, sharpness, input 1: edited", ""),
    ("pairs_sharpness_target", "same person, sharpness, input 1: true photo", ""),
)


def fine_detail(pictures: Tensor) -> Tensor:
    """Return the highest band of pictures' brightness: what a 5 x 5 binomial filter takes away.

    Source: the first level of the Laplacian pyramid (Burt and Adelson, IEEE Transactions on Communications 1983).

    Args:
        pictures: ``(N, 3, H, W)``, of at least 3 pixels a side.

    Returns:
        ``(N, 1, H, W)``.

    Example:
        >>> fine_detail(torch.full((1, 3, 8, 8), 0.5)).abs().max() < 1e-6
        tensor(True)
    """
    grey = pictures.mean(1, keepdim=True)
    line = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    low = F.conv2d(F.pad(grey, (2, 2, 2, 2), mode="reflect"), (line[:, None] * line)[None, None])
    return grey - low


def _ellipse(target: Tensor) -> Tensor:
    """Return the pixels of a target that are compared, ``(h, w)`` bool: the lower face, without what lies around it."""
    height, width = target.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    distance = ((x - _CENTRE[0]) / _RADII[0]).square() + ((y - _CENTRE[1]) / _RADII[1]).square()
    return (distance < 1) & (y >= _TOP)


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    """Return Pearson's correlation of two vectors; 0 where one is constant."""
    return torch.corrcoef(torch.stack([one, other]))[0, 1].nan_to_num()


def people_sheet(people: Sequence[Person], edit: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a few people across: untouched, edited, and the true photo, as one picture ``(3, H, W)``.

    Args:
        people: whose photos.
        edit: photo to photo.

    Raises:
        MBUOpsError: as :func:`compared`.
    """
    crops = [compared(person, edit) for person in people[:_SHOWN]]
    size = (crops[0].target.shape[-2], crops[0].target.shape[-1])
    return grid([torch.cat([resize(one, size) for one in row]) for row in zip(*crops, strict=True)])
