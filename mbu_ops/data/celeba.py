"""Folders in CelebA's own layout: which pictures show an attribute, which do not, and where the face frame lies.

Source: Liu, Luo, Wang, Tang, *Deep Learning Face Attributes in the Wild*, ICCV 2015.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mbu_ops.data.cutting import Picture, Sides
from mbu_ops.errors import DataError
from mbu_ops.files import read_text

FACE_FRAME: Sides = (4 / 178, 36 / 218, 174 / 178, 206 / 218)
"""Where the first frame of faces lies in an aligned 178x218 picture, as fractions (so it fits smaller copies too)."""

IMAGES = ("img_align_celeba", "img")
"""Names that the folder of pictures may have."""

ATTRIBUTES = ("list_attr_celeba.txt", "list_attr.txt")
"""Names that the table of labels may have."""

FRAME_FILE = "frame.json"
"""Says where the family's first frame lies in pictures that are cut in another way than CelebA's."""

IDENTITIES = "identity_CelebA.txt"
"""Says who is on which picture; where it is missing, pictures of neighbouring names may show one person."""

PARTITIONS = {"train": 0, "validation": 1, "test": 2}
Partition = Literal["train", "validation", "test"]
Share = tuple[int, int]
"""A number and a count: the second of three equal parts of the people is ``(2, 3)``."""
WHOLE: Share = (1, 1)
Rule = tuple[tuple[str, ...], ...]
"""Any of these alternatives, each all of these labels; ``!`` before a label means that it must be absent."""


@dataclass(frozen=True, slots=True)
class CelebA:
    """The labels and the official partition of a CelebA-layout folder.

    Attributes:
        images: the folder of the pictures.
        files: file names, in the label file's order.
        names: label names.
        labels: ``(files, names)`` bool.
        partition: ``(files,)`` int: 0 train, 1 validation, 2 test.
        people: ``(files,)`` int: who is in each picture, by :data:`IDENTITIES`; where that is not there somebody else
            in each, a negative number by the order of the names.
        frame: where the family's first frame lies in each picture, as fractions of its sides.
    """

    images: Path
    files: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.bool_]
    partition: NDArray[np.int64]
    people: NDArray[np.int64]
    frame: Sides = FACE_FRAME

    @classmethod
    def read(cls, folder: Path) -> CelebA:
        """Read the labels and the partition, and :data:`FRAME_FILE` if there is one.

        Raises:
            DataError: if the folder lacks one of its parts, or they contradict each other.
        """
        attributes, pictures = _first_there(folder, ATTRIBUTES), _first_there(folder, IMAGES)
        partitions = folder / "list_eval_partition.txt"
        for part in (attributes, partitions, pictures):
            if not part.exists():
                raise DataError(
                    f"expected CelebA's layout (img_align_celeba/, list_attr_celeba.txt, list_eval_partition.txt) in "
                    f"{str(folder)!r}, which has no {part.name}; for plain folders use --with and --without"
                )
        try:
            header, *rows = (line for line in read_text(attributes).splitlines()[1:] if line.strip())
            fields = [row.split() for row in rows]
            names, files = tuple(header.split()), tuple(row[0] for row in fields)
            labels = np.array([[value == "1" for value in row[1:]] for row in fields], dtype=bool)
            if labels.shape != (len(files), len(names)):
                raise ValueError(f"{len(names)} labels in the header, rows of another length")
            where = dict(line.split() for line in read_text(partitions).splitlines() if line.strip())
            partition = np.array([int(where[file]) for file in files])
            people = _read_people(folder / IDENTITIES, files)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{str(folder)!r} is not in CelebA's layout: {type(error).__name__}: {error}") from error
        return cls(pictures, files, names, labels, partition, people, _read_frame(folder / FRAME_FILE))

    def matching(self, rule: Rule, partition: Partition, share: Share = WHOLE) -> NDArray[np.int64]:
        """Return the indices of the files of a partition that a rule selects, in order.

        Args:
            rule: which labels they have.
            partition: which partition they are in.
            share: which part of the partition's people they show.

        Raises:
            DataError: if the rule names a label that the folder does not have.
        """
        chosen = np.zeros(len(self.files), dtype=bool)
        for alternative in rule:
            every = np.ones(len(self.files), dtype=bool)
            for label in alternative:
                column = self.column(label.removeprefix("!"))
                every &= ~column if label.startswith("!") else column
            chosen |= every
        mine = self.partition == PARTITIONS[partition]
        return np.flatnonzero(chosen & mine & self._of(share, mine))

    def _of(self, share: Share, mine: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which files show a share of the people of a partition: pieces of their order, nobody in two."""
        number, count = share
        if count == 1 or not mine.any():
            return mine
        people = self.people
        borders = np.quantile(people[mine], [(number - 1) / count, number / count], method="lower")
        below = people <= borders[1] if number == count else people < borders[1]
        shared: NDArray[np.bool_] = (people >= borders[0]) & below
        return shared

    def column(self, label: str) -> NDArray[np.bool_]:
        """Return one label of every file.

        Raises:
            DataError: if there is no such label.
        """
        try:
            return self.labels[:, self.names.index(label)]
        except ValueError:
            raise DataError(
                f"expected one of the labels {', '.join(self.names)}; got {label!r} ({self.images.parent})"
            ) from None

    def columns(self, labels: tuple[str, ...]) -> NDArray[np.bool_]:
        """Return some labels of every file, ``(files, labels)``.

        Raises:
            DataError: if there is no such label.
        """
        chosen = [self.column(label) for label in labels]
        return np.stack(chosen, axis=1) if chosen else np.zeros((len(self.files), 0), bool)

    def pictures(self, indices: NDArray[np.int64]) -> list[Picture]:
        """Return the image files of these indices, and where the family's first frame lies in them."""
        return [Picture(self.images / self.files[index], self.frame) for index in indices]


