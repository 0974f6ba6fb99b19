"""Ordinary photos to learn from: a family's aligner finds what to cut out of them, once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from mbu_ops import images
from mbu_ops.data.cuts import Cuts, Stamp, stamp
from mbu_ops.data.cutting import Picture, Sides, Size, height_and_width
from mbu_ops.data.folder import MINIMUM_IMAGES, find_files, load_files
from mbu_ops.errors import DataError, ImageFileError, PluginError, is_out_of_memory
from mbu_ops.families.aligning import Aligner, aligner
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.families.registry import plugin_code
from mbu_ops.families.spec import FamilySpec
from mbu_ops.frames.aligners import GuardedAligner
from mbu_ops.functional.similarity import Rectangle, extract

MARGIN = 2.0
"""Sides of what is kept of a place, in the place's own: other frames of the family may reach beyond the first."""

KEPT: Sides = (0.5 - 0.5 / MARGIN, 0.5 - 0.5 / MARGIN, 0.5 + 0.5 / MARGIN, 0.5 + 0.5 / MARGIN)
"""Where the family's first frame lies in what is kept, as fractions."""

LARGEST_KEPT = 1024
"""Longest side of what is kept, in pixels."""

LEAST_SHARE = 0.5
"""Frames whose longer side has fewer pixels than this share of what networks see are too small to learn from."""

Progress = Callable[[int, str], AbstractContextManager[Callable[[], None]]]
"""Shows how far something is: called with its parts and what it is, yields what to call after each part."""

_VERSION = 1
"""Of what is kept: other cuts are made anew."""

_NAMED = 3
"""Photos that a summary names for each reason."""


@dataclass(slots=True)
class Unused:
    """Photos that cannot be learnt from, and why.

    Attributes:
        total: photos that there were.
        names: their names, by reason.
    """

    total: int = 0
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, photo: Path) -> None:
        """Note one."""
        # quoted: a name may hold a newline, or bytes that cannot be printed
        self.names.setdefault(reason, []).append(repr(photo.name))

    def include(self, other: Unused) -> None:
        """Note those of another search too."""
        self.total += other.total
        for reason, names in other.names.items():
            self.names.setdefault(reason, []).extend(names)

    def __bool__(self) -> bool:
        return bool(self.names)

    def __str__(self) -> str:
        """Return one line for people.

        Example:
            >>> unused = Unused(20)
            >>> unused.add("without faces", Path("photos/sea.jpg"))
            >>> str(unused)
            "1 of 20 photos cannot be used: 1 without faces ('sea.jpg')"
        """
        reasons = [
            f"{len(names)} {reason} ({', '.join(names[:_NAMED])}"
            + (f" and {len(names) - _NAMED} more)" if len(names) > _NAMED else ")")
            for reason, names in self.names.items()
        ]
        count = sum(map(len, self.names.values()))
        return f"{count} of {self.total} photos cannot be used: {', '.join(reasons)}"


