"""Cuts of photos, kept in a folder: what an aligner found in each, so that no photo is searched twice.

A subfolder for each aligner holds ``index.jsonl``, to which a line is added for each photo that was searched, and a
file for each cut. A line says what file it is about (path, bytes, time of its last change) and what was found. Cuts are
written whole or not at all; a line that was cut short by a crash is as if it were not there. So a run that was
interrupted goes on where it stopped, and two runs can share a folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mbu_ops import images
from mbu_ops.errors import DataError, ImageFileError
from mbu_ops.functional.similarity import Rectangle

INDEX = "index.jsonl"

Stamp = tuple[str, int, int]
"""What tells a version of a photo: its full path, its bytes, and when it was last changed, in nanoseconds."""


def stamp(photo: Path) -> Stamp:
    """Return what tells this version of a photo from others.

    Raises:
        OSError: if there is no such file.
    """
    path = photo.absolute()
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


@dataclass(slots=True)
class Cuts:
    """The cuts of one aligner.

    Attributes:
        folder: where they are; made with the first of them.

    Raises:
        DataError: if the index is there and cannot be read.

    Example:
        >>> import tempfile
        >>> cuts = Cuts(Path(tempfile.mkdtemp()) / "cuts")
        >>> cuts.remember(("/photo.jpg", 100, 0), [Rectangle(20, 30, 10, 10)])
        >>> Cuts(cuts.folder).found(("/photo.jpg", 100, 0))
        (Rectangle(x=20.0, y=30.0, width=10.0, height=10.0, angle=0.0, rim=0.0),)
        >>> Cuts(cuts.folder).found(("/photo.jpg", 100, 1)) is None
        True
    """

    folder: Path
    _found: dict[str, tuple[Stamp, tuple[Rectangle, ...]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        try:
            with (self.folder / INDEX).open("rb") as lines:
                for line in lines:
                    if (entry := _entry(line)) is not None:
                        self._found[entry[0][0]] = entry
        except FileNotFoundError:
            return  # nothing was found yet
        except OSError as error:
            raise self._unusable(error) from error

    def found(self, photo: Stamp) -> tuple[Rectangle, ...] | None:
        """Return the places that were found in this version of a photo; None if nobody looked for them."""
        known, places = self._found.get(photo[0], (None, ()))
        return places if known == photo else None

    def file(self, photo: Stamp, number: int) -> Path:
        """Return where the cut of a place is kept; it need not be there."""
        return self.folder / f"{_key(photo)}-{number}.jpg"

    def remember(self, photo: Stamp, places: Iterable[Rectangle]) -> None:
        """Note what was found in a photo, and remove the cuts of its earlier version.

        Raises:
            DataError: if it cannot be written.
        """
        entry = photo, tuple(Rectangle(*map(float, place)) for place in places)
        line = json.dumps({"path": photo[0], "bytes": photo[1], "changed": photo[2], "places": entry[1]}) + "\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / INDEX).open("ab+") as index:
                torn = index.tell() > 0 and index.seek(-1, os.SEEK_END) >= 0 and index.read(1) != b"\n"
                # at once, so that the lines of two runs do not mix
                index.write(b"\n" * torn + line.encode("ascii"))
            earlier = self._found.get(photo[0])
            if earlier is not None and earlier[0] != photo:
                for number in range(len(earlier[1])):
                    self.file(earlier[0], number).unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        self._found[photo[0]] = entry

    def keep(self, photo: Stamp, number: int, data: bytes) -> None:
        """Write the cut of a place.

        Raises:
            DataError: if it cannot be written.
        """
        try:
            images.write_bytes(self.file(photo, number), data, overwrite=True)
        except ImageFileError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> DataError:
        return DataError(
            f"could not keep cuts of photos in {str(self.folder)!r}: {error}; choose another folder for them (--cuts)"
        )


def _key(photo: Stamp) -> str:
    # of the path's bytes: names need not be text
    path, *version = photo
    return hashlib.sha256(b"\0".join([os.fsencode(path), repr(version).encode()])).hexdigest()[:32]


def _entry(line: bytes) -> tuple[Stamp, tuple[Rectangle, ...]] | None:
    """Return what a line of the index says; None for a line that was torn or is none of ours."""
    try:
        said = json.loads(line)
        photo = said["path"], said["bytes"], said["changed"]
        if tuple(map(type, photo)) != (str, int, int):
            return None
        places = tuple(Rectangle(*map(float, place)) for place in said["places"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    sound = all(math.isfinite(number) for place in places for number in place)
    return (photo, places) if sound and all(min(place.width, place.height) >= 1 for place in places) else None
