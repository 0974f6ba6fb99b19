"""Folders in CelebA's own layout: which pictures show an attribute, and which do not.

Source: Liu, Luo, Wang, Tang, *Deep Learning Face Attributes in the Wild*, ICCV 2015.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mbu_ops.data.folder import Frame
from mbu_ops.errors import DataError

FACE_FRAME: Frame = (4 / 178, 36 / 218, 174 / 178, 206 / 218)
"""The square that a face fills in an aligned 178x218 CelebA picture, as fractions (so it fits smaller copies too)."""

PARTITIONS = {"train": 0, "validation": 1, "test": 2}
Partition = Literal["train", "validation", "test"]
Rule = tuple[tuple[str, ...], ...]
"""Any of these alternatives, each all of these labels; ``!`` before a label means that it must be absent."""


@dataclass(frozen=True, slots=True)
class CelebA:
    """The labels and the official partition of a CelebA-layout folder.

    Attributes:
        folder: where ``img_align_celeba/`` lies.
        files: file names, in the label file's order.
        names: label names.
        labels: ``(files, names)`` bool.
        partition: ``(files,)`` int: 0 train, 1 validation, 2 test.
    """

    folder: Path
    files: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.bool_]
    partition: NDArray[np.int64]

    @classmethod
    def read(cls, folder: Path) -> CelebA:
        """Read ``list_attr_celeba.txt`` and ``list_eval_partition.txt``.

        Raises:
            DataError: if the folder lacks one of its parts, or they contradict each other.
        """
        attributes, partitions = folder / "list_attr_celeba.txt", folder / "list_eval_partition.txt"
        for part in (attributes, partitions, folder / "img_align_celeba"):
            if not part.exists():
                raise DataError(
                    f"expected CelebA's layout (img_align_celeba/, list_attr_celeba.txt, list_eval_partition.txt) in "
                    f"{str(folder)!r}, which has no {part.name}; for plain folders use --with and --without"
                )
        try:
            header, *rows = (line for line in attributes.read_text("utf-8").splitlines()[1:] if line.strip())
            fields = [row.split() for row in rows]
            names, files = tuple(header.split()), tuple(row[0] for row in fields)
            labels = np.array([[value == "1" for value in row[1:]] for row in fields], dtype=bool)
            if labels.shape != (len(files), len(names)):
                raise ValueError(f"{len(names)} labels in the header, rows of another length")
            where = dict(line.split() for line in partitions.read_text("utf-8").splitlines() if line.strip())
            partition = np.array([int(where[file]) for file in files])
        except (ValueError, KeyError, UnicodeDecodeError) as error:
            raise DataError(f"{str(folder)!r} is not in CelebA's layout: {type(error).__name__}: {error}") from error
        return cls(folder, files, names, labels, partition)

    def matching(self, rule: Rule, partition: Partition) -> NDArray[np.int64]:
        """Return the indices of the files of a partition that a rule selects, in order.

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
        return np.flatnonzero(chosen & (self.partition == PARTITIONS[partition]))

    def column(self, label: str) -> NDArray[np.bool_]:
        """Return one label of every file.

        Raises:
            DataError: if there is no such label.
        """
        try:
            return self.labels[:, self.names.index(label)]
        except ValueError:
            raise DataError(
                f"expected one of the labels {', '.join(self.names)}; got {label!r} ({self.folder})"
            ) from None

    def paths(self, indices: NDArray[np.int64]) -> list[Path]:
        """Return the image files of these indices."""
        return [self.folder / "img_align_celeba" / self.files[index] for index in indices]


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