def _read_people(path: Path, files: tuple[str, ...]) -> NDArray[np.int64]:
    """Return who is in each file: identities, or negative numbers by the order of the names."""
    if not path.exists():
        order = np.argsort(np.array(files))
        places = np.empty(len(files), dtype=np.int64)
        places[order] = np.arange(len(files))
        return -1 - places
    try:
        rows = (line.split() for line in read_text(path).splitlines() if line.strip())
        who = {name: int(number) for name, number in rows}
        return np.array([who[file] for file in files])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{str(path)!r}: expected lines such as '000001.jpg 2880': {error}") from error


def _first_there(folder: Path, names: tuple[str, ...]) -> Path:
    """Return the first of some paths in a folder that exists, or the first of all."""
    return next((folder / name for name in names if (folder / name).exists()), folder / names[0])


def _read_frame(path: Path) -> Sides:
    """Return where a file says that the family's first frame lies, as fractions of the pictures' sides.

    Raises:
        DataError: if it says something else.
    """
    if not path.exists():
        return FACE_FRAME
    try:
        said = json.loads(read_text(path))
        if not isinstance(said, dict) or set(said) != {"picture", "centre", "side"}:
            raise ValueError(f"got {said!r}")
        (width, height), (x, y), side = said["picture"], said["centre"], said["side"]
        numbers = width, height, x, y, side
        if any(type(one) not in (int, float) or not abs(one) <= 1e6 for one in numbers):  # NaN too
            raise ValueError(f"got {said!r}")
        left, top, right, bottom = x - side / 2, y - side / 2, x + side / 2, y + side / 2
        if min(width, height, side) <= 0 or right <= 0 or bottom <= 0 or left >= width or top >= height:
            raise ValueError(f"that frame shows nothing of the picture: {said!r}")
    except (ValueError, TypeError, RecursionError, OSError) as error:
        raise DataError(
            f"expected {str(path)!r} to say where the first frame lies, in pixels of a picture of that width and "
            f'height, as {{"picture": [256, 256], "centre": [127, 104.5], "side": 370}}: {error}'
        ) from error
    return left / width, top / height, right / width, bottom / height


def balancing_weights(reference: NDArray[np.bool_], candidates: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how often to draw each candidate so that its other labels are spread as the reference's are.

    Without this, whatever else differs between the two sets (most people with glasses are men) looks like content.

    Args:
        reference: ``(N, K)`` the K labels to balance, of the images with the content.
        candidates: ``(M, K)`` the same of the images without it.

    Returns:
        ``(M,)`` probabilities that sum to 1.

    Example:
        >>> import numpy as np
        >>> men = np.array([[True], [True], [True], [False]])
        >>> balancing_weights(men, np.array([[True], [False], [False]])).tolist()
        [0.75, 0.125, 0.125]
    """
    wanted, there = Counter(map(tuple, reference.tolist())), Counter(map(tuple, candidates.tolist()))
    weights: NDArray[np.float64] = np.array([wanted[key] / there[key] for key in map(tuple, candidates.tolist())])
    if not weights.sum() > 0:
        weights = np.ones(len(candidates))
    weights /= weights.sum()
    return weights