@dataclass(frozen=True, slots=True)
class Photos:
    """Finds a family's places in photos, and keeps an upright cut of each.

    Attributes:
        family: what to look for.
        finder: the family's aligner.
        cuts: where the cuts are kept.
        every: whether to take all places of a photo instead of the largest.
        device: where the aligner is.
        progress: shows how far a search is.
    """

    family: FamilySpec
    finder: Aligner
    cuts: Cuts
    every: bool = False
    device: torch.device | str = "cpu"
    progress: Progress = lambda _count, _doing: nullcontext(lambda: None)

    @classmethod
    def of(
        cls,
        family: FamilySpec,
        folder: Path,
        every: bool = False,
        device: torch.device | str = "cpu",
        progress: Progress | None = None,
    ) -> Self:
        """Build the family's aligner, and open the cuts that it made before.

        Args:
            family: what to look for.
            folder: where cuts are kept, of all aligners.
            every: whether to take all places of a photo instead of the largest.
            device: where to search.
            progress: shows how far a search is.

        Raises:
            ConfigurationError: if the family has no aligner.
            PluginError: if its aligner cannot be built.
            DataError: if cuts are there and cannot be read.
        """
        finder = aligner(family, device)
        cuts = Cuts(folder / f"{family.name}-{_identity(family, finder)[:16]}")
        shown = {} if progress is None else {"progress": progress}
        return cls(family, GuardedAligner(family, finder), cuts, every, device, **shown)

    @property
    def which(self) -> str:
        """Which places of a photo are taken, in a word."""
        return "all" if self.every else "largest"

    @property
    def what(self) -> str:
        """What is looked for, for people."""
        return (self.family.title or self.family.name).lower()

    def pictures(
        self, photos: Sequence[Path], size: Size, frame: FrameSpec = WHOLE_FRAME
    ) -> tuple[list[Picture], Unused]:
        """Return the cuts of photos; those that are not there yet are made.

        Args:
            photos: image files.
            size: height and width at which the frame will be seen.
            frame: which of the family's frames, in the sides of its first.

        Returns:
            The cuts in the order of the photos, the largest place of a photo first; and which photos have none.

        Raises:
            DataError: if cuts cannot be written.
        """
        unused = Unused(len(photos))
        found: dict[Path, tuple[Stamp, tuple[Rectangle, ...]]] = {}
        todo: dict[Path, Stamp] = {}
        for photo in photos:
            try:
                version = stamp(photo)
            except OSError:
                unused.add("unreadable", photo)
                continue
            places = self.cuts.found(version)
            if places is not None and all(self.cuts.file(version, number).is_file() for number in self._chosen(places)):
                found[photo] = version, places
            else:
                todo[photo] = version
        if todo:
            with self.progress(len(todo), f"looking for {self.what}") as advance:
                for photo, version in todo.items():
                    if (places := self._search(photo, version, unused)) is not None:
                        found[photo] = version, places
                    advance()
        pictures: list[Picture] = []
        for photo in photos:
            if photo not in found:
                continue
            version, places = found[photo]
            chosen = [
                Picture(self.cuts.file(version, number), KEPT)
                for number in self._chosen(places)
                if _large_enough(places[number], size, frame)
            ]
            if not chosen:
                unused.add("too small" if places else f"without {self.what}", photo)
            pictures += chosen
        return pictures, unused

    def _chosen(self, places: Sequence[Rectangle]) -> range:
        return range(len(places) if self.every else min(len(places), 1))

    def _search(self, photo: Path, version: Stamp, unused: Unused) -> tuple[Rectangle, ...] | None:
        """Find the places of a photo, unless they are known, and write the cuts; None if that cannot be done."""
        try:
            pixels = images.read(photo).to_tensor()[None]
        except ImageFileError:
            unused.add("unreadable", photo)
            return None
        places = known = self.cuts.found(version)
        if places is None:
            try:
                with torch.no_grad():
                    seen = self.finder.find(pixels.to(self.device))
            except (PluginError, RuntimeError) as error:
                if not isinstance(error, PluginError) and not is_out_of_memory(error):
                    raise
                unused.add("that could not be searched", photo)
                return None
            places = tuple(place.rectangle for place in seen)
        for number in self._chosen(places):
            self.cuts.keep(version, number, images.encode(_margined(pixels, places[number]), format="JPEG"))
        if known is None:  # after the cuts: what is remembered is there
            self.cuts.remember(version, places)
        return places


def _large_enough(place: Rectangle, size: Size, frame: FrameSpec) -> bool:
    # by the longer sides: judges see squares, whatever a frame's shape
    return max(place.width * frame.width, place.height * frame.height) >= LEAST_SHARE * max(height_and_width(size))


def _margined(photo: Tensor, place: Rectangle) -> Tensor:
    """Return a place of a photo ``(1, 3, H, W)`` upright, with what lies around it, ``(3, h, w)``."""
    around = place.part(0.5, 0.5, MARGIN)
    longer = max(around.width, around.height)
    longest = min(LARGEST_KEPT, math.ceil(longer))
    height, width = (max(1, round(longest * side / longer)) for side in (around.height, around.width))
    return extract(photo, around, (height, width))[0].clamp(0, 1)


def _identity(family: FamilySpec, finder: Aligner) -> str:
    """Return a digest of what finds places: another aligner's cuts are other cuts.

    Raises:
        PluginError: if the aligner does not say what it consists of.
    """
    digest = hashlib.sha256(f"{_VERSION} {family.name} {family.aligner}".encode())
    with plugin_code(family, "describing its aligner"):
        for name, values in sorted(finder.state_dict().items()) if isinstance(finder, nn.Module) else ():
            described = values.detach().cpu().contiguous() if isinstance(values, Tensor) else torch.empty(0)
            digest.update(f"{name} {described.dtype} {tuple(described.shape)}".encode())
            digest.update(described.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_photos(
    folders: Sequence[Path],
    photos: Photos,
    size: Size,
    report: Callable[[str], None] | None = None,
    keep: Callable[[Path], bool] | None = None,
    frame: FrameSpec = WHOLE_FRAME,
) -> tuple[Tensor, Unused]:
    """Find the places to learn from in every photo of some folders and their subfolders.

    Args:
        folders: where to look, see :func:`mbu_ops.data.folder.find_files`.
        photos: finds the places.
        size: height and width that every frame is resized to, or the side of a square.
        report: called with one line for each cut that cannot be read any more.
        keep: which files to read; all of them when ``None``.
        frame: which of the family's frames to keep, in the sides of its first.

    Returns:
        ``(N, 3, *size)`` uint8 RGB, and which photos show none of it.

    Raises:
        DataError: if a folder is missing, or too few places are found.
    """
    files = find_files(folders, keep)
    found, unused = photos.pictures(files, size, frame)
    if len(found) < MINIMUM_IMAGES:
        names = ", ".join(repr(str(folder)) for folder in folders)
        raise DataError(
            f"expected at least {MINIMUM_IMAGES} pictures of {photos.what}, found {len(found)} in {len(files)} photos "
            f"of {names}{f'; {unused}' if unused else ''}: add photos; pictures that are cut to "
            f"{photos.what} already need no search (--no-align)"
        )
    return load_files(found, size, frame, report)[0], unused
